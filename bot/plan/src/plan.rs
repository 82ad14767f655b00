//! Steps and gates in order, with what they were based on.
//!
//! A plan is immutable and leaves no choice to whoever carries it out. [`Plan::between`] makes one or says why not;
//! [`Digest`] names it: equal digests mean the same steps from the same ground. Must not know how it is shown or run.

mod digest;
mod fabrics;
mod relays;
mod strangers;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use topology::address::Cidr;
use topology::object::{Object, RangeKind};
use topology::observed::{Observed, Scope};
use topology::plane::Topology;
use topology::version::MaasVersion;

use crate::audit::{Line, audit};
use crate::critic;
use crate::drafting::{Drafting, vacated};
use crate::gate::{Gate, GateName, RunbookPin};
use crate::hazards::{dangling, in_transition, too_much, unseen};
use crate::pairing::Pairing;
use crate::refusal::{Code, Refusal};
use crate::snippets;
use crate::step::{Step, StepId};
use crate::wanted::{Wanted, WantedSubnet};
use crate::warnings::{restless, warnings};

use digest::digest;
pub use digest::{Digest, NotADigest};

/// The version of the planner's rules. A digest covers it: a planner that plans otherwise names its plans otherwise.
pub const RULES: u32 = 1;

/// What a site allows, and the runbooks it has. From the configuration and the default branch, never from a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How many subnets one change may take away from their CIDR.
    pub vacated_max: usize,
    /// The runbooks, pinned, by gate.
    pub runbooks: Vec<(GateName, RunbookPin)>,
}

impl Default for Policy {
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
    pub audit: Vec<Line>,
    /// What a reader should know before saying yes, one line each.
    pub warnings: Vec<String>,
    /// Why it may only be read, not applied, if so.
    pub read_only: Option<String>,
}

/// Why there is no plan, and how things stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Every reason.
    pub refusals: Vec<Refusal>,
    /// One line per plane.
    pub audit: Vec<Line>,
}

/// What must be observed, beyond the topology lists, before a plan between these can be made.
pub fn scope(topology: &Topology, observed: &Observed) -> Scope {
    let pairing = Pairing::of(topology, observed);
    let Ok(wanted) = Wanted::of(topology, observed, &pairing) else {
        return Scope::default();
    };
    let going = vacated(&wanted, observed, &pairing);
    let mut draft = Drafting::new(topology, observed, &pairing, &wanted);
    draft.walk();
    let spaces: BTreeSet<&str> = observed
        .vlans()
        .filter_map(|vlan| vlan.space.as_deref())
        .collect();
    Scope {
        snippets: snippets::matter(&going, &draft.steps),
        all_nodes: !going.is_empty() || draft.steps.iter().any(touches_what_is_there),
        occupants: going
            .into_iter()
            .chain(
                draft
                    .steps
                    .iter()
                    .filter_map(|step| to_be_served(step, observed)),
            )
            .collect::<BTreeSet<Cidr>>()
            .into_iter()
            .collect(),
        machines: topology.machines.keys().cloned().collect(),
        elsewhere: wanted
            .subnets
            .values()
            .any(|subnet| takes_in(subnet, observed)),
        settings: !draft.leaving().is_empty(),
        all_spaces: wanted
            .spaces
            .iter()
            .any(|space| !spaces.contains(space.as_str())),
    }
}

/// Whether hosts may notice: nothing is written under a machine that MAAS is changing, so all machines are read.
fn touches_what_is_there(step: &Step) -> bool {
    match step.expects.as_ref().or(step.leaves.as_ref()) {
        Some(Object::Vlan(_) | Object::Subnet(_)) => step.expects.is_some(),
        Some(Object::Range(_) | Object::Route(_) | Object::ReservedIp(_) | Object::Snippet(_)) => {
            true
        }
        Some(Object::Space(_) | Object::Fabric(_) | Object::Interface(_) | Object::Link(_))
        | None => false,
    }
}

/// Whether a subnet takes in addresses that none has now.
pub(crate) fn takes_in(subnet: &WantedSubnet, observed: &Observed) -> bool {
    !observed
        .subnets()
        .any(|there| there.cidr.encloses(&subnet.row.cidr))
}

/// A subnet that is there and gets a dynamic range, which may cover no address that somebody has.
fn to_be_served(step: &Step, observed: &Observed) -> Option<Cidr> {
    let range = step.leaves.as_ref()?.as_range()?;
    let new = range.kind == RangeKind::Dynamic && step.expects.as_ref() != step.leaves.as_ref();
    observed
        .subnet(&range.subnet)
        .filter(|_| new)
        .map(|subnet| subnet.cidr)
}

impl Plan {
    /// The plan from what was observed to what is declared, or every reason why there is none.
    ///
    /// Pure: the same arguments give the same plan, byte for byte. `observed` must cover [`scope`].
    pub fn between(
        observed: &Observed,
        topology: &Topology,
        policy: &Policy,
    ) -> Result<Self, Refused> {
        let pairing = Pairing::of(topology, observed);
        let refused = |refusals: Vec<Refusal>, steps: &[Step]| Refused {
            refusals,
            audit: audit(topology, observed, &pairing, steps),
        };
        let wanted =
            Wanted::of(topology, observed, &pairing).map_err(|refusals| refused(refusals, &[]))?;
        let mut draft = Drafting::new(topology, observed, &pairing, &wanted);
        draft.walk();
        let carved = draft.carve();
        let mut gates = draft.gates(&carved.machines);
        let mut refusals = std::mem::take(&mut draft.refusals);
        let vacated = draft.vacated();
        refusals.extend(unseen(observed, &wanted, &vacated));
        refusals.extend(in_transition(observed, topology, &pairing, &draft.steps));
        refusals.extend(snippets::lost(observed, &vacated, &draft));
        refusals.extend(dangling(&wanted, observed, &draft.leaving()));
        refusals.extend(relays::refusals(topology, &wanted, observed, &pairing));
        refusals.extend(too_much(&vacated, policy));
        refusals.extend(fabrics::mixed(&draft.steps));
        for gate in &mut gates {
            gate.runbook = policy
                .runbooks
                .iter()
                .find(|(name, _)| *name == gate.name)
                .map(|(_, pin)| pin.clone());
        }
        let steps = std::mem::take(&mut draft.steps);
        if !refusals.is_empty() {
            refusals.sort();
            refusals.dedup();
            return Err(refused(refusals, &steps));
        }
        let mut warnings = warnings(&wanted, observed, &draft);
        warnings.extend(draft.tenants_lost());
        warnings.extend(snippets::warnings(observed, &draft.leaving(), &steps));
        warnings.extend(fabrics::warnings(&steps, observed));
        warnings.extend(relays::warnings(&wanted, observed, &pairing));
        if !steps.is_empty() {
            warnings.extend(restless(observed));
        }
        warnings.extend(carved.notes);
        let plan = Self {
            digest: digest(&steps, &gates, topology, observed),
            tree: topology.tree.clone(),
            maas_version: observed.version.clone(),
            audit: audit(topology, observed, &pairing, &steps),
            read_only: (!observed.version.is_known()).then(|| {
                format!("MAAS {} is not a release whose rules planebot knows, so this plan is for reading only", observed.version)
            }),
            steps,
            gates,
            warnings,
        };
        let complaints = critic::complaints(&plan, observed);
        if complaints.is_empty() {
            Ok(plan)
        } else {
            let refusals = complaints
                .into_iter()
                .map(|why| {
                    Refusal::new(
                        Code::Unsound,
                        why,
                        "Please report this with the output of `planebot plan --format json`.",
                    )
                })
                .collect();
            Err(refused(refusals, &plan.steps))
        }
    }

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
