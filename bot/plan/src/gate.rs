//! Gates: where a run stops and waits for a person.
//!
//! A gate opens because of evidence in MAAS, never because of a timer alone: it says which evidence is needed, and reading
//! MAAS decides. Must not know how evidence is read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use topology::address::Cidr;
use topology::object::VlanAt;

use crate::step::StepId;

/// The names of gates, as people type them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateName {
    /// The vacated subnets are emptied: the Juju model is destroyed, machines are released, links are removed.
    Teardown,
    /// Controllers release their addresses on the vacated subnets.
    Vacate,
    /// The jumphost's addresses move.
    Jumphost,
    /// A rack has an address on the subnets whose DHCP snippets it must validate.
    Rack,
}

impl GateName {
    /// Every gate, in the order of a run.
    pub const ALL: [Self; 4] = [Self::Teardown, Self::Vacate, Self::Jumphost, Self::Rack];

    /// The name as text.
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

/// One gate of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    pub name: GateName,
    /// The step after the gate; `None` if the gate is after the last step.
    pub before: Option<StepId>,
    /// One sentence: why a person is needed.
    pub why: String,
    /// What must be found before it opens.
    pub evidence: Vec<GateEvidence>,
    /// Its runbook, if it has one.
    pub runbook: Option<RunbookPin>,
    /// This plan's values for the runbook, by name.
    pub values: BTreeMap<String, String>,
    /// What a person does here, in order.
    pub tasks: Vec<String>,
}

/// A pinned runbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunbookPin {
    /// For example `runbooks/teardown.md`.
    pub path: String,
    /// SHA-256 of the text, in hex.
    pub sha256: String,
}

impl GateEvidence {
    /// The host and interface names that people take off a VLAN that is removed.
    pub fn detached(&self) -> impl Iterator<Item = &(String, String)> {
        let interfaces = match self {
            Self::Detached { interfaces, .. } => Some(interfaces),
            Self::Vacant { .. }
            | Self::Changeable { .. }
            | Self::NoJujuModel
            | Self::Jumphost { .. }
            | Self::Attended { .. } => None,
        };
        interfaces.into_iter().flatten()
    }
}

/// A condition that must hold before a gate opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateEvidence {
    /// No node, BMC or name has an address or a link on these subnets; controllers count only if `controllers`.
    Vacant {
        /// The subnets.
        subnets: BTreeSet<Cidr>,
        /// Whether a controller's address counts.
        controllers: bool,
        /// Of the subnets that shrink in place: what is left of each. Addresses in it stay.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        keeping: BTreeMap<Cidr, Cidr>,
    },
    /// These machines are in a state in which MAAS allows interface changes (New, Ready, Failed testing, Allocated, Broken).
    Changeable {
        /// Host names.
        machines: BTreeSet<String>,
    },
    /// No Juju model except a controller's has machines of this MAAS.
    NoJujuModel,
    /// The jumphost has its new addresses, and none of the old ones.
    Jumphost {
        /// Interfaces and addresses that must exist.
        has: BTreeSet<(String, IpAddr)>,
        /// Interfaces and addresses that must not exist.
        lacks: BTreeSet<(String, IpAddr)>,
    },
    /// None of these interfaces is on one of these VLANs, which are removed.
    Detached {
        /// Host and interface names.
        interfaces: BTreeSet<(String, String)>,
        /// The VLANs.
        vlans: BTreeSet<VlanAt>,
    },
    /// A rack controller has an address on each of these subnets, according to MAAS.
    Attended {
        /// The subnets.
        subnets: BTreeSet<Cidr>,
    },
}
