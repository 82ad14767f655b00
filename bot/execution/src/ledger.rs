//! Where a run's facts are recorded, and what is logged of them.
//!
//! It must not know who records them: the journal is a ledger, a rehearsal has one in memory.

use std::future::Future;

use plan::plan::Plan;
use plan::run::{Fact, RecordedFact};
use plan::step::{Step, StepId};
use topology::port::Write;

/// A run's facts, in order.
pub trait Ledger: Send {
    /// Records one fact durably before it returns.
    fn add(&mut self, fact: Fact) -> impl Future<Output = Result<(), LedgerError>> + Send;
    /// All facts so far.
    fn facts(&mut self) -> impl Future<Output = Result<Vec<RecordedFact>, LedgerError>> + Send;
}

/// A fact could not be recorded, so the run must not continue here. The source says whether the lease was lost.
#[derive(Debug, thiserror::Error)]
#[error("the fact was not recorded")]
pub struct LedgerError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// A ledger that logs what it has recorded: one INFO line for each step and each look at a gate. A rehearsal does without
/// it, because it executes thousands of moves.
pub(crate) struct LoggedLedger<'a, L> {
    plan: &'a Plan,
    ledger: &'a mut L,
}

impl<'a, L: Ledger> LoggedLedger<'a, L> {
    pub(crate) fn new(plan: &'a Plan, ledger: &'a mut L) -> Self {
        Self { plan, ledger }
    }
}

impl<L: Ledger> Ledger for LoggedLedger<'_, L> {
    async fn add(&mut self, fact: Fact) -> Result<(), LedgerError> {
        self.ledger.add(fact.clone()).await?;
        log(self.plan, &fact);
        Ok(())
    }

    async fn facts(&mut self) -> Result<Vec<RecordedFact>, LedgerError> {
        self.ledger.facts().await
    }
}

fn log(plan: &Plan, fact: &Fact) {
    match fact {
        Fact::Done { step, already, .. } => {
            let outcome = if *already {
                StepOutcome::AlreadyDone
            } else {
                StepOutcome::Done
            };
            log_step(plan, *step, &outcome);
        }
        Fact::Refused { step, why } => log_step(plan, *step, &StepOutcome::Refused(why)),
        Fact::Unknown { step, why } => log_step(plan, *step, &StepOutcome::Unknown(why)),
        Fact::Foreign { step, found } => log_step(plan, *step, &StepOutcome::Unexpected(found)),
        Fact::Opened(gate) => {
            let gate = gate.word();
            tracing::info!(gate, open = true, missing = 0, "gate {gate} is open");
        }
        Fact::NotYet { gate, missing } => {
            let (gate, count) = (gate.word(), missing.len());
            let lines = on_one_line(&missing.join("; "));
            tracing::info!(
                gate,
                open = false,
                missing = count,
                "gate {gate} stays closed: {lines}"
            );
        }
        Fact::Blind { why } => {
            tracing::debug!("MAAS could not be read: {}", on_one_line(why));
        }
        Fact::Verified {
            round,
            drift,
            waits,
        } => {
            let (drift, waits) = (drift.len(), waits.len());
            tracing::debug!(round, drift, waits, "observed and planned again");
        }
        Fact::Began { .. }
        | Fact::Intended(_)
        | Fact::Asked(_)
        | Fact::Claimed { .. }
        | Fact::Stopped { .. }
        | Fact::Resumed { .. }
        | Fact::Aborted { .. }
        | Fact::Finished => {}
    }
}

/// The result of a step; with MAAS's reason, or with what was found.
enum StepOutcome<'a> {
    Done,
    AlreadyDone,
    Refused(&'a str),
    Unknown(&'a str),
    Unexpected(&'a str),
}

fn log_step(plan: &Plan, id: StepId, result: &StepOutcome<'_>) {
    let (step, steps) = (id.0, plan.steps.len());
    let (verb, past, object) = in_words(plan, id);
    let place = format!("step {step} of {steps}");
    let (outcome, text) = match result {
        StepOutcome::Done => ("done", format!("wrote {place}: {past} {object}")),
        StepOutcome::AlreadyDone => (
            "already_done",
            format!("{place} was already done: {verb} {object}"),
        ),
        StepOutcome::Refused(why) => (
            "refused",
            format!("{place} was refused: {verb} {object}: {why}"),
        ),
        StepOutcome::Unknown(why) => (
            "unknown",
            format!("{place} has an unknown outcome: {verb} {object}: {why}"),
        ),
        StepOutcome::Unexpected(found) => (
            "unexpected_state",
            format!("{place} found an unexpected state: {verb} {object}: {found}"),
        ),
    };
    tracing::info!(step, steps, outcome, "{}", on_one_line(&text));
}

/// What a step writes: `create`, `created`, and the object.
fn in_words(plan: &Plan, id: StepId) -> (&'static str, &'static str, String) {
    match plan.step(id).map(Step::write) {
        None => ("make", "made", "a write that is not in the plan".to_owned()),
        Some(Write::Create(new)) => ("create", "created", new.key().to_string()),
        Some(Write::Delete(before)) => ("delete", "deleted", before.key().to_string()),
        Some(Write::Update(before, after)) => {
            let (before, after) = (before.key(), after.key());
            let object = if before == after {
                before.to_string()
            } else {
                format!("{before} to {after}")
            };
            ("change", "changed", object)
        }
    }
}

/// Names come from MAAS and may hold control characters.
fn on_one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
