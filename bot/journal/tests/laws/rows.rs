//! Rows that every past version wrote can be read. A change of `Fact` or of the outbox's payloads that breaks this needs a
//! new format, and a reader for the old one.

use journal::{
    AnnotationLevel, AnnotationPayload, CheckConclusion, CheckPayload, CheckState, HistoryPayload,
    Journal, JournalError, OutboxMessage, OutboxPayload, RateTier, ReactionContent, RunId,
    SchemaState, Stored,
};
use plan::gate::GateName;
use plan::run::Fact;
use plan::step::StepId;
use sqlx::Connection as _;

use crate::{NOW, Store, began, comment, delivery, later, new_run, started, taken};

/// Facts as format 1 wrote them, at least one of each kind, in the order of [`every_fact`].
const FACTS_1: &str = include_str!("../rows/fact-1.json");
/// Outbox rows as format 1 wrote them, in the order of [`every_payload`]. Never edited.
const OUTBOX_1: &str = include_str!("../rows/outbox-1.json");
/// A complete store of migration 1, with rows of every kind.
const STORE_1: &str = include_str!("../rows/store-1.sql");
/// Rows that the planebot of migration 2 wrote, and its migrations.
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
async fn facts_are_written_in_format_1_and_read_back_equal() {
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
    // The old rows, word for word, are read as the same facts.
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
async fn a_fact_that_cannot_be_read_is_reported() {
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
async fn a_store_of_migration_1_is_migrated_and_loses_nothing() {
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
    let stored = journal.store_delivery(&delivery("a"), NOW).await.unwrap();
    assert_eq!(stored, Stored::Duplicate);
    assert_eq!(journal.queue_depth().await.unwrap(), (1, 1));
    let waiting = started(&journal).await.unwrap().unwrap();
    assert_eq!((waiting.delivery.id.as_str(), waiting.attempts), ("c", 2));
    assert!(!journal.claim_comment(&comment(7, "c"), NOW).await.unwrap());
    let open = journal.open_runs().await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].new, new_run("s"));
    let of_it = facts(&journal, open[0].id).await;
    assert_eq!(of_it, [began(), Fact::Intended(StepId(1))]);
    let lease = journal.take("s", "w1", 1000, NOW).await.unwrap().unwrap();
    assert_eq!(lease.epoch, 3);
    let pending = journal
        .next_message(later(0), RateTier::All)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((pending.key.as_str(), pending.remote), ("plan/1", Some(77)));
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

async fn loses_nothing(url: &str) {
    of_migration_2(url).await;
    let address = journal::StoreAddress::parse(url.trim_end_matches("?mode=rwc")).unwrap();
    let older = SchemaState::Older { has: 2, known: 4 };
    assert_eq!(SchemaState::of(&address).await.unwrap(), older);
    assert_eq!(
        SchemaState::of(&address).await.unwrap(),
        older,
        "nothing was migrated"
    );
    let journal = Journal::open_at(&address)
        .await
        .unwrap()
        .with_caller_clock();
    assert_eq!(
        SchemaState::of(&address).await.unwrap(),
        SchemaState::Current
    );
    journal.check().await.unwrap();
    let stored = journal.store_delivery(&delivery("a"), NOW).await.unwrap();
    assert_eq!(stored, Stored::Duplicate);
    assert_eq!(journal.queue_depth().await.unwrap(), (2, 1));
    assert_eq!(journal.dead_letters(9).await.unwrap()[0].id, "b");
    let waiting = started(&journal).await.unwrap().unwrap();
    assert_eq!((waiting.delivery.id.as_str(), waiting.attempts), ("c", 2));
    assert!(journal.claim_comment(&comment(7, "a"), NOW).await.unwrap());
    assert!(!journal.claim_comment(&comment(7, "c"), NOW).await.unwrap());
    let open = journal.open_runs().await.unwrap();
    assert_eq!((open.len(), &open[0].new), (1, &new_run("s")));
    let of_it = facts(&journal, open[0].id).await;
    assert_eq!(of_it, [began(), Fact::Intended(StepId(1))]);
    let pending = journal
        .next_message(NOW, RateTier::All)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(pending.key, "check/1");
    assert_eq!(journal.outbox_depth().await.unwrap(), (2, 0));
    assert_eq!(journal.created_since(NOW).await.unwrap().count, 1);
    let pull = journal.pull("o/r", 1).await.unwrap().unwrap();
    assert_eq!(pull.stage, "merged");
    let lease = journal.take("s", "w1", 1000, NOW).await.unwrap().unwrap();
    assert_eq!(lease.epoch, 3);
}

#[tokio::test]
async fn a_store_of_migration_2_is_migrated_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    loses_nothing(&format!("sqlite://{}?mode=rwc", path.display())).await;
    if let Some(cluster) = support_postgres::shared() {
        loses_nothing(&cluster.database().await).await;
    }
}

#[tokio::test]
async fn an_older_database_that_this_user_cannot_migrate_is_refused_and_unchanged() {
    let Some(cluster) = support_postgres::shared() else {
        return;
    };
    let url = cluster.database().await;
    of_migration_2(&url).await;
    cluster
        .execute("postgres", "CREATE ROLE heir LOGIN PASSWORD 'hunter2'")
        .await;
    let rights =
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO heir; GRANT CREATE ON SCHEMA public TO heir";
    cluster
        .execute(url.rsplit('/').next().unwrap(), rights)
        .await;
    let error = Journal::open(&url.replace("boss:", "heir:"))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("must be owner of table"), "{error}");
    assert!(error.contains("make it the owner of the tables"), "{error}");
    let address = journal::StoreAddress::parse(&url).unwrap();
    let older = SchemaState::Older { has: 2, known: 4 };
    assert_eq!(SchemaState::of(&address).await.unwrap(), older);
}

async fn facts(journal: &Journal, run: RunId) -> Vec<Fact> {
    let noted = journal.facts(run).await.unwrap();
    noted.into_iter().map(|noted| noted.fact).collect()
}

/// A new kind of fact fails to compile here until it has a number, and then needs a row above.
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

/// Every kind of fact, with and without its optional parts.
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
    let verified = |round, drift| Fact::Verified {
        round,
        drift,
        waits: Vec::new(),
    };
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

/// A row of the outbox: its columns as text.
#[derive(serde::Deserialize)]
pub(crate) struct OutboxRow {
    pub(crate) kind: String,
    pub(crate) body: String,
}

/// Rows of format 1, and what they mean.
pub(crate) fn outbox_1() -> Vec<(OutboxRow, OutboxPayload)> {
    let rows: Vec<OutboxRow> = serde_json::from_str(OUTBOX_1).unwrap();
    let payloads = every_payload();
    assert_eq!(rows.len(), payloads.len());
    rows.into_iter().zip(payloads).collect()
}

#[test]
fn each_kind_of_payload_has_a_row() {
    let kinds: std::collections::BTreeSet<u8> = every_payload().iter().map(payload_kind).collect();
    assert_eq!(kinds, (0..11).collect());
    let levels: std::collections::BTreeSet<u8> = every_payload()
        .iter()
        .flat_map(annotations)
        .map(|annotation| level(annotation.level))
        .collect();
    assert_eq!(levels, (0..2).collect());
}

#[tokio::test]
async fn payloads_are_written_in_format_1_and_its_rows_read_back_equal() {
    let it = Store::on_a_file().await;
    let mut raw = it.raw().await;
    for (place, (row, payload)) in outbox_1().into_iter().enumerate() {
        let key = format!("row/{place}");
        let message = OutboxMessage {
            key: key.clone(),
            repository: "o/r".to_owned(),
            target: None,
            payload: payload.clone(),
        };
        it.one.enqueue(&message, NOW).await.unwrap();
        let written: (String, String) =
            sqlx::query_as("SELECT kind, body FROM reply WHERE key = $1")
                .bind(&key)
                .fetch_one(&mut raw)
                .await
                .unwrap();
        assert_eq!(written, (row.kind, row.body));
        let read = it.one.message(&key).await.unwrap().unwrap();
        assert_eq!(read.payload, Ok(payload));
    }
}

/// What another program may write without changing the meaning: other spaces, fields that are not known, an explicit format.
#[tokio::test]
async fn a_check_of_format_1_is_read_however_it_is_spelled_and_sent_once() {
    let it = Store::on_a_file().await;
    let message = OutboxMessage {
        key: "check".to_owned(),
        repository: "o/r".to_owned(),
        target: None,
        payload: check("planebot/apply", CheckState::InProgress, "applying", vec![]),
    };
    it.one.enqueue(&message, NOW).await.unwrap();
    sqlx::query("UPDATE reply SET body = $1")
        .bind(format!(
            r#"{{ "format": 1, "status": "in_progress", "head_sha": "{HEAD}", "name": "planebot/apply", "title": "applying",
                 "summary": "{SUMMARY}", "annotations": [], "later": true }}"#
        ))
        .execute(&mut it.raw().await)
        .await
        .unwrap();
    let pending = it.one.next_message(NOW, RateTier::All).await.unwrap();
    let pending = pending.unwrap();
    assert_eq!(pending.payload, Ok(message.payload));
    it.one
        .mark_sent(&pending, crate::created(1), NOW, NOW)
        .await
        .unwrap();
    let next = it.one.next_message(NOW, RateTier::All).await.unwrap();
    assert_eq!(next, None);
}

fn annotations(payload: &OutboxPayload) -> Vec<AnnotationPayload> {
    match payload {
        OutboxPayload::Check(check) => check.annotations.clone(),
        OutboxPayload::Comment { .. } | OutboxPayload::Reaction(_) | OutboxPayload::History(_) => {
            Vec::new()
        }
    }
}

fn level(level: AnnotationLevel) -> u8 {
    match level {
        AnnotationLevel::Failure => 0,
        AnnotationLevel::Warning => 1,
    }
}

/// A new payload fails to compile here until it has a number, and then needs a row above.
fn payload_kind(payload: &OutboxPayload) -> u8 {
    match payload {
        OutboxPayload::Comment { .. } => 0,
        OutboxPayload::Reaction(ReactionContent::Eyes) => 1,
        OutboxPayload::Reaction(ReactionContent::Rocket) => 2,
        OutboxPayload::Reaction(ReactionContent::Confused) => 3,
        OutboxPayload::Check(check) => match check.state {
            CheckState::InProgress => 4,
            CheckState::Completed(CheckConclusion::Success) => 5,
            CheckState::Completed(CheckConclusion::Failure) => 6,
            CheckState::Completed(CheckConclusion::Neutral) => 7,
            CheckState::Completed(CheckConclusion::ActionRequired) => 8,
            CheckState::Completed(CheckConclusion::Cancelled) => 9,
        },
        OutboxPayload::History(_) => 10,
    }
}

const HEAD: &str = "8d1b6f0c5a3e47299b1c0d4e5f6a7b8c9d0e1f2a";
const SUMMARY: &str = "See the pull request's conversation.";

fn check(
    name: &str,
    state: CheckState,
    title: &str,
    annotations: Vec<AnnotationPayload>,
) -> OutboxPayload {
    let summary = match name {
        "planebot/plan" => "The plan is in the pull request's conversation.",
        _ => SUMMARY,
    };
    OutboxPayload::Check(CheckPayload {
        name: name.to_owned(),
        head_sha: HEAD.to_owned(),
        state,
        title: title.to_owned(),
        summary: summary.to_owned(),
        annotations,
    })
}

/// Every kind of payload, with and without its optional parts.
fn every_payload() -> Vec<OutboxPayload> {
    let comment = |text: &str| OutboxPayload::Comment {
        text: text.to_owned(),
    };
    let annotation = |level, line, title: &str| AnnotationPayload {
        path: "topology/prod/planes.yaml".to_owned(),
        start_line: line,
        end_line: line,
        level,
        title: title.to_owned(),
        message: "`10.0.0.128/25` holds \"ceph-mon\"\nshrink to `/26`".to_owned(),
    };
    let remarks = vec![
        annotation(AnnotationLevel::Failure, 12, "overlap/reserved"),
        annotation(AnnotationLevel::Warning, 1, "style/order"),
    ];
    let (plan, apply) = ("planebot/plan", "planebot/apply");
    let ended = CheckState::Completed;
    let changes = "3 changes, 1 gates, plan 7f3a-91c2";
    let history = "history/prod/2026-11-23T140211Z-pr12-7f3a-91c2/plan.md";
    let files = [
        ("observed/prod/planes.yaml", "planes: []\n"),
        (history, "# \"Plan\"\n"),
    ];
    vec![
        comment(
            "### Plan `7f3a-91c2`\n\n| step | \"object\" |\n|---|---|\n| 1 | `10.0.0.0/24` on `fabric-ü` 🦀 |\n",
        ),
        // A comment is never taken for JSON.
        comment("{\"format\":2}"),
        OutboxPayload::Reaction(ReactionContent::Eyes),
        OutboxPayload::Reaction(ReactionContent::Rocket),
        OutboxPayload::Reaction(ReactionContent::Confused),
        check(plan, ended(CheckConclusion::Success), changes, vec![]),
        check(plan, ended(CheckConclusion::Failure), "2 findings", remarks),
        check(apply, CheckState::InProgress, "applying", vec![]),
        check(
            apply,
            ended(CheckConclusion::Success),
            "applied, proved twice",
            vec![],
        ),
        check(
            apply,
            ended(CheckConclusion::Neutral),
            "carried out by #13",
            vec![],
        ),
        check(
            apply,
            ended(CheckConclusion::ActionRequired),
            "stopped",
            vec![],
        ),
        check(apply, ended(CheckConclusion::Cancelled), "aborted", vec![]),
        OutboxPayload::History(HistoryPayload {
            message: "prod: #12 applied\n\nPlan 7f3a-91c2, ordered by alice.\n".to_owned(),
            files: files
                .map(|(path, text)| (path.to_owned(), text.to_owned()))
                .into(),
            whole: vec!["observed/prod".to_owned()],
        }),
    ]
}
