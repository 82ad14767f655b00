//! The store: whether it can be used, whether it is whole, what is in it, and what in it waits for a person.

use journal::{FailedItem, HeldLease, Journal, JournalError, QUEUE, SchemaState, StoreAddress};
use plan::run::{Fact, Progress};
use topology::observed::Timestamp;

use crate::doctor::{Chart, Finding, Mark, ago, counted, spoken};
use service::config::Config;
use topology::port::Clock;

/// As many of each kind are shown as a person reads.
const SHOWN: i64 = 10;

/// As much is shown of why something failed.
const WHY_CHARACTERS_MAX: usize = 160;

/// A replica's clock may differ from the database's by that much before anybody need wonder.
const AHEAD_MS_MAX: i64 = 60_000;

const RETRY: &str = "mend what it says, then `planebot doctor --retry ID`; what is older than `store.keep_days` goes by itself";

pub(super) async fn examine(config: &Config, clock: &Clock) -> Vec<Finding> {
    let mut chart = Chart::of("store");
    let address = match config.store.address() {
        Ok(address) => address,
        Err(withheld) => {
            chart.wrong(crate::doctor::said(withheld), "see `store.password_file`");
            return chart.findings;
        }
    };
    if let Some(journal) = opened(&mut chart, &address).await
        && let Err(error) = look(&mut chart, &journal, clock()).await
    {
        chart.wrong(error.to_string(), "see what it says, and ask again");
    }
    chart.findings
}

/// The store, where it is this version's and can be used.
async fn opened(chart: &mut Chart, address: &StoreAddress) -> Option<Journal> {
    match SchemaState::of(address).await {
        Ok(SchemaState::Current) => {}
        Ok(SchemaState::New) => {
            chart.note(format!(
                "`{address}` is not made yet: the first `planebot serve` makes it"
            ));
            return None;
        }
        Ok(SchemaState::Older { has, known }) => {
            chart.note(format!(
                "`{address}` is an older version's, with {has} of {known} migrations: the next `planebot serve` brings it up to date; replicas of the version before go on meanwhile"
            ));
            return None;
        }
        Err(error) => {
            refused(chart, &error);
            return None;
        }
    }
    match Journal::open_at(address).await {
        Ok(journal) => {
            chart.good(format!(
                "`{address}` can be reached and written to, and is this version's"
            ));
            Some(journal)
        }
        Err(error) => {
            refused(chart, &error);
            None
        }
    }
}

/// Every reason ends with what to do.
fn refused(chart: &mut Chart, error: &journal::OpenError) {
    let whole = error.to_string();
    let (says, todo) = whole.rsplit_once("; ").unwrap_or((&whole, "see `[store]`"));
    chart.wrong(says, todo);
}

async fn look(chart: &mut Chart, journal: &Journal, now: Timestamp) -> Result<(), JournalError> {
    let counts = journal.counts().await?;
    match journal.check().await {
        Ok(()) => chart.good(format!(
            "whole: {}, {} with {}, {}, {}, {}; {} KiB",
            counted(counts.pulls, "pull request"),
            counted(counts.runs, "run"),
            counted(counts.facts, "fact"),
            counted(counts.deliveries, "delivery"),
            counted(counts.messages, "message"),
            counted(counts.comments, "command"),
            counts.bytes / 1024,
        )),
        Err(error) => {
            chart.wrong(error.to_string(), "stop planebot, keep a copy of the store, and restore a backup: what was done meanwhile is found by looking");
        }
    }
    let ahead = now.0 - journal.lease_time(now).await?.0;
    if ahead.abs() > AHEAD_MS_MAX {
        let says = format!(
            "this machine's clock is {} off the database's",
            spoken(ahead.abs())
        );
        chart.wrong(says, "see that both run `chronyd` or the like");
    }
    works(chart, &journal.held_leases(now).await?);
    queues(chart, journal, now).await?;
    runs(chart, journal, now).await
}

/// Who works, and who may write to which MAAS.
fn works(chart: &mut Chart, held: &[HeldLease]) {
    for lease in held {
        let left = spoken(lease.left);
        if lease.site == QUEUE {
            chart.good(format!(
                "`{}` works (for {left} more, then it asks again)",
                lease.owner
            ));
        } else {
            chart.note(format!(
                "`{}` may write to `{}` for {left} more",
                lease.owner, lease.site
            ));
        }
    }
    if !held.iter().any(|lease| lease.site == QUEUE) {
        chart.note("nobody works just now: no `planebot serve` runs on this store");
    }
}

/// What waits, and what waits for a person.
async fn queues(chart: &mut Chart, journal: &Journal, now: Timestamp) -> Result<(), JournalError> {
    let (waiting, parked) = journal.queue_depth().await?;
    let (owed, given_up) = journal.outbox_depth().await?;
    chart.note(format!(
        "{} to act on, {} to say",
        counted(waiting, "delivery"),
        counted(owed, "reply")
    ));
    let put_off = journal.deferred(SHOWN).await?;
    if !put_off.is_empty() {
        let finding = chart.add(Mark::Note, "failed, and tried again by itself:");
        let until = |it: &FailedItem| format!("in {}", spoken(it.at.0 - now.0));
        finding.lines = put_off.iter().map(|it| line(it, &until(it))).collect();
    }
    if parked > 0 {
        let says = format!("{} failed too often:", counted(parked, "delivery"));
        let stuck = journal.dead_letters(SHOWN).await?;
        chart.wrong(says, RETRY).lines = lines(&stuck, parked, now);
    }
    if given_up > 0 {
        let says = format!("GitHub does not take {}:", counted(given_up, "reply"));
        let stuck = journal.given_up_messages(SHOWN).await?;
        chart.wrong(says, RETRY).lines = lines(&stuck, given_up, now);
    }
    Ok(())
}

fn lines(stuck: &[FailedItem], all: i64, now: Timestamp) -> Vec<String> {
    let mut lines: Vec<String> = stuck.iter().map(|it| line(it, &ago(now, it.at))).collect();
    if all > SHOWN {
        lines.push(format!("and {} older", all - SHOWN));
    }
    lines
}

fn line(stuck: &FailedItem, when: &str) -> String {
    let whole: String = stuck.why.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut why: String = whole.chars().take(WHY_CHARACTERS_MAX).collect();
    if why.len() < whole.len() {
        why.push('…');
    }
    format!("{}  {}, {when}: {why}", stuck.id, stuck.about)
}

/// Runs that are not over, and what each waits for.
async fn runs(chart: &mut Chart, journal: &Journal, now: Timestamp) -> Result<(), JournalError> {
    for run in journal.open_runs().await? {
        let facts = journal.facts(run.id).await?;
        let place = match run.new.pull {
            Some(number) => format!("#{number}"),
            None => "a terminal".to_owned(),
        };
        let what = format!(
            "run {} of `{}` ({place}, plan {})",
            run.id.0, run.new.site, run.new.digest
        );
        let since = facts.last().map_or(run.began, |noted| noted.at);
        if let Some(why) = Progress::of(&facts).stopped {
            chart.wrong(
                format!("{what} stopped {}: {why}", ago(now, since)),
                "mend what it says, then an operator says `/apply` there to go on, or `/abort`",
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
        chart.note(match gate {
            Some(Ok(gate)) => format!("{what} waits at gate `{gate}`, asked {}", ago(now, since)),
            Some(Err(())) | None => format!("{what} is under way, last {}", ago(now, since)),
        });
    }
    Ok(())
}
