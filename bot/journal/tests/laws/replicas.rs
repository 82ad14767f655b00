//! What only a server shows: access rights, clocks that differ, broken connections.

use journal::{Journal, JournalError, OpenError, Stored};
use plan::run::Fact;
use sqlx::Connection as _;

use crate::{NOW, Store, began, delivery, later, new_run, opened, started, taken};
use support_postgres::PASSWORD;

/// The error for a URL that cannot be opened. It never shows a password.
async fn refused(url: &str) -> String {
    let error = Journal::open(url).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(PASSWORD), "{shown}");
    assert!(!shown.contains("opensesame"), "{shown}");
    error.to_string()
}

#[tokio::test]
async fn an_unusable_database_is_refused_by_name_with_a_remedy() {
    let Some(cluster) = support_postgres::shared() else {
        return;
    };
    let host = cluster.address();
    for statement in [
        "CREATE ROLE guest LOGIN PASSWORD 'opensesame'",
        "CREATE DATABASE narrow ENCODING 'LATIN1' TEMPLATE template0",
        "CREATE DATABASE shut",
        "ALTER DATABASE shut SET default_transaction_read_only = on",
        "CREATE DATABASE strange",
    ] {
        cluster.execute("postgres", statement).await;
    }
    let guests = "REVOKE CREATE ON SCHEMA public FROM PUBLIC";
    cluster.execute("strange", guests).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    for (url, wanted) in [
        (
            format!("postgres://boss:opensesame@{host}/x"),
            format!(
                "cannot open the store `postgres://{host}/x`: error returned from database: password authentication failed for user \"boss\"; see that user and password are right (`store.url`, `store.password_file`)"
            ),
        ),
        (
            cluster.url("nowhere"),
            format!(
                "cannot open the store `postgres://{host}/nowhere`: error returned from database: database \"nowhere\" does not exist; create the database first, or name another"
            ),
        ),
        (
            format!("postgres://boss:opensesame@{closed}/x"),
            format!(
                "cannot open the store `postgres://{closed}/x`: error communicating with database: Connection refused (os error 111); see that the database runs and can be reached, and try again"
            ),
        ),
        (
            format!("postgres://guest:opensesame@{host}/strange"),
            format!(
                "cannot open the store `postgres://{host}/strange`: error returned from database: permission denied for schema public; give this user a database of its own (`CREATE DATABASE … OWNER …`), or the right to create tables, and make it the owner of the tables that are there"
            ),
        ),
        (
            cluster.url("narrow"),
            format!(
                "cannot use the store `postgres://{host}/narrow`: its encoding is not UTF8: create a database with `ENCODING 'UTF8'`"
            ),
        ),
        (
            cluster.url("shut"),
            format!(
                "cannot use the store `postgres://{host}/shut`: it may only be read: name the server that may be written to, and a user who may"
            ),
        ),
    ] {
        // PostgreSQL's message ends with a line of its source code in some versions.
        let shown = refused(&url).await;
        let (reason, remedy) = wanted.rsplit_once("; ").unwrap_or((&wanted, ""));
        assert!(
            shown.starts_with(reason) && shown.ends_with(remedy),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_server_that_accepts_and_does_not_answer_times_out() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = silent.local_addr().unwrap();
    let shown = refused(&format!("postgres://boss:opensesame@{host}/x")).await;
    assert!(shown.contains("no answer in 5 s; see that"), "{shown}");
}

#[tokio::test]
async fn a_database_of_a_newer_planebot_is_refused_and_unchanged() {
    let Some(it) = Store::on_postgres().await else {
        return;
    };
    let mut raw = it.raw().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', TRUE, '\\x00', 0)";
    sqlx::query(newer).execute(&mut raw).await.unwrap();
    let url = it.url.as_ref().unwrap();
    let error = Journal::open(url).await.unwrap_err();
    assert!(matches!(error, OpenError::TooNew { version: 99, .. }));
    // A program of the version before that has the store open continues.
    it.one.store_delivery(&delivery("a"), NOW).await.unwrap();
    sqlx::raw_sql("DELETE FROM _sqlx_migrations WHERE version = 99; UPDATE _sqlx_migrations SET checksum = '\\x01' WHERE version = 1")
        .execute(&mut raw)
        .await
        .unwrap();
    let error = Journal::open(url).await.unwrap_err();
    assert!(matches!(error, OpenError::DoesNotFit { .. }), "{error}");
}

#[tokio::test]
async fn many_replicas_may_open_a_new_database_at_once() {
    let Some(cluster) = support_postgres::shared() else {
        return;
    };
    for _ in 0..5 {
        let url = cluster.database().await;
        let open = || Journal::open(&url);
        let opened = tokio::join!(open(), open(), open(), open(), open());
        for journal in <[_; 5]>::from(opened) {
            journal.unwrap().check().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_replica_whose_clock_is_ahead_takes_no_held_lease() {
    let Some(it) = Store::on_postgres().await else {
        return;
    };
    let url = it.url.as_ref().unwrap();
    let (slow, fast) = (
        Journal::open(url).await.unwrap(),
        Journal::open(url).await.unwrap(),
    );
    let hour = 3_600_000;
    let lease = slow.take("s", "w1", 60_000, NOW).await.unwrap().unwrap();
    assert_eq!(lease.until, later(60_000), "by the holder's own clock");
    assert!(fast.is_in_force(&lease, later(hour)).await.unwrap());
    let stolen = fast.take("s", "w2", 60_000, later(hour)).await.unwrap();
    assert_eq!(stolen, None);
    let longer = slow.renew(&lease, -1, later(10)).await.unwrap().unwrap();
    assert_eq!(longer.until, later(9));
    // It has expired, whatever a clock that is behind shows.
    assert!(!fast.is_in_force(&lease, later(-hour)).await.unwrap());
    let next = fast.take("s", "w2", 60_000, later(-hour)).await.unwrap();
    assert!(next.unwrap().epoch > lease.epoch);
}

#[tokio::test]
async fn each_start_of_each_replica_has_its_own_name() {
    let Some(it) = Store::on_postgres().await else {
        return;
    };
    let address = "planebot at 0.0.0.0:8080";
    let (one, two) = tokio::join!(it.one.owner_name(address), it.two.owner_name(address));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one, two);
    let held = it.one.take("s", &one, 60_000, NOW).await.unwrap().unwrap();
    let third = it.two.owner_name(address).await.unwrap();
    assert!(it.one.is_in_force(&held, NOW).await.unwrap());
    let refused = it.two.take("s", &third, 60_000, NOW).await.unwrap();
    assert_eq!(refused, None, "it is another process, which may still run");
}

#[tokio::test]
async fn on_one_machine_a_restarted_process_continues_at_once() {
    let it = Store::on_a_file().await;
    let address = "planebot at 127.0.0.1:8080";
    let name = it.one.owner_name(address).await.unwrap();
    let dead = it.one.take("s", &name, 60_000, NOW).await.unwrap().unwrap();
    let again = it.two.owner_name(address).await.unwrap();
    let lease = it
        .two
        .take("s", &again, 60_000, NOW)
        .await
        .unwrap()
        .unwrap();
    assert!(lease.epoch > dead.epoch);
}

#[tokio::test]
async fn a_broken_connection_is_replaced() {
    let Some(it) = Store::on_postgres().await else {
        return;
    };
    it.one.store_delivery(&delivery("a"), NOW).await.unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::raw_sql(cut)
        .execute(&mut it.raw().await)
        .await
        .unwrap();
    assert_eq!(
        it.one.store_delivery(&delivery("a"), NOW).await.unwrap(),
        Stored::Duplicate
    );
    assert_eq!(it.one.queue_depth().await.unwrap(), (1, 0));
}

#[tokio::test]
async fn a_failed_write_names_a_remedy_and_changes_nothing() {
    let Some(it) = Store::on_postgres().await else {
        return;
    };
    let lease = taken(&it.one, "s").await;
    let run = it.one.begin(&new_run("s"), &began(), NOW).await.unwrap();
    let mut raw = it.raw().await;
    for (code, wanted) in [
        ("53100", "make room on the database's disk"),
        ("25006", "it may only be read"),
        ("42501", "give this user a database of its own"),
        ("55P03", "another program holds it"),
        ("57P01", "see that the database runs"),
    ] {
        // The last statement of the write fails, as on a disk that fills up during the write.
        let trap = format!(
            "CREATE OR REPLACE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$;
             CREATE OR REPLACE TRIGGER trap BEFORE UPDATE ON run EXECUTE FUNCTION trap()"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(trap))
            .execute(&mut raw)
            .await
            .unwrap();
        let error = it
            .one
            .add(run, &lease, &Fact::Finished, NOW)
            .await
            .unwrap_err();
        assert!(matches!(error, JournalError::Store(_)));
        assert!(error.to_string().contains(wanted), "{code}: {error}");
        assert_eq!(it.two.facts(run).await.unwrap().len(), 1, "{code}");
    }
    sqlx::raw_sql("DROP TRIGGER trap ON run")
        .execute(&mut raw)
        .await
        .unwrap();
    it.one.add(run, &lease, &Fact::Finished, NOW).await.unwrap();
}

/// A worker that was stopped in the middle of a write holds its row's lock; others time out with a remedy.
#[tokio::test]
async fn a_write_does_not_wait_forever_for_a_paused_one() {
    let Some(it) = Store::on_postgres().await else {
        return;
    };
    let lease = taken(&it.one, "s").await;
    let run = it.one.begin(&new_run("s"), &began(), NOW).await.unwrap();
    let mut paused = it.raw().await;
    sqlx::raw_sql("BEGIN; UPDATE lease SET epoch = epoch WHERE site = 's'")
        .execute(&mut paused)
        .await
        .unwrap();
    let error = it
        .two
        .add(run, &lease, &Fact::Finished, NOW)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("another program holds it: end that one, or try again")
    );
    it.two.store_delivery(&delivery("a"), NOW).await.unwrap();
    paused.close().await.unwrap();
    it.two.add(run, &lease, &Fact::Finished, NOW).await.unwrap();
}

#[tokio::test]
async fn acknowledged_writes_are_durable_whatever_the_servers_defaults() {
    let Some(cluster) = support_postgres::shared() else {
        return;
    };
    cluster.execute("postgres", "CREATE DATABASE hasty").await;
    for setting in [
        "synchronous_commit = off",
        "default_transaction_isolation = 'serializable'",
    ] {
        let statement = format!("ALTER DATABASE hasty SET {setting}");
        cluster.execute("postgres", &statement).await;
    }
    let journal = opened(&cluster.url("hasty")).await;
    journal.store_delivery(&delivery("a"), NOW).await.unwrap();
    let trap = "CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            NEW.body := current_setting('synchronous_commit') || ', ' || current_setting('transaction_isolation');
            RETURN NEW; END $$;
        CREATE TRIGGER seen BEFORE INSERT ON delivery FOR EACH ROW EXECUTE FUNCTION seen()";
    cluster.execute("hasty", trap).await;
    journal
        .settle("a", &journal::Settled::Done, NOW)
        .await
        .unwrap();
    journal.store_delivery(&delivery("b"), NOW).await.unwrap();
    let seen = started(&journal).await.unwrap().unwrap();
    assert_eq!(seen.delivery.body, "on, read committed");
    journal.check().await.unwrap();
}
