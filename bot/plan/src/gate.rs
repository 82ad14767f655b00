//! The places a run stops to wait for a person.
//!
//! A gate opens by a fact, never by a timer alone: it says what evidence will be looked for, and the look decides.
//! Must not know how evidence is fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use topology::address::Cidr;

use crate::step::StepId;

/// Which gate. The names are what people type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateName {
    /// Whatever lives on the vacated subnets leaves them: the Juju model goes, machines are released, links removed.
    Teardown,
    /// Controllers let go of addresses on the vacated subnets.
    Vacate,
    /// The jumphost's bridges move.
    Jumphost,
    /// A rack is on the networks whose DHCP snippets it must check.
    Rack,
}

impl GateName {
    /// Every gate, in the order of a run.
    pub const ALL: [Self; 4] = [Self::Teardown, Self::Vacate, Self::Jumphost, Self::Rack];

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Teardown => "teardown",
            Self::Vacate => "vacate",
            Self::Jumphost => "jumphost",
            Self::Rack => "rack",
        }
    }

    /// The gate of that name.
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|gate| gate.word() == word)
    }
}

/// One place to wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Which.
    pub name: GateName,
    /// The gate stands before this step; `None`: after the last.
    pub before: Option<StepId>,
    /// One sentence: why a person is needed.
    pub why: String,
    /// What will be looked for.
    pub evidence: Vec<GateEvidence>,
    /// The runbook that belongs to it, as `runbooks/….md`, and the SHA-256 of its text, when there is one.
    pub runbook: Option<RunbookPin>,
    /// This plan's values for the runbook, by name.
    pub values: BTreeMap<String, String>,
    /// The exact ordered things a person does here.
    pub tasks: Vec<String>,
}

/// A runbook, pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunbookPin {
    /// `runbooks/teardown.md`, say.
    pub path: String,
    /// SHA-256 of the text, in hex.
    pub sha256: String,
}

/// One thing that is looked for before a gate opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateEvidence {
    /// No node, BMC or name holds an address or a link on these subnets; controllers count when `controllers`.
    Vacant {
        /// The subnets.
        subnets: BTreeSet<Cidr>,
        /// Whether a controller's address counts.
        controllers: bool,
    },
    /// These machines are in a state in which MAAS lets interfaces be changed (New, Ready, Failed testing, Allocated, Broken).
    Changeable {
        /// Host names.
        machines: BTreeSet<String>,
    },
    /// No Juju model other than a controller's holds machines of this MAAS.
    NoJujuModel,
    /// The jumphost has these addresses on these interfaces, and none of the ones it had to give up.
    Jumphost {
        /// Interface and address that must be there.
        has: BTreeSet<(String, IpAddr)>,
        /// Interface and address that must be gone.
        lacks: BTreeSet<(String, IpAddr)>,
    },
    /// A rack controller has an address on each of these subnets, as MAAS shows it.
    Attended {
        /// The subnets.
        subnets: BTreeSet<Cidr>,
    },
}
