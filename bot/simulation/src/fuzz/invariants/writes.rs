//! What must hold of writes to MAAS and of the facts in the journal: no write without its fact, none twice, none before the
//! merge and an operator's order.

use std::collections::{BTreeMap, BTreeSet};

use maas::NOT_SENT;
use plan::plan::Plan;
use plan::run::{Fact, RecordedFact};
use plan::step::StepId;

use crate::fuzz::actors::PostedComment;
use crate::fuzz::faults::WriteRequest;
use crate::fuzz::invariants::{Checker, RunFacts};

/// The plan in a run's record; its other fields are ignored.
#[derive(serde::Deserialize)]
struct RecordedPlan {
    plan: Plan,
}

impl Checker<'_> {
    /// Every write request follows its own fact, is sent again only after MAAS was read, and takes effect once. For a step
    /// that changes nothing the effect cannot be observed.
    pub(super) fn writes(&mut self) {
        let (writes, reads) = self.driver.faults.writes_and_reads();
        let last = self.driver.harness.rows(|maas| maas.writes().len());
        let mut sent: BTreeMap<(i64, StepId), i64> = BTreeMap::new();
        let mut executed: BTreeSet<(i64, StepId)> = BTreeSet::new();
        let mut broken = Vec::new();
        for (index, write) in writes.iter().enumerate() {
            if write.what.is_empty() {
                continue;
            }
            let Some(step) = self.intended_step(write) else {
                broken.push(format!(
                    "`{}` was sent to MAAS without a fact before it",
                    write.what
                ));
                continue;
            };
            if let Some(before) = sent.insert(step, write.at)
                && !reads.iter().any(|read| (before..write.at).contains(read))
            {
                broken.push(format!(
                    "`{}` was sent twice without a read between",
                    write.what
                ));
            }
            let writes_after = writes
                .get(index + 1)
                .map_or(last, |next| next.writes_before);
            let again = writes_after > write.writes_before && !executed.insert(step);
            if again && !self.changes_nothing(step) {
                broken.push(format!("`{}` was executed twice", write.what));
            }
        }
        self.broken.extend(broken);
    }

    /// Whether a run's step writes the value that is there already, which makes MAAS update its servers.
    fn changes_nothing(&self, (run, step): (i64, StepId)) -> bool {
        let found = self.runs.iter().find(|known| known.run.id.0 == run);
        found
            .and_then(|known| serde_json::from_str::<RecordedPlan>(&known.run.new.record).ok())
            .is_some_and(|record| record.plan.step(step).is_some_and(|step| step.nudge))
    }

    /// The run and the step of the last fact before a write, where that fact is an intention.
    fn intended_step(&self, write: &WriteRequest) -> Option<(i64, StepId)> {
        let (run, noted) = self
            .runs
            .iter()
            .flat_map(|run| run.facts.iter().map(move |noted| (run.run.id.0, noted)))
            .filter(|(_, noted)| noted.at.0 < write.at)
            .max_by_key(|(run, noted)| (noted.at, *run))?;
        if let Fact::Intended(step) = noted.fact {
            return Some((run, step));
        }
        None
    }

    /// A lost response is not recorded as a refusal: where a fact says refused, MAAS answered.
    pub(super) fn refusals(&mut self) {
        let (writes, _) = self.driver.faults.writes_and_reads();
        let is_unfounded = |noted: &RecordedFact, why: &str| {
            let write = writes.iter().rfind(|write| write.at <= noted.at.0);
            let was_sent = !why.starts_with(&NOT_SENT.to_string());
            was_sent && write.is_none_or(|write| write.unanswered)
        };
        for noted in self.runs.iter().flat_map(|run| &run.facts) {
            if let Fact::Refused { why, .. } = &noted.fact
                && is_unfounded(noted, why)
            {
                self.broken
                    .push(format!("MAAS refused nothing, and a fact says: {why}"));
            }
        }
    }

    /// A run begins only by an operator's order after the merge.
    pub(super) fn orders(&mut self) {
        for run in &self.runs {
            if !self.is_ordered(run) {
                self.broken.push(format!(
                    "run {} began without a merge and an order",
                    run.run.id.0
                ));
            }
        }
    }

    fn is_ordered(&self, run: &RunFacts) -> bool {
        let Some(number) = run.pull() else {
            return false;
        };
        let mut pulls = self.actors.pulls.iter();
        let merged = pulls
            .find(|pull| pull.number == number)
            .and_then(|pull| pull.merged);
        let is_order = |comment: &PostedComment| {
            comment.author == "bob"
                && comment.pull == number
                && comment.text.starts_with("/apply")
                && Some(comment.at) >= merged
                && comment.at <= run.run.began.0
        };
        merged.is_some() && self.actors.comments.iter().any(is_order)
    }
}

impl RunFacts {
    /// The number of the pull request that the run applies.
    pub(super) fn pull(&self) -> Option<u64> {
        self.run.new.pull.and_then(|pull| u64::try_from(pull).ok())
    }
}
