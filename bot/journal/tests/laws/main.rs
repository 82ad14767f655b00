//! The journal's guarantees, each tested on SQLite in a file, SQLite in memory, and PostgreSQL; and what needs a real store:
//! power cuts, killed processes, rows of older versions, stores that cannot be used.
#![expect(clippy::unwrap_used, reason = "tests")]

mod deliveries;
mod killed;
mod leases;
mod opening;
mod outbox;
mod power;
mod pulls;
mod replicas;
mod retention;
mod rolling;
mod rows;
mod runs;

use journal::{
    CheckConclusion, CheckPayload, CheckState, Delivery, HandledComment, HistoryPayload, Journal,
    JournalError, Lanes, Lease, NewRun, OutboxKind, OutboxMessage, OutboxPayload, PendingMessage,
    ReactionContent, Sent, StoredDelivery,
};
use plan::run::Fact;
use sqlx::Connection as _;
use topology::observed::Timestamp;

const NOW: Timestamp = Timestamp(1_000_000);

/// A new store, opened twice.
struct Store {
    one: Journal,
    two: Journal,
    /// Its address, unless it is in memory.
    url: Option<String>,
    _folder: Option<tempfile::TempDir>,
}

impl Store {
    async fn on_a_file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("journal.db").display());
        Self {
            one: Journal::open(&url).await.unwrap(),
            two: Journal::open(&url).await.unwrap(),
            url: Some(url),
            _folder: Some(folder),
        }
    }

    /// `None` where PostgreSQL is not installed.
    async fn on_postgres() -> Option<Self> {
        let url = support_postgres::shared()?.database().await;
        Some(Self {
            one: opened(&url).await,
            two: opened(&url).await,
            url: Some(url),
            _folder: None,
        })
    }

    async fn in_memory() -> Self {
        let one = Journal::open("sqlite::memory:").await.unwrap();
        Self {
            two: one.clone(),
            one,
            url: None,
            _folder: None,
        }
    }

    /// The store, opened once more.
    async fn again(&self) -> Journal {
        match &self.url {
            Some(url) => opened(url).await,
            None => self.one.clone(),
        }
    }

    /// A connection of its own, not the journal's.
    async fn raw(&self) -> sqlx::AnyConnection {
        let url = self.url.as_ref().unwrap();
        sqlx::AnyConnection::connect(url).await.unwrap()
    }
}

/// Leases expire by the times that the laws pass in.
async fn opened(url: &str) -> Journal {
    Journal::open(url).await.unwrap().with_caller_clock()
}

/// Tests each law on each kind of store.
macro_rules! laws {
    ($($part:ident: $($law:ident)*;)*) => {
        mod on_a_file { $($(
            #[tokio::test]
            async fn $law() { super::$part::$law(super::Store::on_a_file().await).await; }
        )*)* }
        mod on_postgres { $($(
            #[tokio::test]
            async fn $law() {
                if let Some(it) = super::Store::on_postgres().await {
                    super::$part::$law(it).await;
                }
            }
        )*)* }
        mod in_memory { $($(
            #[tokio::test]
            async fn $law() { super::$part::$law(super::Store::in_memory().await).await; }
        )*)* }
    };
}

laws! {
    opening:
        the_trial_write_leaves_nothing_behind;
    deliveries:
        a_delivery_is_stored_once_and_settled_once_in_order
        of_many_who_store_the_same_delivery_one_finds_it_new
        an_unsettled_delivery_is_next_again_with_its_attempts_counted
        a_deferred_delivery_waits_and_others_are_handled
        order_is_kept_within_a_pull_request_and_a_branch_and_nowhere_else
        a_dead_letter_unblocks_its_lane_and_is_retried_at_its_old_position
        a_comment_is_claimed_by_one_delivery
        a_delivery_reads_back_as_it_was_received;
    runs:
        facts_are_read_back_in_order_also_after_opening_again
        every_kind_of_fact_reads_back_equal
        a_site_has_one_run_at_a_time
        sites_of_one_maas_have_one_run_at_a_time
        of_two_orders_in_the_same_second_one_begins
        a_finished_run_stays_finished
        two_workers_adding_at_once_lose_no_fact
        a_cancelled_call_leaves_no_partial_write;
    leases:
        of_two_who_take_a_lease_one_gets_it
        a_worker_that_lost_its_lease_adds_nothing
        nothing_is_written_under_a_released_lease
        a_lease_of_one_site_permits_no_write_to_another
        a_lease_is_renewed_by_its_holder
        the_epoch_never_decreases
        a_replica_that_lost_the_queue_writes_nothing_more
        each_delivery_is_settled_once_and_in_order_by_either_replica;
    outbox:
        a_message_is_sent_once_and_a_newer_payload_is_an_edit
        a_message_that_failed_waits_and_others_are_sent
        checks_come_before_reactions_and_those_before_comments
        edits_are_sent_when_rate_limits_leave_no_room_for_more
        created_objects_are_counted_across_restarts_and_edits_are_not
        a_message_that_was_given_up_is_shown_and_pending_again_with_another_payload
        a_row_that_cannot_be_read_is_named_and_holds_up_nothing;
    pulls:
        a_pull_request_has_one_row
        merged_changes_wait_in_the_order_of_their_merges
        a_pull_request_that_is_not_written_to_is_idle
        a_cursor_is_overwritten;
    rolling:
        two_versions_share_a_store;
    retention:
        finished_work_is_deleted_and_nothing_else
        a_comment_stays_claimed_after_its_delivery_is_deleted
        an_intact_store_passes_the_check;
}

fn later(ms: i64) -> Timestamp {
    Timestamp(NOW.0 + ms)
}

fn delivery(id: &str) -> Delivery {
    Delivery {
        id: id.to_owned(),
        event: "push".to_owned(),
        body: r#"{"ref":"refs/heads/main"}"#.to_owned(),
    }
}

fn comment(id: i64, delivery: &str) -> HandledComment {
    HandledComment {
        repository: "o/r".to_owned(),
        comment: id,
        body_hash: "abc".to_owned(),
        delivery: delivery.to_owned(),
    }
}

fn new_run(site: &str) -> NewRun {
    NewRun {
        site: site.to_owned(),
        repository: "o/r".to_owned(),
        pull: Some(1),
        digest: "0000-0000".to_owned(),
        record: r#"{"steps":[]}"#.to_owned(),
        maas: Vec::new(),
    }
}

fn began() -> Fact {
    Fact::Began {
        by: "alice".to_owned(),
    }
}

/// A comment on a pull request.
fn message(key: &str, text: &str) -> OutboxMessage {
    OutboxMessage {
        key: key.to_owned(),
        repository: "o/r".to_owned(),
        target: Some(1),
        payload: OutboxPayload::Comment {
            text: text.to_owned(),
        },
    }
}

fn of_kind(key: &str, kind: OutboxKind) -> OutboxMessage {
    let payload = match kind {
        OutboxKind::Comment => return message(key, "x"),
        OutboxKind::Reaction => OutboxPayload::Reaction(ReactionContent::Eyes),
        OutboxKind::Check => OutboxPayload::Check(CheckPayload {
            name: "x".to_owned(),
            head_sha: "x".to_owned(),
            state: CheckState::Completed(CheckConclusion::Success),
            title: "x".to_owned(),
            summary: "x".to_owned(),
            annotations: Vec::new(),
        }),
        OutboxKind::History => OutboxPayload::History(HistoryPayload {
            message: "x".to_owned(),
            files: std::collections::BTreeMap::new(),
            whole: Vec::new(),
        }),
    };
    OutboxMessage {
        payload,
        ..message(key, "")
    }
}

/// The message as it was enqueued.
fn as_message(pending: &PendingMessage) -> OutboxMessage {
    OutboxMessage {
        key: pending.key.clone(),
        repository: pending.repository.clone(),
        target: pending.target,
        payload: pending.payload.clone().unwrap(),
    }
}

/// The text of a comment; of anything else, its debug form.
fn text_of(pending: &PendingMessage) -> String {
    match &pending.payload {
        Ok(OutboxPayload::Comment { text }) => text.clone(),
        other => format!("{other:?}"),
    }
}

async fn taken(journal: &Journal, site: &str) -> Lease {
    journal.take(site, "w1", 1000, NOW).await.unwrap().unwrap()
}

/// Starts the next delivery, which has no lanes.
async fn started(journal: &Journal) -> Result<Option<StoredDelivery>, JournalError> {
    let next = journal.next_delivery(NOW).await?;
    if let Some(next) = &next {
        let started = journal
            .start_delivery(&next.delivery.id, &Lanes::default())
            .await;
        assert!(started?, "nothing blocks it");
    }
    Ok(next)
}

/// GitHub created an object of that id.
fn created(remote: i64) -> Sent {
    Sent {
        remote: Some(remote),
        created: true,
    }
}

/// GitHub edited an existing object.
fn edited() -> Sent {
    Sent {
        remote: None,
        created: false,
    }
}
