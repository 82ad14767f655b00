//! SQLite: how the file is opened, what makes a commit durable, and how damage shows.

use std::str::FromStr as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::MigrateError;
use sqlx::{AnyConnection, AnyPool, Connection as _};

use crate::address::StoreAddress;
use crate::dialect::{Dialect, OpenStore};
use crate::error::OpenError;
use crate::migration::{migrate, not_migrated, unreachable};
use crate::remedy::sqlite_primary_code;

/// Five seconds: longer than any transaction of ours, shorter than GitHub waits for a webhook's answer (10 s).
const TIMEOUT: Duration = Duration::from_secs(5);

/// The pause between two attempts to set a connection up, and how many there are: [`TIMEOUT`] in all.
const SET_UP_PAUSE: Duration = Duration::from_millis(20);
const SET_UP_RETRIES: u32 = 250;

/// How many stores in memory this process has opened: each gets its own name.
static MEMORY_STORES: AtomicUsize = AtomicUsize::new(0);

const PRAGMAS: [&str; 4] = [
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    // An acknowledged fact survives a power cut.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
];

/// Opens a new store in memory.
pub(crate) async fn open_memory(address: &StoreAddress) -> Result<OpenStore, OpenError> {
    let number = MEMORY_STORES.fetch_add(1, Ordering::SeqCst);
    // SQLite's `memdb` file system: a name that begins with `/` is one store for all connections of this process. (sqlx
    // gives `mode=memory` another name at each connection.)
    let url = format!("sqlite:///journal-{number}?vfs=memdb&mode=rwc");
    // A store in memory exists as long as a connection to it: this one stays open, whatever the pool does with its own.
    let anchor = connect(&url)
        .await
        .map_err(|source| unreachable(address, source))?;
    let store = open(address, &url).await?;
    Ok(OpenStore {
        anchor: Some(Arc::new(Mutex::new(anchor))),
        ..store
    })
}

/// Opens the file, which is created when missing.
pub(crate) async fn open_file(address: &StoreAddress, path: &str) -> Result<OpenStore, OpenError> {
    open(address, &format!("sqlite://{}?mode=rwc", escaped(path))).await
}

/// A connection that creates and sets nothing; `None` where there is no file.
pub(crate) async fn connect_only(
    address: &StoreAddress,
    path: &str,
) -> Result<Option<AnyConnection>, OpenError> {
    if !std::path::Path::new(path).exists() {
        return Ok(None);
    }
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}?mode=rw", escaped(path));
    let connecting = async {
        let mut connection = AnyConnection::connect(&url).await?;
        sqlx::query(PRAGMAS[0]).execute(&mut connection).await?;
        Ok(connection)
    };
    connecting
        .await
        .map(Some)
        .map_err(|source| unreachable(address, source))
}

async fn open(address: &StoreAddress, url: &str) -> Result<OpenStore, OpenError> {
    let pool = open_pool(url)
        .await
        .map_err(|source| unreachable(address, source))?;
    migrate_pool(&pool)
        .await
        .map_err(|source| not_migrated(address, source))?;
    Ok(OpenStore {
        dialect: Dialect::Sqlite,
        pool,
        anchor: None,
    })
}

/// Damage that SQLite finds in its own file, one line each.
pub(crate) async fn damage(pool: &AnyPool) -> Result<Vec<String>, sqlx::Error> {
    let lines: Vec<(String,)> = sqlx::query_as("PRAGMA integrity_check")
        .fetch_all(pool)
        .await?;
    let mut found: Vec<String> = lines
        .into_iter()
        .map(|(line,)| line)
        .filter(|line| line != "ok")
        .collect();
    let (orphans,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM pragma_foreign_key_check")
        .fetch_one(pool)
        .await?;
    if orphans > 0 {
        found.push(format!("{orphans} facts belong to no run"));
    }
    Ok(found)
}

async fn open_pool(url: &str) -> Result<AnyPool, sqlx::Error> {
    sqlx::any::install_default_drivers();
    let options = AnyConnectOptions::from_str(url)?;
    // Outside the pool first: the pool would retry until its timeout, and then report only that it timed out.
    try_connection(&options).await?;
    // One connection: SQLite has one writer, and a second one only waits for it.
    let pool = AnyPoolOptions::new()
        .max_connections(1)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(TIMEOUT)
        .after_connect(|connection, _| Box::pin(prepare(connection)))
        .connect_with(options.clone())
        .await;
    // Turning the file to WAL for the first connection may have filled the disk.
    if let Err(sqlx::Error::PoolTimedOut) = pool {
        try_connection(&options).await?;
    }
    pool
}

/// Connects and disconnects, for the database's own error where that fails.
async fn try_connection(options: &AnyConnectOptions) -> Result<(), sqlx::Error> {
    let mut connection = AnyConnection::connect_with(options).await?;
    prepare(&mut connection).await?;
    connection.close().await
}

async fn connect(url: &str) -> Result<AnyConnection, sqlx::Error> {
    sqlx::any::install_default_drivers();
    let options = AnyConnectOptions::from_str(url)?;
    let mut connection = AnyConnection::connect_with(&options).await?;
    prepare(&mut connection).await?;
    Ok(connection)
}

/// Sets the connection up, and retries while another connection holds the file: turning a new file to WAL, and the last
/// connection's cleanup, lock it for a moment in which SQLite ignores `busy_timeout`.
/// <https://www.sqlite.org/wal.html>, "Sometimes Queries Return `SQLITE_BUSY` In WAL Mode".
async fn prepare(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let mut retries = SET_UP_RETRIES;
    loop {
        match set_up(connection).await {
            Err(error) if retries > 0 && is_locked(&error) => retries -= 1,
            result => return result,
        }
        tokio::time::sleep(SET_UP_PAUSE).await;
    }
}

fn is_locked(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    matches!(sqlite_primary_code(code.as_deref()), 5 | 6)
}

async fn set_up(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    for pragma in PRAGMAS {
        sqlx::query(pragma).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The path, escaped for a URL.
fn escaped(path: &str) -> String {
    path.replace('%', "%25")
        .replace('?', "%3F")
        .replace('#', "%23")
}

/// In one transaction under the write lock: of several processes that open a store at once, one migrates it.
async fn migrate_pool(pool: &AnyPool) -> Result<(), MigrateError> {
    let mut transaction = Dialect::Sqlite.begin(pool).await?;
    migrate(&mut transaction).await?;
    Ok(transaction.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Journal, JournalError, delivery, outbox};

    async fn created(folder: &tempfile::TempDir) -> String {
        let path = folder.path().join("journal.db");
        drop(Journal::open(&format!("sqlite://{}", path.display())).await);
        format!("sqlite://{}", path.display())
    }

    async fn raw(address: &str) -> AnyConnection {
        AnyConnection::connect(address).await.unwrap()
    }

    #[tokio::test]
    async fn a_read_only_store_says_to_make_it_writable() {
        let folder = tempfile::tempdir().unwrap();
        let address = created(&folder).await;
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
    async fn a_store_on_a_full_disk_says_to_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = raw(&created(&folder).await).await;
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
    async fn a_store_that_another_program_locks_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let address = created(&folder).await;
        let mut holder = raw(&address).await;
        sqlx::query(Dialect::Sqlite.begin_statement())
            .execute(&mut holder)
            .await
            .unwrap();
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
    async fn acknowledged_writes_are_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&created(&folder).await).await.unwrap();
        let mode: (String,) = sqlx::query_as("PRAGMA journal_mode")
            .fetch_one(journal.pool().unwrap())
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
                .fetch_one(journal.pool().unwrap())
                .await
                .unwrap();
            assert_eq!(found.0, wanted, "{pragma}");
        }
    }

    #[tokio::test]
    async fn queue_queries_use_indexes() {
        let journal = Journal::open("sqlite::memory:").await.unwrap();
        for query in [
            "SELECT COALESCE(MAX(place), 0) + 1 FROM delivery",
            delivery::NEXT,
            delivery::NEXT_AT,
            "SELECT COUNT(*) FROM delivery WHERE settled IS NULL",
            "SELECT COUNT(*) FROM delivery WHERE verdict LIKE '{\"parked\"%'",
            "SELECT COALESCE(MAX(place), 0) + 1 FROM reply",
            outbox::NEXT,
            outbox::NEXT_AT,
            outbox::CREATED,
            "SELECT number FROM pull WHERE site = 's' AND stage = 'merged'",
            "SELECT id FROM run WHERE site = 's' ORDER BY id DESC LIMIT 1",
        ] {
            let explained = format!("EXPLAIN QUERY PLAN {query}");
            let steps: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(sqlx::AssertSqlSafe(explained))
                    .fetch_all(journal.pool().unwrap())
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
