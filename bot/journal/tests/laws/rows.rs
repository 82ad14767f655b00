//! Rows that every past version wrote can be read. A change of `Fact` that breaks this needs a new format, and a reader
//! for the old one.

use journal::{Journal, JournalError, Kept, Room, RunId, Standing};
use plan::gate::GateName;
use plan::run::Fact;
use plan::step::StepId;
use sqlx::Connection as _;

use crate::{NOW, Store, began, cluster, delivery, heard, later, new_run, taken, taken_up};

/// Facts as format 1 wrote them, one of each kind at least, in the order of [`every_fact`].
const FACTS_1: &str = include_str!("../rows/fact-1.json");
/// A whole store as migration 1 left it, with something of everything in it.
const STORE_1: &str = include_str!("../rows/store-1.sql");
/// What the planebot of migration 2 wrote, and the migrations it had.
const ROWS_2: &str = include_str!("../rows/rows-2.sql");
const MIGRATIONS_2: [(i64, &str, &str); 2] = [
    (1, "first", include_str!("../../migrations/0001_first.sql")),
    (
        2,
        "claims and indexes",
        include_str!("../../migrations/0002_claims_and_indexes.sql"),
    ),
];

#[test]
fn facts_of_format_1_are_read() {
    let rows: Vec<serde_json::Value> = serde_json::from_str(FACTS_1).unwrap();
    let facts = every_fact();
    assert_eq!(rows.len(), facts.len());
    let kinds: std::collections::BTreeSet<u8> = facts.iter().map(kind).collect();
    assert_eq!(kinds, (0..16).collect(), "a fixture for each kind of fact");
}

#[tokio::test]
async fn what_is_written_today_is_format_1_and_reads_as_it_did() {
    let it = Store::on_a_file().await;
    let lease = taken(&it.one, "s").await;
    let run = it.one.begin(&new_run("s"), &began(), NOW).await.unwrap();
    for fact in &every_fact()[1..] {
        it.one.add(run, &lease, fact, NOW).await.unwrap();
    }
    let mut raw = it.raw().await;
    let written: Vec<(String,)> =
        sqlx::query_as("SELECT record FROM fact WHERE run = $1 ORDER BY place")
            .bind(run.0)
            .fetch_all(&mut raw)
            .await
            .unwrap();
    let old: Vec<serde_json::Value> = serde_json::from_str(FACTS_1).unwrap();
    for ((new,), old) in written.iter().zip(&old) {
        assert_eq!(*new, old.to_string());
    }
    // And the old rows, word for word, are read as what they meant.
    for (place, row) in old.iter().enumerate() {
        sqlx::query("UPDATE fact SET record = $1 WHERE run = $2 AND place = $3")
            .bind(row.to_string())
            .bind(run.0)
            .bind(i64::try_from(place).unwrap() + 1)
            .execute(&mut raw)
            .await
            .unwrap();
    }
    assert_eq!(facts(&it.one, run).await, every_fact());
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_named_and_nothing_is_guessed() {
    let it = Store::on_a_file().await;
    let run = it.one.begin(&new_run("s"), &began(), NOW).await.unwrap();
    let mut raw = it.raw().await;
    for (record, wanted) in [
        (
            r#"{"v":2,"news":"later"}"#,
            "a row of `fact` has the format 2, which this planebot does not know; use the one that wrote it",
        ),
        (
            r#"{"v":1,"fact":{"be"#,
            "a row of `fact` cannot be read: EOF while parsing a string at line 1 column 18",
        ),
    ] {
        sqlx::query("UPDATE fact SET record = $1")
            .bind(record)
            .execute(&mut raw)
            .await
            .unwrap();
        let error = it.one.facts(run).await.unwrap_err();
        assert_eq!(error.to_string(), wanted);
        assert!(it.one.check().await.is_err());
    }
    sqlx::raw_sql("PRAGMA foreign_keys = OFF; INSERT INTO fact VALUES (99, 1, 1, '{}')")
        .execute(&mut raw)
        .await
        .unwrap();
    assert!(matches!(
        it.one.check().await,
        Err(JournalError::Damaged(found)) if found == ["1 facts belong to no run"]
    ));
}

#[tokio::test]
async fn a_store_of_migration_1_is_brought_up_to_date_and_keeps_its_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    sqlx::any::install_default_drivers();
    let mut raw = sqlx::AnyConnection::connect(&format!("sqlite://{}?mode=rwc", path.display()))
        .await
        .unwrap();
    sqlx::raw_sql(STORE_1).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();

    let journal = Journal::open(&format!("sqlite://{}", path.display()))
        .await
        .unwrap();
    journal.check().await.unwrap();
    let kept = journal.keep(&delivery("a"), NOW).await.unwrap();
    assert_eq!(kept, Kept::SeenBefore);
    assert_eq!(journal.queue().await.unwrap(), (1, 1));
    let waiting = taken_up(&journal).await.unwrap().unwrap();
    assert_eq!((waiting.delivery.id.as_str(), waiting.attempts), ("c", 2));
    assert!(!journal.hear(&heard(7, "c"), NOW).await.unwrap());
    let open = journal.open_runs().await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].new, new_run("s"));
    let of_it = facts(&journal, open[0].id).await;
    assert_eq!(of_it, [began(), Fact::Intended(StepId(1))]);
    let lease = journal.take("s", "w1", 1000, NOW).await.unwrap().unwrap();
    assert_eq!(lease.epoch, 3);
    let owed = journal
        .next_reply(later(0), Room::All)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((owed.reply.key.as_str(), owed.remote), ("plan/1", Some(77)));
    let pull = journal.pull("o/r", 1).await.unwrap().unwrap();
    assert_eq!(pull.stage, "merged");
    assert_eq!(journal.cursor("comments").await.unwrap().unwrap(), "9");
}

/// A store as the planebot of migration 2 left it.
async fn of_migration_2(url: &str) {
    sqlx::any::install_default_drivers();
    let mut raw = sqlx::AnyConnection::connect(url).await.unwrap();
    let all = MIGRATIONS_2.map(|(version, name, sql)| {
        sqlx::migrate::Migration::new(
            version,
            name.into(),
            sqlx::migrate::MigrationType::Simple,
            sqlx::SqlStr::from_static(sql),
            false,
        )
    });
    let migrator = sqlx::migrate::Migrator {
        migrations: all.to_vec().into(),
        locking: false,
        ..sqlx::migrate::Migrator::DEFAULT
    };
    migrator.run(&mut raw).await.unwrap();
    sqlx::raw_sql(ROWS_2).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
}

async fn keeps_its_memory(url: &str) {
    of_migration_2(url).await;
    let address = journal::Address::parse(url.trim_end_matches("?mode=rwc")).unwrap();
    let older = Standing::Older { has: 2, known: 3 };
    assert_eq!(Standing::of(&address).await.unwrap(), older);
    assert_eq!(Standing::of(&address).await.unwrap(), older, "only looked");
    let journal = Journal::open_at(&address)
        .await
        .unwrap()
        .by_the_passed_in_time();
    assert_eq!(Standing::of(&address).await.unwrap(), Standing::Current);
    journal.check().await.unwrap();
    let kept = journal.keep(&delivery("a"), NOW).await.unwrap();
    assert_eq!(kept, Kept::SeenBefore);
    assert_eq!(journal.queue().await.unwrap(), (2, 1));
    assert_eq!(journal.parked(9).await.unwrap()[0].id, "b");
    let waiting = taken_up(&journal).await.unwrap().unwrap();
    assert_eq!((waiting.delivery.id.as_str(), waiting.attempts), ("c", 2));
    assert!(journal.hear(&heard(7, "a"), NOW).await.unwrap());
    assert!(!journal.hear(&heard(7, "c"), NOW).await.unwrap());
    let open = journal.open_runs().await.unwrap();
    assert_eq!((open.len(), &open[0].new), (1, &new_run("s")));
    let of_it = facts(&journal, open[0].id).await;
    assert_eq!(of_it, [began(), Fact::Intended(StepId(1))]);
    let owed = journal.next_reply(NOW, Room::All).await.unwrap().unwrap();
    assert_eq!(owed.reply.key, "check/1");
    assert_eq!(journal.replies().await.unwrap(), (2, 0));
    assert_eq!(journal.made_since(NOW).await.unwrap().count, 1);
    let pull = journal.pull("o/r", 1).await.unwrap().unwrap();
    assert_eq!(pull.stage, "merged");
    let lease = journal.take("s", "w1", 1000, NOW).await.unwrap().unwrap();
    assert_eq!(lease.epoch, 3);
}

#[tokio::test]
async fn a_store_of_migration_2_is_brought_up_to_date_and_keeps_its_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    keeps_its_memory(&format!("sqlite://{}?mode=rwc", path.display())).await;
    if let Some(cluster) = cluster::shared() {
        keeps_its_memory(&cluster.database().await).await;
    }
}

#[tokio::test]
async fn an_older_database_that_this_user_may_not_change_is_refused_and_left_as_it_is() {
    let Some(cluster) = cluster::shared() else {
        return;
    };
    let url = cluster.database().await;
    of_migration_2(&url).await;
    cluster
        .tell("postgres", "CREATE ROLE heir LOGIN PASSWORD 'hunter2'")
        .await;
    let rights =
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO heir; GRANT CREATE ON SCHEMA public TO heir";
    cluster.tell(url.rsplit('/').next().unwrap(), rights).await;
    let said = Journal::open(&url.replace("boss:", "heir:"))
        .await
        .unwrap_err()
        .to_string();
    assert!(said.contains("must be owner of table"), "{said}");
    assert!(said.contains("make it the owner of the tables"), "{said}");
    let address = journal::Address::parse(&url).unwrap();
    let older = Standing::Older { has: 2, known: 3 };
    assert_eq!(Standing::of(&address).await.unwrap(), older);
}

async fn facts(journal: &Journal, run: RunId) -> Vec<Fact> {
    let noted = journal.facts(run).await.unwrap();
    noted.into_iter().map(|noted| noted.fact).collect()
}

/// A new kind of fact does not compile here, and so gets its row.
fn kind(fact: &Fact) -> u8 {
    match fact {
        Fact::Began { .. } => 0,
        Fact::Intended(_) => 1,
        Fact::Done { .. } => 2,
        Fact::Refused { .. } => 3,
        Fact::Unknown { .. } => 4,
        Fact::Foreign { .. } => 5,
        Fact::Blind { .. } => 6,
        Fact::Asked(_) => 7,
        Fact::Claimed { .. } => 8,
        Fact::NotYet { .. } => 9,
        Fact::Opened(_) => 10,
        Fact::Verified { .. } => 11,
        Fact::Stopped { .. } => 12,
        Fact::Resumed { .. } => 13,
        Fact::Aborted { .. } => 14,
        Fact::Finished => 15,
    }
}

/// Every kind of fact, its optional parts there and not.
pub(crate) fn every_fact() -> Vec<Fact> {
    let alice = || "alice".to_owned();
    let done = |id, already| Fact::Done {
        step: StepId(1),
        id,
        already,
    };
    let claimed = |evidence| Fact::Claimed {
        gate: GateName::Jumphost,
        by: alice(),
        evidence,
    };
    let verified = |round, drift| Fact::Verified { round, drift };
    vec![
        began(),
        Fact::Intended(StepId(1)),
        done(Some(9_007_199_254_740_993), false),
        done(None, true),
        Fact::Refused {
            step: StepId(2),
            why: "409: \"in use\"\nby 10.0.0.1".to_owned(),
        },
        Fact::Unknown {
            step: StepId(3),
            why: "no answer in 60 s".to_owned(),
        },
        Fact::Foreign {
            step: StepId(4),
            found: "`10.0.0.0/24` on `fabric-ü`".to_owned(),
        },
        Fact::Blind {
            why: "GET subnets/: 502".to_owned(),
        },
        Fact::Asked(GateName::Teardown),
        claimed(None),
        claimed(Some("br0 moved".to_owned())),
        Fact::NotYet {
            gate: GateName::Vacate,
            missing: vec!["rack-1 holds 10.0.0.2".to_owned()],
        },
        Fact::Opened(GateName::Vacate),
        verified(1, vec!["`storage` has MTU 1500".to_owned()]),
        verified(3, vec![]),
        Fact::Stopped {
            why: "step 2 was refused".to_owned(),
        },
        Fact::Resumed { by: alice() },
        Fact::Aborted { by: alice() },
        Fact::Finished,
    ]
}
