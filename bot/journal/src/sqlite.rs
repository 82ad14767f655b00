//! The SQLite dialect: how the file is opened, what makes a commit durable, and what its error codes mean.
//!
//! Everything that another database would say differently is here; the queries elsewhere serve both.

use std::str::FromStr as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::MigrateError;
use sqlx::{AnyConnection, AnyPool, Connection as _};

use crate::dialect::{Dialect, Opened};
use crate::migration::{migrate, not_migrated, unreachable};
use crate::{Address, OpenError};

/// How a transaction that reads before it writes begins: it takes the write lock first, and so waits for another writer
/// instead of failing when it finds that what it read has moved.
pub(crate) const WRITING: &str = "BEGIN IMMEDIATE";

/// Five seconds: longer than any transaction of ours, shorter than GitHub waits for a webhook's answer (10 s).
const WAIT: Duration = Duration::from_secs(5);

/// Between two tries to set a connection up, and how many: [`WAIT`] in all.
const REST: Duration = Duration::from_millis(20);
const RESTS: u32 = 250;

/// Stores in memory so far, so that each has a name of its own.
static MEMORIES: AtomicUsize = AtomicUsize::new(0);

const PRAGMAS: [&str; 4] = [
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    // A fact that was acknowledged survives a power cut.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
];

/// Opens a store of its own in memory.
pub(crate) async fn in_memory(address: &Address) -> Result<Opened, OpenError> {
    let number = MEMORIES.fetch_add(1, Ordering::SeqCst);
    // SQLite's own file system in memory: a name that begins with `/` is one store for all connections of this
    // process. (sqlx gives `mode=memory` another name at each connection.)
    let url = format!("sqlite:///journal-{number}?vfs=memdb&mode=rwc");
    // A store in memory lives as long as a connection to it: this one is held, whatever the pool does with its own.
    let held = held(&url)
        .await
        .map_err(|source| unreachable(address, source))?;
    let opened = opened(address, &url).await?;
    Ok(Opened {
        anchor: Some(Arc::new(Mutex::new(held))),
        ..opened
    })
}

/// Opens the file, made when missing.
pub(crate) async fn on_a_file(address: &Address, path: &str) -> Result<Opened, OpenError> {
    opened(address, &format!("sqlite://{}?mode=rwc", escaped(path))).await
}

/// A connection to the file that makes nothing and sets nothing; none where there is no file.
pub(crate) async fn look(
    address: &Address,
    path: &str,
) -> Result<Option<AnyConnection>, OpenError> {
    if !std::path::Path::new(path).exists() {
        return Ok(None);
    }
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}?mode=rw", escaped(path));
    let looking = async {
        let mut connection = AnyConnection::connect(&url).await?;
        sqlx::query(PRAGMAS[0]).execute(&mut connection).await?;
        Ok(connection)
    };
    looking
        .await
        .map(Some)
        .map_err(|source| unreachable(address, source))
}

async fn opened(address: &Address, url: &str) -> Result<Opened, OpenError> {
    let pool = connected(url)
        .await
        .map_err(|source| unreachable(address, source))?;
    migrated(&pool)
        .await
        .map_err(|source| not_migrated(address, source))?;
    Ok(Opened {
        dialect: Dialect::Sqlite,
        pool,
        anchor: None,
    })
}

/// What to try, said by SQLite's primary result code (<https://www.sqlite.org/rescode.html>).
pub(crate) fn remedy(code: Option<&str>) -> &'static str {
    match primary_code(code) {
        5 | 6 => "another program holds it: end that one, or try again",
        8 => "make the file and its folder writable for this user",
        10 => "see that the disk is sound and has room",
        11 => "it is damaged: restore a backup",
        13 => "make room on the disk",
        14 => "see that its folder exists and may be written to",
        26 => "it is no planebot store: name another file",
        _ => "see that its folder exists, is writable and has room",
    }
}

/// SQLite's primary result code; 0 where there is none.
fn primary_code(code: Option<&str>) -> i64 {
    code.and_then(|code| code.parse::<i64>().ok())
        .map_or(0, |code| code & 0xff)
}

/// Damage that SQLite finds in its own file, one line each.
pub(crate) async fn damage(pool: &AnyPool) -> Result<Vec<String>, sqlx::Error> {
    let words: Vec<(String,)> = sqlx::query_as("PRAGMA integrity_check")
        .fetch_all(pool)
        .await?;
    let mut found: Vec<String> = words
        .into_iter()
        .map(|(word,)| word)
        .filter(|word| word != "ok")
        .collect();
    let (orphans,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM pragma_foreign_key_check")
        .fetch_one(pool)
        .await?;
    if orphans > 0 {
        found.push(format!("{orphans} facts belong to no run"));
    }
    Ok(found)
}

async fn connected(address: &str) -> Result<AnyPool, sqlx::Error> {
    sqlx::any::install_default_drivers();
    let options = AnyConnectOptions::from_str(address)?;
    // Once by hand first: the pool would try again for as long as it waits, and then only say that it waited.
    by_hand(&options).await?;
    // One connection: SQLite has one writer, and a second one only waits for it.
    let pool = AnyPoolOptions::new()
        .max_connections(1)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(WAIT)
        .after_connect(|connection, _| Box::pin(prepare(connection)))
        .connect_with(options.clone())
        .await;
    // What the file is turned to at first may leave no room for the second.
    if let Err(sqlx::Error::PoolTimedOut) = pool {
        by_hand(&options).await?;
    }
    pool
}

/// Connects and hangs up: the database's own words where that fails.
async fn by_hand(options: &AnyConnectOptions) -> Result<(), sqlx::Error> {
    let mut connection = AnyConnection::connect_with(options).await?;
    prepare(&mut connection).await?;
    connection.close().await
}

async fn held(address: &str) -> Result<AnyConnection, sqlx::Error> {
    sqlx::any::install_default_drivers();
    let options = AnyConnectOptions::from_str(address)?;
    let mut connection = AnyConnection::connect_with(&options).await?;
    prepare(&mut connection).await?;
    Ok(connection)
}

/// Sets the connection up, again and again for as long as another one holds the file: turning a new file to WAL, and the
/// last connection's clearing up, take the file for a moment without SQLite's own waiting (`busy_timeout` is not asked).
/// <https://www.sqlite.org/wal.html>, "Sometimes Queries Return `SQLITE_BUSY` In WAL Mode".
async fn prepare(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let mut rests = RESTS;
    loop {
        match set_up(connection).await {
            Err(error) if rests > 0 && is_held(&error) => rests -= 1,
            ended => return ended,
        }
        tokio::time::sleep(REST).await;
    }
}

fn is_held(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    matches!(primary_code(code.as_deref()), 5 | 6)
}

async fn set_up(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    for pragma in PRAGMAS {
        sqlx::query(pragma).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The path as an address takes it.
fn escaped(path: &str) -> String {
    path.replace('%', "%25")
        .replace('?', "%3F")
        .replace('#', "%23")
}

/// All of it in one transaction under the write lock: of several processes that open a store at once, one migrates it.
async fn migrated(pool: &AnyPool) -> Result<(), MigrateError> {
    let mut transaction = pool.begin_with(WRITING).await?;
    migrate(&mut transaction).await?;
    Ok(transaction.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Journal, JournalError, delivery, reply};

    async fn made(folder: &tempfile::TempDir) -> String {
        let path = folder.path().join("journal.db");
        drop(Journal::open(&format!("sqlite://{}", path.display())).await);
        format!("sqlite://{}", path.display())
    }

    async fn raw(address: &str) -> AnyConnection {
        AnyConnection::connect(address).await.unwrap()
    }

    #[tokio::test]
    async fn a_store_that_may_only_be_read_is_to_be_made_writable() {
        let folder = tempfile::tempdir().unwrap();
        let address = made(&folder).await;
        let error = sqlx::query("DELETE FROM cursor")
            .execute(&mut raw(&format!("{address}?mode=ro")).await)
            .await
            .unwrap_err();
        assert_eq!(
            JournalError::from(error).to_string(),
            "the store failed: error returned from database: (code: 8) attempt to write a readonly database; make the file and its folder writable for this user"
        );
    }

    #[tokio::test]
    async fn a_store_without_room_wants_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = raw(&made(&folder).await).await;
        let error = sqlx::raw_sql(
            "PRAGMA max_page_count = 1; INSERT INTO cursor VALUES ('a', zeroblob(1000000))",
        )
        .execute(&mut connection)
        .await
        .unwrap_err();
        assert!(
            JournalError::from(error)
                .to_string()
                .ends_with("database or disk is full; make room on the disk")
        );
    }

    #[tokio::test]
    async fn a_store_that_another_program_holds_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let address = made(&folder).await;
        let mut holder = raw(&address).await;
        sqlx::query(WRITING).execute(&mut holder).await.unwrap();
        let error = sqlx::raw_sql("PRAGMA busy_timeout = 0; DELETE FROM cursor")
            .execute(&mut raw(&address).await)
            .await
            .unwrap_err();
        assert_eq!(
            JournalError::from(error).to_string(),
            "the store failed: error returned from database: (code: 5) database is locked; another program holds it: end that one, or try again"
        );
    }

    #[tokio::test]
    async fn what_was_acknowledged_is_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&made(&folder).await).await.unwrap();
        let mode: (String,) = sqlx::query_as("PRAGMA journal_mode")
            .fetch_one(&journal.pool)
            .await
            .unwrap();
        assert_eq!(mode.0, "wal");
        // 2 is FULL: the log is synced at each commit. https://www.sqlite.org/pragma.html#pragma_synchronous
        for (pragma, wanted) in [
            ("synchronous", 2),
            ("foreign_keys", 1),
            ("busy_timeout", 5000),
        ] {
            let asked = sqlx::AssertSqlSafe(format!("PRAGMA {pragma}"));
            let found: (i64,) = sqlx::query_as(asked)
                .fetch_one(&journal.pool)
                .await
                .unwrap();
            assert_eq!(found.0, wanted, "{pragma}");
        }
    }

    #[tokio::test]
    async fn the_queues_are_read_by_index() {
        let journal = Journal::open("sqlite::memory:").await.unwrap();
        for query in [
            "SELECT COALESCE(MAX(place), 0) + 1 FROM delivery",
            delivery::NEXT,
            delivery::NEXT_AT,
            "SELECT COUNT(*) FROM delivery WHERE settled IS NULL",
            "SELECT COUNT(*) FROM delivery WHERE verdict LIKE '{\"parked\"%'",
            "SELECT COALESCE(MAX(place), 0) + 1 FROM reply",
            reply::NEXT,
            reply::NEXT_AT,
            reply::MADE,
            "SELECT number FROM pull WHERE site = 's' AND stage = 'merged'",
            "SELECT id FROM run WHERE site = 's' ORDER BY id DESC LIMIT 1",
        ] {
            let explained = format!("EXPLAIN QUERY PLAN {query}");
            let steps: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(sqlx::AssertSqlSafe(explained))
                    .fetch_all(&journal.pool)
                    .await
                    .unwrap();
            for (_, _, _, step) in steps {
                let is_a_heading = step.contains("SUBQUERY");
                assert!(step.contains("INDEX") || is_a_heading, "{query}: {step}");
                assert!(!step.contains("TEMP B-TREE"), "{query}: {step}");
            }
        }
    }
}
