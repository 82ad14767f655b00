//! Runs: the facts of a run, and its next move.
//!
//! A run is a plan, the facts recorded so far, and the time; [`next_move`] decides what to do next, and is the only place
//! that does. Facts are only ever appended. Must not know how a move is carried out, or where facts are stored.

use serde::{Deserialize, Serialize};
use topology::observed::Timestamp;

use crate::gate::GateName;
use crate::plan::Plan;
use crate::step::StepId;
use crate::waiting::{WaitingItem, waiting_summary};

/// What happened in a run. The journal stores the facts in order; nothing else drives a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// An operator's order started the run.
    Began {
        /// The operator's login.
        by: String,
    },
    /// This step's write is about to be sent. Recorded before the request.
    Intended(StepId),
    /// MAAS was read and has what the step leaves.
    Done {
        step: StepId,
        /// MAAS's row id of the resulting object.
        id: Option<u64>,
        /// Whether it was so before the write, which was then not sent.
        already: bool,
    },
    /// MAAS refused the write. The run stops here.
    Refused {
        step: StepId,
        /// MAAS's status and message, shortened.
        why: String,
    },
    /// The result is unknown; the next move reads MAAS.
    Unknown {
        step: StepId,
        /// What was seen instead of a response.
        why: String,
    },
    /// MAAS has neither what the step expects nor what it leaves, or a subnet is not vacant. The run stops here.
    Foreign {
        step: StepId,
        /// A description of what was found.
        found: String,
    },
    /// MAAS could not be read.
    Blind {
        /// The request that failed, and why.
        why: String,
    },
    /// The gate's comment was posted.
    Asked(GateName),
    /// An operator reported that the gate's work is done.
    Claimed {
        gate: GateName,
        /// The operator's login.
        by: String,
        /// The evidence that they gave, if any.
        evidence: Option<String>,
    },
    /// The evidence is not there yet.
    NotYet {
        gate: GateName,
        /// What is still missing, one line each.
        missing: Vec<String>,
    },
    /// The evidence was found; the gate is open.
    Opened(GateName),
    /// MAAS was read and planned again, to verify the result.
    Verified {
        /// 1 after the stand-up, 2 at the end, 3 after the settle time.
        round: u8,
        /// What still differs, one line each; empty if verified.
        drift: Vec<String>,
        /// What each declared thing waits for that is not so and that no step changes now; empty if everything is there.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        waits: Vec<WaitingItem>,
    },
    /// The run stopped at a step boundary and can be resumed.
    Stopped {
        /// Why, for people.
        why: String,
    },
    /// An operator resumed the run.
    Resumed {
        /// The operator's login.
        by: String,
    },
    /// An operator aborted the run.
    Aborted {
        /// The operator's login.
        by: String,
    },
    /// Everything is done and verified.
    Finished,
}

/// A fact with the time at which it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedFact {
    pub at: Timestamp,
    pub fact: Fact,
}

/// What a run does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextMove {
    /// Read the step's objects. If they are as expected, record the intention, send the write, and read it back.
    Execute(StepId),
    /// Post the gate's comment.
    Ask(GateName),
    /// Check the gate's evidence.
    Examine(GateName),
    /// Read MAAS and plan again, to verify the result.
    Verify {
        /// 1 after the stand-up, 2 at the end, 3 after the settle time.
        round: u8,
    },
    /// Do nothing before that time.
    WaitUntil(Timestamp),
    /// Do nothing until an operator comments.
    WaitForOperator,
    /// Record that the run stopped.
    Stop {
        /// Why, for people.
        why: String,
    },
    /// Record that the run has finished.
    Finish,
    /// The run has ended: finished or aborted.
    Ended,
}

/// How long a run waits, in milliseconds. Passed in, so that no test sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between an unknown result and reading MAAS. MAAS itself retries a request for up to 90 s (3.5.9
    /// maasserver/utils/views.py:170), so an earlier reading may be too early.
    pub unknown: i64,
    /// Between the two verifications at the end: controllers' reports may change the network afterwards.
    pub settle: i64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            unknown: 95_000,
            settle: 60_000,
        }
    }
}

/// How many unknown results of one step are retried before a person is needed: a MAAS that loses four responses in a row
/// needs attention, not retries.
pub const LOOKS_MAX: usize = 4;

/// The progress of a run, computed from its facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Steps that are done.
    pub done: std::collections::BTreeSet<StepId>,
    /// Gates that are open.
    pub opened: std::collections::BTreeSet<GateName>,
    /// The step whose write may have happened.
    pub unknown: Option<StepId>,
    /// The last verification round that found no differences; 0 before the first.
    pub proved: u8,
    /// What the last verification found waiting.
    pub waits: Vec<WaitingItem>,
    /// Why the run is stopped until an operator resumes it, if it is.
    pub stopped: Option<String>,
    /// Whether the run finished or was aborted.
    pub ended: bool,
}

impl Progress {
    /// Computes the progress from the facts.
    pub fn of(facts: &[RecordedFact]) -> Self {
        let mut progress = Self::default();
        for noted in facts {
            progress.take(&noted.fact);
        }
        progress
    }

    fn take(&mut self, fact: &Fact) {
        match fact {
            Fact::Done { step, .. } => {
                self.done.insert(*step);
                self.unknown = None;
            }
            Fact::Intended(step) | Fact::Unknown { step, .. } => self.unknown = Some(*step),
            Fact::Opened(gate) => {
                self.opened.insert(*gate);
            }
            Fact::Verified {
                round,
                drift,
                waits,
            } if drift.is_empty() => {
                self.proved = *round;
                self.waits.clone_from(waits);
            }
            Fact::Stopped { why } => self.stopped = Some(why.clone()),
            Fact::Resumed { .. } => self.stopped = None,
            Fact::Finished | Fact::Aborted { .. } => self.ended = true,
            Fact::Began { .. }
            | Fact::Refused { .. }
            | Fact::Foreign { .. }
            | Fact::Blind { .. }
            | Fact::Asked(_)
            | Fact::Claimed { .. }
            | Fact::NotYet { .. }
            | Fact::Verified { .. } => {}
        }
    }
}

/// How a finished run ended: `applied, proved twice`, or `applied; 3 items wait for: a release` where not everything that is
/// declared is there.
pub fn ending(facts: &[RecordedFact]) -> String {
    let waits = Progress::of(facts).waits;
    if waits.is_empty() {
        return "applied, proved twice".to_owned();
    }
    format!("applied; {}", waiting_summary(&waits))
}

/// What the run does next. Pure: the same plan, facts and time give the same move.
pub fn next_move(plan: &Plan, facts: &[RecordedFact], now: Timestamp, pace: Pace) -> NextMove {
    let progress = Progress::of(facts);
    if progress.ended {
        return NextMove::Ended;
    }
    if progress.stopped.is_some() {
        return NextMove::WaitForOperator;
    }
    if let Some(next) = after_trouble(facts, now, pace) {
        return next;
    }
    let step = plan
        .steps
        .iter()
        .find(|step| !progress.done.contains(&step.id));
    let gate = plan
        .gates
        .iter()
        .find(|gate| !progress.opened.contains(&gate.name));
    let follows = step.is_some_and(|step| step.phase.follows());
    if let Some(gate) = gate
        && gate
            .before
            .is_some_and(|before| step.is_some_and(|step| before <= step.id))
        && !(follows && progress.proved < 1)
    {
        return at_gate(gate.name, facts);
    }
    match (step, gate) {
        // The network is verified before the jumphost and the machines follow it.
        (Some(step), _) if step.phase.follows() && progress.proved < 1 => {
            NextMove::Verify { round: 1 }
        }
        (Some(step), _) => NextMove::Execute(step.id),
        (None, _) if progress.proved < 1 => NextMove::Verify { round: 1 },
        (None, Some(gate)) => at_gate(gate.name, facts),
        (None, None) => at_the_end(&progress, facts, now, pace),
    }
}

/// The move after a failure or an unknown result.
fn after_trouble(facts: &[RecordedFact], now: Timestamp, pace: Pace) -> Option<NextMove> {
    let last = facts.last()?;
    let stop = |why: String| Some(NextMove::Stop { why });
    match &last.fact {
        Fact::Refused { step, why } => stop(format!("MAAS refused step {step}: {why}")),
        Fact::Foreign { step, found } => {
            stop(format!("step {step} found an unexpected state: {found}"))
        }
        Fact::Blind { why } => stop(format!("MAAS could not be read: {why}")),
        Fact::Verified { drift, .. } if !drift.is_empty() => stop(format!(
            "verification found differences: {}",
            drift.join("; ")
        )),
        Fact::Unknown { step, why } => {
            let tries = facts
                .iter()
                .rev()
                .take_while(|noted| matches!(&noted.fact, Fact::Unknown { step: other, .. } | Fact::Intended(other) if other == step))
                .filter(|noted| matches!(noted.fact, Fact::Unknown { .. }))
                .count();
            if tries >= LOOKS_MAX {
                return stop(format!("it is unknown whether step {step} happened: {why}"));
            }
            let wake = Timestamp(last.at.0 + pace.unknown);
            (now < wake).then_some(NextMove::WaitUntil(wake))
        }
        // Nothing was recorded after the intention: the process crashed, and the request may still be in progress.
        Fact::Intended(_) => {
            let wake = Timestamp(last.at.0 + pace.unknown);
            (now < wake).then_some(NextMove::WaitUntil(wake))
        }
        Fact::Began { .. }
        | Fact::Done { .. }
        | Fact::Asked(_)
        | Fact::Claimed { .. }
        | Fact::NotYet { .. }
        | Fact::Opened(_)
        | Fact::Verified { .. }
        | Fact::Stopped { .. }
        | Fact::Resumed { .. }
        | Fact::Aborted { .. }
        | Fact::Finished => None,
    }
}

fn at_gate(gate: GateName, facts: &[RecordedFact]) -> NextMove {
    let word = facts
        .iter()
        .rev()
        .find_map(|noted| about(gate, &noted.fact));
    word.unwrap_or(NextMove::Ask(gate))
}

/// The move that a fact implies for a gate that is not open.
fn about(gate: GateName, fact: &Fact) -> Option<NextMove> {
    if matches!(fact, Fact::Claimed { gate: name, .. } if *name == gate) {
        return Some(NextMove::Examine(gate));
    }
    let waits =
        matches!(fact, Fact::Asked(name) | Fact::NotYet { gate: name, .. } if *name == gate);
    waits.then_some(NextMove::WaitForOperator)
}

fn at_the_end(progress: &Progress, facts: &[RecordedFact], now: Timestamp, pace: Pace) -> NextMove {
    match progress.proved {
        0 | 1 => NextMove::Verify { round: 2 },
        2 => {
            let proved_at = facts
                .iter()
                .rev()
                .find(|noted| matches!(&noted.fact, Fact::Verified { round: 2, drift, .. } if drift.is_empty()))
                .map_or(now, |noted| noted.at);
            let wake = Timestamp(proved_at.0 + pace.settle);
            if now < wake {
                NextMove::WaitUntil(wake)
            } else {
                NextMove::Verify { round: 3 }
            }
        }
        _ => NextMove::Finish,
    }
}
