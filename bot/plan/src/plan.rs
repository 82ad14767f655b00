//! Steps and gates in order, with what they were based on.
//!
//! A plan is immutable and leaves no choice to whoever carries it out. [`Plan::between`] makes one or says why not;
//! [`Digest`] names it: equal digests mean the same steps from the same ground. Must not know how it is shown or run.

mod digest;
mod unexpected;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use topology::address::Cidr;
use topology::version::MaasVersion;

use crate::audit::AuditLine;
use crate::gate::{Gate, GateName, RunbookPin};
use crate::refusal::Refusal;
use crate::step::{Step, StepId};

pub(crate) use digest::digest;
pub use digest::{Digest, NotADigest, RULES};

/// What a site allows, and the runbooks it has. From the configuration and the default branch, never from a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanPolicy {
    /// How many subnets one change may take away from their CIDR.
    pub vacated_max: usize,
    /// The runbooks, pinned, by gate.
    pub runbooks: Vec<(GateName, RunbookPin)>,
}

impl Default for PlanPolicy {
    /// Sixteen subnets: more than one change of a cloud's planes has needed, fewer than a slip takes.
    fn default() -> Self {
        Self {
            vacated_max: 16,
            runbooks: Vec::new(),
        }
    }
}

/// Steps and gates in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its name.
    pub digest: Digest,
    /// The declaration it was made for: SHA-256 over the files.
    pub tree: String,
    /// The MAAS it was made for.
    pub maas_version: MaasVersion,
    /// In order. Empty: no changes.
    pub steps: Vec<Step>,
    /// In the order of the run.
    pub gates: Vec<Gate>,
    /// One line per plane, as things stood.
    pub audit: Vec<AuditLine>,
    /// What a reader should know before saying yes, one line each.
    pub warnings: Vec<String>,
    /// Why it may only be read, not applied, if so.
    pub read_only: Option<String>,
}

/// Why there is no plan, and how things stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedPlan {
    /// Every reason.
    pub refusals: Vec<Refusal>,
    /// One line per plane.
    pub audit: Vec<AuditLine>,
}

impl Plan {
    /// The step of that number.
    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }

    /// The gate of that name.
    pub fn gate(&self, name: GateName) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.name == name)
    }

    /// The subnets that leave their CIDR or VLAN.
    pub fn vacated(&self) -> BTreeSet<Cidr> {
        self.steps
            .iter()
            .filter(|step| step.vacant)
            .filter_map(|step| step.expects.as_ref()?.as_subnet().map(|subnet| subnet.cidr))
            .collect()
    }
}
