//! What any journal must promise, held on SQLite, in a file and in memory, and on PostgreSQL; and what only a real store
//! can break: power, kills, old rows, stores that cannot be used.
#![expect(clippy::unwrap_used, reason = "tests")]

mod cluster;
mod compaction;
mod deliveries;
mod killed;
mod leases;
mod opening;
mod power;
mod pulls;
mod replicas;
mod replies;
mod rolling;
mod rows;
mod runs;

use journal::{
    Delivery, Heard, Journal, JournalError, Lanes, Lease, NewRun, Posted, Reply, ReplyKind,
    StoredDelivery,
};
use plan::run::Fact;
use sqlx::Connection as _;
use topology::observed::Timestamp;

/// Some time.
const NOW: Timestamp = Timestamp(1_000_000);

/// A store, freshly opened by two workers.
struct Store {
    one: Journal,
    two: Journal,
    /// Its address, when another process can find it.
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

    /// None where no PostgreSQL is installed.
    async fn on_postgres() -> Option<Self> {
        let url = cluster::shared()?.database().await;
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

    /// The store as the next process finds it.
    async fn again(&self) -> Journal {
        match &self.url {
            Some(url) => opened(url).await,
            None => self.one.clone(),
        }
    }

    /// A connection beside the journal's.
    async fn raw(&self) -> sqlx::AnyConnection {
        let url = self.url.as_ref().unwrap();
        sqlx::AnyConnection::connect(url).await.unwrap()
    }
}

/// The laws' time stands still unless they say otherwise.
async fn opened(url: &str) -> Journal {
    Journal::open(url).await.unwrap().by_the_passed_in_time()
}

/// Runs each law on a store of each kind.
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
        what_tries_a_store_out_leaves_nothing_behind;
    deliveries:
        a_delivery_is_kept_once_and_settled_once_in_order
        of_many_who_keep_the_same_delivery_one_finds_it_new
        a_delivery_that_was_not_settled_comes_back_and_says_how_often
        a_delivery_that_failed_waits_for_its_time_and_others_go_on
        order_is_kept_in_a_pull_request_and_on_a_branch_and_nowhere_else
        a_parked_delivery_frees_its_lane_and_comes_back_in_its_old_place
        a_comment_is_claimed_by_one_delivery
        a_delivery_reads_back_as_it_was_received;
    runs:
        facts_are_read_back_in_order_also_after_opening_again
        every_kind_of_fact_reads_back_equal
        a_site_has_one_run_at_a_time
        of_two_orders_in_the_same_second_one_begins
        a_run_that_is_over_stays_over
        two_workers_adding_at_once_lose_no_fact
        a_call_that_is_given_up_leaves_nothing_half_done;
    leases:
        of_two_takers_one_gets_the_lease
        a_worker_that_lost_its_lease_adds_nothing
        a_lease_that_was_given_back_writes_nothing_more
        a_lease_of_one_site_writes_to_no_other
        a_lease_is_renewed_by_who_holds_it
        the_epoch_never_goes_back
        a_replica_that_lost_the_queue_writes_nothing_more
        each_delivery_is_settled_once_and_in_order_whoever_works;
    replies:
        a_reply_is_said_once_and_a_newer_body_is_an_edit
        a_reply_that_failed_waits_and_lets_others_pass
        checks_come_before_reactions_and_those_before_words
        where_there_is_no_room_what_is_there_is_still_edited
        what_was_made_is_counted_over_restarts_and_edits_are_not
        a_reply_that_is_given_up_is_shown_and_comes_back_with_other_words;
    pulls:
        a_pull_request_has_one_row
        merged_changes_wait_in_the_order_of_their_merges
        a_pull_request_that_nobody_writes_to_is_idle
        a_bookmark_moves;
    rolling:
        two_versions_work_side_by_side;
    compaction:
        what_is_over_goes_and_nothing_else
        a_command_stays_claimed_after_its_delivery_is_gone
        a_whole_store_is_found_whole;
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

fn heard(comment: i64, delivery: &str) -> Heard {
    Heard {
        repository: "o/r".to_owned(),
        comment,
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
    }
}

fn began() -> Fact {
    Fact::Began {
        by: "alice".to_owned(),
    }
}

fn reply(key: &str, body: &str) -> Reply {
    Reply {
        key: key.to_owned(),
        repository: "o/r".to_owned(),
        kind: ReplyKind::Comment,
        target: Some(1),
        body: body.to_owned(),
    }
}

async fn taken(journal: &Journal, site: &str) -> Lease {
    journal.take(site, "w1", 1000, NOW).await.unwrap().unwrap()
}

/// Takes up what is next, which is in nobody's lane.
async fn taken_up(journal: &Journal) -> Result<Option<StoredDelivery>, JournalError> {
    let next = journal.next_delivery(NOW).await?;
    if let Some(next) = &next {
        let taken = journal.take_up(&next.delivery.id, &Lanes::default()).await;
        assert!(taken?, "nothing holds it");
    }
    Ok(next)
}

/// A comment that GitHub made.
fn made(remote: i64) -> Posted {
    Posted {
        remote: Some(remote),
        made: true,
    }
}

/// Something that was there, changed.
fn edited() -> Posted {
    Posted {
        remote: None,
        made: false,
    }
}
