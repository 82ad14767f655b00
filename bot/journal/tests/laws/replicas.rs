//! What only a server can break: who may come in, clocks that differ, connections that are cut.

use journal::{Journal, JournalError, Kept, OpenError};
use plan::run::Fact;
use sqlx::Connection as _;

use crate::cluster::{self, PASSWORD};
use crate::{NOW, Store, began, delivery, later, new_run, opened, taken, taken_up};

/// What is said where the address, made of a database's and the server's place, cannot be opened.
async fn refused(url: &str) -> String {
    let error = Journal::open(url).await.unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(!said.contains(PASSWORD), "{said}");
    assert!(!said.contains("opensesame"), "{said}");
    error.to_string()
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_refused_by_name_with_what_to_do() {
    let Some(cluster) = cluster::shared() else {
        return;
    };
    let place = cluster.place();
    for statement in [
        "CREATE ROLE guest LOGIN PASSWORD 'opensesame'",
        "CREATE DATABASE narrow ENCODING 'LATIN1' TEMPLATE template0",
        "CREATE DATABASE shut",
        "ALTER DATABASE shut SET default_transaction_read_only = on",
        "CREATE DATABASE strange",
    ] {
        cluster.tell("postgres", statement).await;
    }
    let guests = "REVOKE CREATE ON SCHEMA public FROM PUBLIC";
    cluster.tell("strange", guests).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = nobody.local_addr().unwrap();
    drop(nobody);
    for (url, wanted) in [
        (
            format!("postgres://boss:opensesame@{place}/x"),
            format!(
                "cannot open the store `postgres://{place}/x`: error returned from database: password authentication failed for user \"boss\"; see that user and password are right (`store.url`, `store.password_file`)"
            ),
        ),
        (
            cluster.url("nowhere"),
            format!(
                "cannot open the store `postgres://{place}/nowhere`: error returned from database: database \"nowhere\" does not exist; make the database first, or name another"
            ),
        ),
        (
            format!("postgres://boss:opensesame@{gone}/x"),
            format!(
                "cannot open the store `postgres://{gone}/x`: error communicating with database: Connection refused (os error 111); see that the database runs and can be reached, and try again"
            ),
        ),
        (
            format!("postgres://guest:opensesame@{place}/strange"),
            format!(
                "cannot open the store `postgres://{place}/strange`: error returned from database: permission denied for schema public; give this user a database of its own (`CREATE DATABASE … OWNER …`), or the right to make tables, and make it the owner of the tables that are there"
            ),
        ),
        (
            cluster.url("narrow"),
            format!(
                "cannot use the store `postgres://{place}/narrow`: its encoding is not UTF8: make a database with `ENCODING 'UTF8'`"
            ),
        ),
        (
            cluster.url("shut"),
            format!(
                "cannot use the store `postgres://{place}/shut`: it may only be read: name the server that may be written to, and a user who may"
            ),
        ),
    ] {
        // PostgreSQL's own words end with a line of its sources where it has one.
        let said = refused(&url).await;
        let (reason, remedy) = wanted.rsplit_once("; ").unwrap_or((&wanted, ""));
        assert!(said.starts_with(reason) && said.ends_with(remedy), "{said}");
    }
}

#[tokio::test]
async fn a_server_that_takes_a_connection_and_says_nothing_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = silent.local_addr().unwrap();
    let said = refused(&format!("postgres://boss:opensesame@{place}/x")).await;
    assert!(said.contains("no answer in 5 s; see that"), "{said}");
}

#[tokio::test]
async fn a_database_of_a_newer_planebot_is_refused_and_left_as_it_is() {
    let Some(it) = Store::on_postgres().await else {
        return;
    };
    let mut raw = it.raw().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', TRUE, '\\x00', 0)";
    sqlx::query(newer).execute(&mut raw).await.unwrap();
    let url = it.url.as_ref().unwrap();
    let error = Journal::open(url).await.unwrap_err();
    assert!(matches!(error, OpenError::TooNew { version: 99, .. }));
    // A program of the version before, open all the while, goes on.
    it.one.keep(&delivery("a"), NOW).await.unwrap();
    sqlx::raw_sql("DELETE FROM _sqlx_migrations WHERE version = 99; UPDATE _sqlx_migrations SET checksum = '\\x01' WHERE version = 1")
        .execute(&mut raw)
        .await
        .unwrap();
    let error = Journal::open(url).await.unwrap_err();
    assert!(matches!(error, OpenError::DoesNotFit { .. }), "{error}");
}

#[tokio::test]
async fn many_replicas_may_open_a_new_database_at_once() {
    let Some(cluster) = cluster::shared() else {
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
async fn a_replica_whose_clock_is_ahead_takes_no_lease_that_is_held() {
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
    assert!(fast.still_held(&lease, later(hour)).await.unwrap());
    let stolen = fast.take("s", "w2", 60_000, later(hour)).await.unwrap();
    assert_eq!(stolen, None);
    let longer = slow.renew(&lease, -1, later(10)).await.unwrap().unwrap();
    assert_eq!(longer.until, later(9));
    // It has run out, whatever a clock that is behind says.
    assert!(!fast.still_held(&lease, later(-hour)).await.unwrap());
    let next = fast.take("s", "w2", 60_000, later(-hour)).await.unwrap();
    assert!(next.unwrap().epoch > lease.epoch);
}

#[tokio::test]
async fn each_life_of_each_replica_has_a_name_of_its_own() {
    let Some(it) = Store::on_postgres().await else {
        return;
    };
    let door = "planebot at 0.0.0.0:8080";
    let (one, two) = tokio::join!(it.one.name(door), it.two.name(door));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one, two);
    let held = it.one.take("s", &one, 60_000, NOW).await.unwrap().unwrap();
    let third = it.two.name(door).await.unwrap();
    assert!(it.one.still_held(&held, NOW).await.unwrap());
    let refused = it.two.take("s", &third, 60_000, NOW).await.unwrap();
    assert_eq!(refused, None, "it is another process, which may be at work");
}

#[tokio::test]
async fn on_one_machine_a_process_that_starts_again_goes_on_at_once() {
    let it = Store::on_a_file().await;
    let door = "planebot at 127.0.0.1:8080";
    let name = it.one.name(door).await.unwrap();
    let dead = it.one.take("s", &name, 60_000, NOW).await.unwrap().unwrap();
    let again = it.two.name(door).await.unwrap();
    let lease = it
        .two
        .take("s", &again, 60_000, NOW)
        .await
        .unwrap()
        .unwrap();
    assert!(lease.epoch > dead.epoch);
}

#[tokio::test]
async fn a_connection_that_is_cut_is_replaced() {
    let Some(it) = Store::on_postgres().await else {
        return;
    };
    it.one.keep(&delivery("a"), NOW).await.unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::raw_sql(cut)
        .execute(&mut it.raw().await)
        .await
        .unwrap();
    assert_eq!(
        it.one.keep(&delivery("a"), NOW).await.unwrap(),
        Kept::SeenBefore
    );
    assert_eq!(it.one.queue().await.unwrap(), (1, 0));
}

#[tokio::test]
async fn a_write_that_cannot_be_done_says_what_to_do_and_leaves_nothing() {
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
        // The last statement of the write fails, as on a disk that fills up in the middle of it.
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

/// A worker that was stopped in the middle of a write holds its row; the others say so instead of waiting for ever.
#[tokio::test]
async fn a_write_does_not_wait_for_ever_for_one_that_was_paused() {
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
    it.two.keep(&delivery("a"), NOW).await.unwrap();
    paused.close().await.unwrap();
    it.two.add(run, &lease, &Fact::Finished, NOW).await.unwrap();
}

#[tokio::test]
async fn what_was_acknowledged_is_on_the_servers_disk_whatever_its_defaults() {
    let Some(cluster) = cluster::shared() else {
        return;
    };
    cluster.tell("postgres", "CREATE DATABASE hasty").await;
    for setting in [
        "synchronous_commit = off",
        "default_transaction_isolation = 'serializable'",
    ] {
        let careless = format!("ALTER DATABASE hasty SET {setting}");
        cluster.tell("postgres", &careless).await;
    }
    let journal = opened(&cluster.url("hasty")).await;
    journal.keep(&delivery("a"), NOW).await.unwrap();
    let trap = "CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            NEW.body := current_setting('synchronous_commit') || ', ' || current_setting('transaction_isolation');
            RETURN NEW; END $$;
        CREATE TRIGGER seen BEFORE INSERT ON delivery FOR EACH ROW EXECUTE FUNCTION seen()";
    cluster.tell("hasty", trap).await;
    journal
        .settle("a", &journal::Settled::Done, NOW)
        .await
        .unwrap();
    journal.keep(&delivery("b"), NOW).await.unwrap();
    let seen = taken_up(&journal).await.unwrap().unwrap();
    assert_eq!(seen.delivery.body, "on, read committed");
    journal.check().await.unwrap();
}
