//! Checks the store: whether it is usable and undamaged, what is in it, and what in it needs a person.

use journal::{FailedItem, HeldLease, Journal, JournalError, QUEUE, SchemaState, StoreAddress};
use plan::run::{Fact, Progress};
use service::config::Config;
use topology::observed::Timestamp;
use topology::port::Clock;

use crate::doctor::{Diagnosis, DiagnosisList, DiagnosisStatus, secret_error};
use crate::text::{ago, counted, duration};

/// How many items of each kind are listed; a person reads no more.
const ITEMS_MAX: i64 = 10;

/// How many characters of an error are shown.
const ERROR_CHARACTERS_MAX: usize = 160;

/// A larger difference between a replica's clock and the database's is a problem.
const CLOCK_OFFSET_MS_MAX: i64 = 60_000;

const RETRY: &str = "fix the cause, then run `planebot doctor --retry ID`; after `store.keep_days` days they are deleted";

pub(super) async fn examine(config: &Config, clock: &Clock) -> Vec<Diagnosis> {
    let mut list = DiagnosisList::new("store");
    let address = match config.store.address() {
        Ok(address) => address,
        Err(error) => {
            list.problem(secret_error(error), "check `store.password_file`");
            return list.diagnoses;
        }
    };
    if let Some(journal) = open(&mut list, &address).await
        && let Err(error) = examine_journal(&mut list, &journal, clock()).await
    {
        list.problem(
            error.to_string(),
            "fix the cause, then run the doctor again",
        );
    }
    list.diagnoses
}

/// The journal, where this version can use it.
async fn open(list: &mut DiagnosisList, address: &StoreAddress) -> Option<Journal> {
    match SchemaState::of(address).await {
        Ok(SchemaState::Current) => {}
        Ok(SchemaState::New) => {
            list.info(format!(
                "`{address}` does not exist yet: the first `planebot serve` creates it"
            ));
            return None;
        }
        Ok(SchemaState::Older { has, known }) => {
            list.info(format!(
                "`{address}` has {has} of {known} migrations: the next `planebot serve` of this version applies the rest; replicas of the previous version keep working"
            ));
            return None;
        }
        Err(error) => {
            open_error(list, &error);
            return None;
        }
    }
    match Journal::open_at(address).await {
        Ok(journal) => {
            list.ok(format!("`{address}` is reachable, writable and up to date"));
            Some(journal)
        }
        Err(error) => {
            open_error(list, &error);
            None
        }
    }
}

/// The text of every such error ends with `; ` and the remedy.
fn open_error(list: &mut DiagnosisList, error: &journal::OpenError) {
    let text = error.to_string();
    let (message, remedy) = text.rsplit_once("; ").unwrap_or((&text, "check `[store]`"));
    list.problem(message, remedy);
}

async fn examine_journal(
    list: &mut DiagnosisList,
    journal: &Journal,
    now: Timestamp,
) -> Result<(), JournalError> {
    let counts = journal.counts().await?;
    match journal.check().await {
        Ok(()) => list.ok(format!(
            "undamaged: {}, {} with {}, {}, {}, {}; {} KiB",
            counted(counts.pulls, "pull request"),
            counted(counts.runs, "run"),
            counted(counts.facts, "fact"),
            counted(counts.deliveries, "delivery"),
            counted(counts.messages, "message"),
            counted(counts.comments, "command"),
            counts.bytes / 1024,
        )),
        Err(error) => {
            list.problem(error.to_string(), "stop planebot, keep a copy of the store, and restore a backup: planebot finds later changes by reading MAAS and GitHub");
        }
    }
    let offset = now.0 - journal.lease_time(now).await?.0;
    if offset.abs() > CLOCK_OFFSET_MS_MAX {
        let message = format!(
            "this machine's clock differs from the database's by {}",
            duration(offset.abs())
        );
        list.problem(
            message,
            "synchronise both clocks, with `chronyd` for example",
        );
    }
    leases(list, &journal.held_leases(now).await?);
    queues(list, journal, now).await?;
    runs(list, journal, now).await
}

/// Which replica is the leader, and which may write to which MAAS.
fn leases(list: &mut DiagnosisList, held: &[HeldLease]) {
    for lease in held {
        let left = duration(lease.left);
        if lease.site == QUEUE {
            list.ok(format!(
                "`{}` is the leader (its lease lasts {left} more unless renewed)",
                lease.owner
            ));
        } else {
            list.info(format!(
                "`{}` may write to the MAAS of `{}` for {left} more",
                lease.owner, lease.site
            ));
        }
    }
    if !held.iter().any(|lease| lease.site == QUEUE) {
        list.info("no replica is the leader: no `planebot serve` runs on this store");
    }
}

/// What is queued, and what needs a person.
async fn queues(
    list: &mut DiagnosisList,
    journal: &Journal,
    now: Timestamp,
) -> Result<(), JournalError> {
    let (waiting, dead) = journal.queue_depth().await?;
    let (unsent, given_up) = journal.outbox_depth().await?;
    list.info(format!(
        "{} to process, {} to send",
        counted(waiting, "delivery"),
        counted(unsent, "message")
    ));
    let deferred = journal.deferred(ITEMS_MAX).await?;
    if !deferred.is_empty() {
        let diagnosis = list.push(
            DiagnosisStatus::Info,
            "failed, and will be retried automatically:",
        );
        let until = |it: &FailedItem| format!("in {}", duration(it.at.0 - now.0));
        diagnosis.details = deferred.iter().map(|it| line(it, &until(it))).collect();
    }
    if dead > 0 {
        let message = format!("{} failed too often:", counted(dead, "delivery"));
        let items = journal.dead_letters(ITEMS_MAX).await?;
        list.problem(message, RETRY).details = lines(&items, dead, now);
    }
    if given_up > 0 {
        let message = format!("GitHub rejected {}:", counted(given_up, "message"));
        let items = journal.given_up_messages(ITEMS_MAX).await?;
        list.problem(message, RETRY).details = lines(&items, given_up, now);
    }
    Ok(())
}

fn lines(items: &[FailedItem], all: i64, now: Timestamp) -> Vec<String> {
    let mut lines: Vec<String> = items.iter().map(|it| line(it, &ago(now, it.at))).collect();
    if all > ITEMS_MAX {
        lines.push(format!("and {} older ones", all - ITEMS_MAX));
    }
    lines
}

fn line(item: &FailedItem, when: &str) -> String {
    let error: String = item.why.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown: String = error.chars().take(ERROR_CHARACTERS_MAX).collect();
    if shown.len() < error.len() {
        shown.push('…');
    }
    format!("{}  {}, {when}: {shown}", item.id, item.about)
}

/// Unfinished runs, and what each waits for.
async fn runs(
    list: &mut DiagnosisList,
    journal: &Journal,
    now: Timestamp,
) -> Result<(), JournalError> {
    for run in journal.open_runs().await? {
        let facts = journal.facts(run.id).await?;
        let origin = match run.new.pull {
            Some(number) => format!("#{number}"),
            None => "a terminal".to_owned(),
        };
        let what = format!(
            "run {} of `{}` ({origin}, plan {})",
            run.id.0, run.new.site, run.new.digest
        );
        let since = facts.last().map_or(run.began, |noted| noted.at);
        if let Some(why) = Progress::of(&facts).stopped {
            list.problem(
                format!("{what} stopped {}: {why}", ago(now, since)),
                "fix the cause, then an operator comments `/apply` to resume the run, or `/abort` to end it",
            );
            continue;
        }
        let gate = facts.iter().rev().find_map(|noted| {
            if let Fact::Asked(gate) = &noted.fact {
                return Some(Ok(gate.word()));
            }
            if let Fact::Opened(_) = &noted.fact {
                return Some(Err(()));
            }
            None
        });
        list.info(match gate {
            Some(Ok(gate)) => format!("{what} waits at gate `{gate}`, asked {}", ago(now, since)),
            Some(Err(())) | None => format!("{what} is under way, last step {}", ago(now, since)),
        });
    }
    Ok(())
}
