//! From facts to the next move.
//!
//! A run is a plan, the facts journalled so far, and the time: [`next_move`] says what to do and decides nothing else
//! later. Facts are only ever added. Must not know how a move is made, or where facts are kept.

use serde::{Deserialize, Serialize};
use topology::observed::Timestamp;

use crate::gate::GateName;
use crate::plan::Plan;
use crate::step::StepId;

/// What happened in a run, in order. The journal keeps these; nothing else drives a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// An operator's order began the run.
    Began {
        /// Who, by login.
        by: String,
    },
    /// The next write is this step's. Written before the request leaves.
    Intended(StepId),
    /// The step's end was seen by a look.
    Done {
        /// Which.
        step: StepId,
        /// MAAS's row number of what the step left.
        id: Option<u64>,
        /// True when the look before the write found it so already.
        already: bool,
    },
    /// MAAS said no. The run stops here.
    Refused {
        /// Which.
        step: StepId,
        /// MAAS's status and words, cut short.
        why: String,
    },
    /// Nobody knows; the next move looks.
    Unknown {
        /// Which.
        step: StepId,
        /// What was seen instead of an answer.
        why: String,
    },
    /// A look found neither what the step expects nor what it leaves, or a subnet that is not vacant. The run stops here.
    Foreign {
        /// Which.
        step: StepId,
        /// What was found, in words.
        found: String,
    },
    /// The world could not be looked at.
    Blind {
        /// The request that had no answer.
        why: String,
    },
    /// The gate's runbook was shown.
    Asked(GateName),
    /// An operator says the gate's work is done.
    Claimed {
        /// Which.
        gate: GateName,
        /// Who.
        by: String,
        /// What they gave as evidence.
        evidence: Option<String>,
    },
    /// The look disagreed with the claim.
    NotYet {
        /// Which.
        gate: GateName,
        /// What is still there, one line each.
        missing: Vec<String>,
    },
    /// The look agreed; the gate is open.
    Opened(GateName),
    /// Re-observed and planned again.
    Verified {
        /// 1 after the stand-up, 2 at the end, 3 after the settle time.
        round: u8,
        /// What still differs, one line each; empty is proof.
        drift: Vec<String>,
    },
    /// The run stopped at a step boundary and can be resumed.
    Stopped {
        /// Why, for people.
        why: String,
    },
    /// An operator ordered the run to go on.
    Resumed {
        /// Who.
        by: String,
    },
    /// An operator ended the run.
    Aborted {
        /// Who.
        by: String,
    },
    /// All is done and proved.
    Finished,
}

/// A fact and when it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedFact {
    /// When.
    pub at: Timestamp,
    /// What.
    pub fact: Fact,
}

/// What a run does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextMove {
    /// Look at the step's objects; if they are as expected, note the intention, send the write, read it back.
    Execute(StepId),
    /// Show the gate's runbook.
    Ask(GateName),
    /// Look for the gate's evidence.
    Examine(GateName),
    /// Observe and plan again.
    Verify {
        /// 1 after the stand-up, 2 at the end, 3 after the settle time.
        round: u8,
    },
    /// Nothing before that time.
    WaitUntil(Timestamp),
    /// Nothing until an operator speaks.
    WaitForOperator,
    /// Note that the run stopped, and why.
    Stop {
        /// Why, for people.
        why: String,
    },
    /// Note the end.
    Finish,
    /// The run is over.
    Ended,
}

/// How long a run waits, in milliseconds. Values handed in, so that no test sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between not knowing and looking. MAAS retries a request for up to 90 s by itself (3.5.9 maasserver/utils/views.py:170), so a look before that may see too little.
    pub unknown: i64,
    /// Between the proof and the second proof: controllers may rewrite the network after the fact.
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

/// Looks after one unknown answer before a person is asked: a MAAS that loses four answers in a row is a page, not a retry.
pub const LOOKS_MAX: usize = 4;

/// How far a run has come, read off its facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Steps whose end was seen.
    pub done: std::collections::BTreeSet<StepId>,
    /// Gates that are open.
    pub opened: std::collections::BTreeSet<GateName>,
    /// The step whose write may have happened.
    pub unknown: Option<StepId>,
    /// The last round of proof that found nothing.
    pub proved: u8,
    /// Why the run stands still until an operator speaks, if it does.
    pub stopped: Option<String>,
    /// Over: finished or aborted.
    pub ended: bool,
}

impl Progress {
    /// Reads the facts.
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
            Fact::Verified { round, drift } if drift.is_empty() => self.proved = *round,
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
        // The network is proved before the jumphost and the machines follow it.
        (Some(step), _) if step.phase.follows() && progress.proved < 1 => {
            NextMove::Verify { round: 1 }
        }
        (Some(step), _) => NextMove::Execute(step.id),
        (None, _) if progress.proved < 1 => NextMove::Verify { round: 1 },
        (None, Some(gate)) => at_gate(gate.name, facts),
        (None, None) => at_the_end(&progress, facts, now, pace),
    }
}

/// What follows a fact that is no progress.
fn after_trouble(facts: &[RecordedFact], now: Timestamp, pace: Pace) -> Option<NextMove> {
    let last = facts.last()?;
    let stop = |why: String| Some(NextMove::Stop { why });
    match &last.fact {
        Fact::Refused { step, why } => stop(format!("MAAS refused step {step}: {why}")),
        Fact::Foreign { step, found } => stop(format!("step {step} found something else: {found}")),
        Fact::Blind { why } => stop(format!("MAAS could not be looked at: {why}")),
        Fact::Verified { drift, .. } if !drift.is_empty() => {
            stop(format!("the proof found differences: {}", drift.join("; ")))
        }
        Fact::Unknown { step, why } => {
            let tries = facts
                .iter()
                .rev()
                .take_while(|noted| matches!(&noted.fact, Fact::Unknown { step: other, .. } | Fact::Intended(other) if other == step))
                .filter(|noted| matches!(noted.fact, Fact::Unknown { .. }))
                .count();
            if tries >= LOOKS_MAX {
                return stop(format!("nobody knows whether step {step} happened: {why}"));
            }
            let wake = Timestamp(last.at.0 + pace.unknown);
            (now < wake).then_some(NextMove::WaitUntil(wake))
        }
        // Nobody wrote down what became of it: the power was cut, and the request may still be under way.
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

/// What a fact says about a gate that is not open.
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
                .find(|noted| matches!(&noted.fact, Fact::Verified { round: 2, drift } if drift.is_empty()))
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
