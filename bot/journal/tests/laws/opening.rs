//! Which stores open; and that others are refused at once, by name, with a remedy.

use journal::{Journal, OpenError, Stored};
use sqlx::Connection as _;

use crate::{NOW, Store, delivery};

pub(crate) async fn the_trial_write_leaves_nothing_behind(it: Store) {
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
async fn what_is_not_a_store_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("note.txt");
    let text = "this is not a database, but a text that is long enough to be one\n";
    std::fs::write(&file, text.repeat(20)).unwrap();
    assert_eq!(
        refused(&url(&file)).await,
        format!(
            "cannot open the store `{}`: error returned from database: (code: 26) file is not a database; it is no planebot store: name another file",
            file.display()
        )
    );
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        text.repeat(20),
        "and is unchanged"
    );
    assert_eq!(
        refused("sqlite:///no/such/folder/j.db").await,
        "cannot open the store `/no/such/folder/j.db`: error returned from database: (code: 14) unable to open database file; see that its folder exists and may be written to"
    );
    assert!(refused(&url(folder.path())).await.contains("see that"));
    for bad in ["redis://x", "", "sqlite://", "/var/lib/planebot.db"] {
        assert_eq!(
            refused(bad).await,
            format!(
                "`{bad}` is not a store address: write `sqlite://FILE` or `postgres://USER@HOST/DATABASE`"
            )
        );
    }
}

#[tokio::test]
async fn a_store_of_a_newer_planebot_is_refused_and_unchanged() {
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
async fn a_database_on_a_full_disk_is_refused_with_a_remedy() {
    // Its own server: it is stopped and restarted.
    let Some(cluster) = support_postgres::Cluster::start() else {
        return;
    };
    let url = cluster.database().await;
    drop(Journal::open(&url).await.unwrap());
    let name = url.rsplit('/').next().unwrap();
    cluster.restart_on_full_disk(name, "cursor").await;
    let error = refused(&url).await;
    assert!(
        error.contains("No space left on device")
            && error.ends_with("make room on the database's disk"),
        "{error}"
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
async fn a_path_with_special_characters_is_the_path_of_the_file() {
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
        let stored = journal.store_delivery(&delivery("a"), NOW).await.unwrap();
        assert_eq!(stored, Stored::New);
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
    assert_eq!(journal.queue_depth().await.unwrap(), (0, 0));
    let delivery = delivery("a");
    let (stored, ended) = tokio::join!(
        journal.store_delivery(&delivery, NOW),
        sqlx::query("ROLLBACK").execute(&mut other)
    );
    ended.unwrap();
    assert_eq!(stored.unwrap(), Stored::New);
}
