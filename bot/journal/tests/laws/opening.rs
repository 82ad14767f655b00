//! What opens, and what is refused by name, at once, with something to try.

use journal::{Journal, Kept, OpenError};
use sqlx::Connection as _;

use crate::{NOW, Store, delivery};

pub(crate) async fn what_tries_a_store_out_leaves_nothing_behind(it: Store) {
    assert_eq!(it.one.cursor("tried").await.unwrap(), None);
    assert_eq!(it.again().await.cursor("tried").await.unwrap(), None);
}

async fn refused(url: &str) -> String {
    Journal::open(url).await.unwrap_err().to_string()
}

fn url(path: &std::path::Path) -> String {
    format!("sqlite://{}", path.display())
}

#[tokio::test]
async fn what_is_no_store_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let letter = folder.path().join("note.txt");
    let words = "this is no database, it is a letter to a friend, and long enough to be one\n";
    std::fs::write(&letter, words.repeat(20)).unwrap();
    assert_eq!(
        refused(&url(&letter)).await,
        format!(
            "cannot open the store `{}`: error returned from database: (code: 26) file is not a database; it is no planebot store: name another file",
            letter.display()
        )
    );
    assert_eq!(
        std::fs::read_to_string(&letter).unwrap(),
        words.repeat(20),
        "and not a letter of it is changed"
    );
    assert_eq!(
        refused("sqlite:///no/such/folder/j.db").await,
        "cannot open the store `/no/such/folder/j.db`: error returned from database: (code: 14) unable to open database file; see that its folder exists and may be written to"
    );
    assert!(refused(&url(folder.path())).await.contains("see that"));
    for no in ["redis://x", "", "sqlite://", "/var/lib/planebot.db"] {
        assert_eq!(
            refused(no).await,
            format!("`{no}` is no store: write `sqlite://FILE` or `postgres://USER@HOST/DATABASE`")
        );
    }
}

#[tokio::test]
async fn a_store_of_a_newer_planebot_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    drop(Journal::open(&url(&path)).await.unwrap());
    let mut raw = sqlx::AnyConnection::connect(&url(&path)).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', TRUE, X'00', 0)",
    )
    .execute(&mut raw)
    .await
    .unwrap();
    let error = Journal::open(&url(&path)).await.unwrap_err();
    assert!(matches!(error, OpenError::TooNew { version: 99, .. }));
    assert!(error.to_string().contains("written by a newer planebot"));
    sqlx::raw_sql("DELETE FROM _sqlx_migrations WHERE version = 99; UPDATE _sqlx_migrations SET checksum = X'01' WHERE version = 1")
        .execute(&mut raw)
        .await
        .unwrap();
    let error = Journal::open(&url(&path)).await.unwrap_err();
    assert!(matches!(error, OpenError::DoesNotFit { .. }), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_database_that_was_good_until_its_disk_was_full_wants_room() {
    // A server of its own: it is stopped in between.
    let Some(cluster) = crate::cluster::Cluster::start() else {
        return;
    };
    let url = cluster.database().await;
    drop(Journal::open(&url).await.unwrap());
    let name = url.rsplit('/').next().unwrap();
    cluster.up_on_a_full_disk(name, "cursor").await;
    let said = refused(&url).await;
    assert!(
        said.contains("No space left on device")
            && said.ends_with("make room on the database's disk"),
        "{said}"
    );
}

#[tokio::test]
async fn many_programs_may_open_a_new_store_at_once() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let url = url(&folder.path().join("journal.db"));
        let open = || Journal::open(&url);
        let opened = tokio::join!(open(), open(), open(), open(), open(), open(), open());
        for journal in <[_; 7]>::from(opened) {
            journal.unwrap().check().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_name_with_odd_letters_is_the_name_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "a b.db",
        "50%.db",
        "%41.db",
        "what?.db",
        "#1.db",
        "Ünder.DB",
    ] {
        let path = folder.path().join(name);
        let journal = Journal::open(&url(&path)).await.unwrap();
        let kept = journal.keep(&delivery("a"), NOW).await.unwrap();
        assert_eq!(kept, Kept::New);
        assert!(path.exists(), "{name}");
    }
}

#[tokio::test]
async fn a_write_waits_for_another_program_and_a_read_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let journal = Journal::open(&url(&path)).await.unwrap();
    let mut other = sqlx::AnyConnection::connect(&url(&path)).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    assert_eq!(journal.queue().await.unwrap(), (0, 0));
    let letter = delivery("a");
    let (kept, ended) = tokio::join!(
        journal.keep(&letter, NOW),
        sqlx::query("ROLLBACK").execute(&mut other)
    );
    ended.unwrap();
    assert_eq!(kept.unwrap(), Kept::New);
}
