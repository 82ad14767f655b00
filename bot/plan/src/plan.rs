//! A plan: steps and gates in order, and what they are based on.
//!
//! A plan is immutable and leaves no decisions to its execution. [`Plan::between`] makes one or says why not. A [`Digest`]
//! identifies it: equal digests mean the same steps from the same state. Must not know how a plan is shown or run.

mod digest;
mod unexpected;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use topology::address::Cidr;
use topology::object::Key;
use topology::version::MaasVersion;

use crate::audit::AuditLine;
use crate::gate::{Gate, GateName, RunbookPin};
use crate::notes::PlanNotes;
use crate::refusal::Refusal;
use crate::step::{Step, StepId};
use crate::waiting::WaitingItem;

pub(crate) use digest::digest;
pub use digest::{Digest, NotADigest, RULES};

/// A site's limits and runbooks. They come from the configuration and the default branch, never from a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanPolicy {
    /// How many subnets one change may move to another CIDR or VLAN.
    pub vacated_max: usize,
    /// The largest share of the site's subnets, in thousandths, whose rows one change may delete, and of its ranges, gateways
    /// and links that it may take away; `None`: any.
    pub deletions_max_per_mille: Option<u16>,
    /// How many planes, subnets, ranges, gateways or links, of each, one change may take away.
    pub removed_max: usize,
    /// Whether the pull request carries the label that lifts the limits.
    pub lifted: bool,
    /// The label that lifts them, if the site names one.
    pub label: Option<String>,
    /// The runbooks, pinned, by gate.
    pub runbooks: Vec<(GateName, RunbookPin)>,
}

impl Default for PlanPolicy {
    /// Sixteen subnets: more than any real change has needed, and fewer than a typical mistake affects.
    fn default() -> Self {
        Self {
            vacated_max: 16,
            deletions_max_per_mille: None,
            removed_max: 16,
            lifted: false,
            label: None,
            runbooks: Vec::new(),
        }
    }
}

/// Steps and gates in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Identifies the plan.
    pub digest: Digest,
    /// The declaration it was made for: SHA-256 over the files.
    pub tree: String,
    /// The MAAS it was made for.
    pub maas_version: MaasVersion,
    /// In order; empty if nothing changes.
    pub steps: Vec<Step>,
    /// In the order of the run.
    pub gates: Vec<Gate>,
    /// One line per plane, at the time of planning.
    pub audit: Vec<AuditLine>,
    /// What a reader should know before approving, one line each.
    pub warnings: Vec<String>,
    /// The undeclared objects that planes with `adopt: true` take over or move.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub adopted: BTreeSet<Key>,
    /// What the files remove: only of these are VLANs, fabrics and spaces deleted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub removed: BTreeSet<Key>,
    /// What is declared and is not so after the plan either, and what it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<WaitingItem>,
    /// Why it cannot be applied, if it cannot.
    pub read_only: Option<String>,
    /// What only the observed network tells about the steps, for display.
    #[serde(default, skip_serializing_if = "PlanNotes::is_empty")]
    pub notes: PlanNotes,
}

/// Why there is no plan, with the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedPlan {
    /// Every reason.
    pub refusals: Vec<Refusal>,
    /// One line per plane.
    pub audit: Vec<AuditLine>,
    /// Why no plan for this MAAS could be applied, if none could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<String>,
}

impl Plan {
    /// The step with that id.
    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }

    /// The gate of that name.
    pub fn gate(&self, name: GateName) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.name == name)
    }

    /// The old CIDRs of the subnets that change their CIDR or VLAN.
    pub fn vacated(&self) -> BTreeSet<Cidr> {
        self.steps
            .iter()
            .filter(|step| step.vacant)
            .filter_map(|step| step.expects.as_ref()?.as_subnet().map(|subnet| subnet.cidr))
            .collect()
    }
}
