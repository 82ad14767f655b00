//! From facts to the next move.
//!
//! A run is a plan, the facts journalled so far, and the time: [`next_move`] says what to do and decides nothing else
//! later. Facts are only ever added. Must not know how a move is made, or where facts are kept.

use serde::{Deserialize, Serialize};
use topology::observed::Timestamp;

use crate::gate::GateName;
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
pub struct Noted {
    /// When.
    pub at: Timestamp,
    /// What.
    pub fact: Fact,
}

/// What a run does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Look at the step's objects; if they are as expected, note the intention, send the write, read it back.
    Make(StepId),
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
    Rest(Timestamp),
    /// Nothing until an operator speaks.
    Wait,
    /// Note that the run stopped, and why.
    Stop {
        /// Why, for people.
        why: String,
    },
    /// Note the end.
    Finish,
    /// The run is over.
    Over,
}
