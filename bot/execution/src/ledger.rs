//! Where a run's facts are recorded, and what is logged of them.
//!
//! It must not know who records them: the journal is a ledger, a rehearsal has one in memory.

use std::fmt;
use std::future::Future;

use plan::plan::Plan;
use plan::run::{Fact, Noted};
use plan::step::{Step, StepId};
use topology::port::Write;

/// A run's facts, in order.
pub trait Ledger: Send {
    /// Records one fact durably before it returns.
    fn add(&mut self, fact: Fact) -> impl Future<Output = Result<(), LedgerError>> + Send;
    /// All facts so far.
    fn facts(&mut self) -> impl Future<Output = Result<Vec<Noted>, LedgerError>> + Send;
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

    async fn facts(&mut self) -> Result<Vec<Noted>, LedgerError> {
        self.ledger.facts().await
    }
}

fn log(plan: &Plan, fact: &Fact) {
    match fact {
        Fact::Done {
            step,
            already: false,
            ..
        } => {
            let step = StepInWords::of(plan, *step);
            step.log("done", &format!("wrote {step}: {}", step.past));
        }
        Fact::Done {
            step,
            already: true,
            ..
        } => {
            let step = StepInWords::of(plan, *step);
            step.log(
                "already_done",
                &format!("{step} was already done: {}", step.action),
            );
        }
        Fact::Refused { step, why } => {
            let step = StepInWords::of(plan, *step);
            step.log(
                "refused",
                &format!("{step} was refused: {}: {why}", step.action),
            );
        }
        Fact::Unknown { step, why } => {
            let step = StepInWords::of(plan, *step);
            step.log(
                "unknown",
                &format!("{step} has an unknown outcome: {}: {why}", step.action),
            );
        }
        Fact::Foreign { step, found } => {
            let step = StepInWords::of(plan, *step);
            step.log(
                "unexpected_state",
                &format!("{step} found an unexpected state: {}: {found}", step.action),
            );
        }
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
        Fact::Verified { round, drift } => {
            let drift = drift.len();
            tracing::debug!(round, drift, "observed and planned again");
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

/// A step for the log; displayed as `step 4 of 12`.
struct StepInWords {
    id: StepId,
    steps: usize,
    /// `create subnet 192.0.2.0/24`.
    action: String,
    /// `created subnet 192.0.2.0/24`.
    past: String,
}

impl StepInWords {
    fn of(plan: &Plan, id: StepId) -> Self {
        let (verb, past, object) = match plan.step(id).map(Step::write) {
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
        };
        Self {
            id,
            steps: plan.steps.len(),
            action: format!("{verb} {object}"),
            past: format!("{past} {object}"),
        }
    }

    fn log(&self, outcome: &str, text: &str) {
        let (step, steps, text) = (self.id.0, self.steps, on_one_line(text));
        tracing::info!(step, steps, outcome, "{text}");
    }
}

impl fmt::Display for StepInWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {} of {}", self.id.0, self.steps)
    }
}

/// Names come from MAAS and may hold control characters.
fn on_one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
