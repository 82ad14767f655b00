//! Makes the plan between an observed network and a declared one.
//!
//! Runs the builder, collects every refusal, adds the gates and the warnings, and has the critic check the result. It must
//! not know how a plan is shown or run.

mod fabrics;
mod ranges;
mod relays;
mod removal;

use std::collections::BTreeSet;

use topology::address::Cidr;
use topology::object::{Object, RangeKind};
use topology::observed::{Observed, Scope};
use topology::plane::Topology;

use crate::audit::audit;
use crate::builder::PlanBuilder;
use crate::critic;
use crate::desired::{Desired, adds_addresses};
use crate::gate::Gate;
use crate::hazards::{dangling, in_transition, unseen};
use crate::limits;
use crate::notes::PlanNotes;
use crate::pairing::Pairing;
use crate::plan::{Plan, PlanPolicy, RefusedPlan, digest};
use crate::refusal::{Refusal, RefusalCode};
use crate::snippets;
use crate::step::Step;
use crate::strangers::strangers;
use crate::warnings::{restless, warnings};

/// What must be read, besides the topology lists, before a plan can be made.
pub fn scope(topology: &Topology, observed: &Observed) -> Scope {
    let pairing = Pairing::of(topology, observed);
    let Ok(desired) = Desired::of(topology, observed, &pairing) else {
        return Scope::default();
    };
    let mut draft = PlanBuilder::new(topology, observed, &pairing, &desired);
    draft.build();
    let vacated = draft.vacated();
    let left: Vec<Cidr> = draft.departures().subnets().collect();
    let spaces: BTreeSet<&str> = observed
        .vlans()
        .filter_map(|vlan| vlan.space.as_deref())
        .collect();
    Scope {
        snippets: snippets::matter(&vacated, &draft.steps),
        all_nodes: !left.is_empty()
            || !desired.removal.is_empty()
            || draft.steps.iter().any(touches_what_is_there),
        occupants: left
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
        elsewhere: desired
            .subnets
            .values()
            .any(|subnet| adds_addresses(subnet, observed)),
        settings: !draft.leaving().is_empty(),
        all_spaces: !topology.removed.spaces.is_empty()
            || desired
                .spaces
                .iter()
                .any(|space| !spaces.contains(space.as_str())),
    }
}

/// Whether hosts may be affected: nothing is changed under a machine that MAAS itself is changing, so all machines must be
/// read.
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

/// An existing subnet that gets a dynamic range, which may not include an address in use.
fn to_be_served(step: &Step, observed: &Observed) -> Option<Cidr> {
    let range = step.leaves.as_ref()?.as_range()?;
    let new = range.kind == RangeKind::Dynamic && step.expects.as_ref() != step.leaves.as_ref();
    observed
        .subnet(&range.subnet)
        .filter(|_| new)
        .map(|subnet| subnet.cidr)
}

impl Plan {
    /// Makes the plan from what was observed to what is declared, or returns every reason why there is none.
    ///
    /// Pure: the same arguments give the same plan, byte for byte. `observed` must cover [`scope`].
    pub fn between(
        observed: &Observed,
        topology: &Topology,
        policy: &PlanPolicy,
    ) -> Result<Self, RefusedPlan> {
        let pairing = Pairing::of(topology, observed);
        let refused = |refusals: Vec<Refusal>, steps: &[Step]| RefusedPlan {
            refusals,
            audit: audit(topology, observed, &pairing, steps),
            read_only: read_only(observed),
        };
        let desired =
            Desired::of(topology, observed, &pairing).map_err(|refusals| refused(refusals, &[]))?;
        let mut draft = PlanBuilder::new(topology, observed, &pairing, &desired);
        draft.build();
        let carved = draft.carve();
        draft.remove_containers();
        let mut gates = draft.gates(&carved.machines);
        pin_runbooks(&mut gates, policy);
        let mut refusals = refusals(&mut draft, policy);
        let strangers = strangers(&draft, refusals.is_empty());
        if refusals.is_empty() {
            refusals.extend(ranges::refusals(&draft));
        }
        refusals.extend(strangers.refusals);
        let lost_gateways = draft.lost_gateways(&draft.departures());
        let over_limits = limits::over(&draft, policy).1;
        let steps = std::mem::take(&mut draft.steps);
        if !refusals.is_empty() {
            refusals.sort();
            refusals.dedup();
            return Err(refused(refusals, &steps));
        }
        let mut warnings = warnings(&desired, observed, &draft);
        warnings.extend(draft.lost_occupants());
        warnings.extend(snippets::warnings(observed, &draft.loses(), &steps));
        warnings.extend(crate::hosts::warnings(&draft));
        warnings.extend(fabrics::warnings(&steps, observed));
        warnings.extend(relays::warnings(&desired, observed, &pairing));
        if !steps.is_empty() {
            warnings.extend(restless(observed));
        }
        warnings.extend(ranges::warnings(&draft));
        warnings.extend(strangers.warnings);
        warnings.extend(removal::warnings(&draft));
        warnings.extend(over_limits);
        warnings.extend(lost_gateways);
        let plan = Self {
            digest: digest(&steps, &gates, topology, observed),
            tree: topology.tree.clone(),
            maas_version: observed.version.clone(),
            audit: audit(topology, observed, &pairing, &steps),
            read_only: read_only(observed),
            notes: PlanNotes::of(&steps, observed),
            steps,
            gates,
            warnings,
            adopted: strangers.adopted,
            removed: draft.removed_keys(),
            waits: carved.waits,
        };
        let unsound = unsound(&plan, observed);
        if unsound.is_empty() {
            Ok(plan)
        } else {
            Err(refused(unsound, &plan.steps))
        }
    }
}

/// Every refusal of the builder and of the hazards.
fn refusals(draft: &mut PlanBuilder<'_>, policy: &PlanPolicy) -> Vec<Refusal> {
    let (observed, topology) = (draft.observed, draft.topology);
    let (desired, pairing) = (draft.desired, draft.pairing);
    let mut refusals = std::mem::take(&mut draft.refusals);
    let vacated = draft.vacated();
    refusals.extend(unseen(observed, desired, &draft.departures()));
    refusals.extend(in_transition(observed, topology, pairing, &draft.steps));
    refusals.extend(snippets::lost(observed, &vacated, draft));
    refusals.extend(dangling(desired, observed, &draft.leaving()));
    refusals.extend(relays::refusals(topology, desired, observed, pairing));
    refusals.extend(limits::over(draft, policy).0);
    let held = removal::refusals(draft);
    if held.is_empty() {
        refusals.append(&mut draft.held);
    }
    refusals.extend(held);
    refusals
}

fn pin_runbooks(gates: &mut [Gate], policy: &PlanPolicy) {
    for gate in gates {
        let mut runbooks = policy.runbooks.iter();
        let runbook = runbooks.find(|(name, _)| *name == gate.name);
        gate.runbook = runbook.map(|(_, pin)| pin.clone());
    }
}

/// What the critic finds wrong with a plan, as refusals.
fn unsound(plan: &Plan, observed: &Observed) -> Vec<Refusal> {
    let help = "Please report this with the output of `planebot plan --format json`.";
    critic::complaints(plan, observed)
        .into_iter()
        .map(|why| Refusal::new(RefusalCode::Unsound, why, help))
        .collect()
}

/// Why no plan for a MAAS of this release can be applied.
fn read_only(observed: &Observed) -> Option<String> {
    let version = &observed.version;
    (!version.is_known()).then(|| {
        format!("planebot does not know the rules of MAAS {version}, so this plan is read-only")
    })
}
