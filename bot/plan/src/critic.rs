//! Checks any plan, whoever made it.
//!
//! Walks the steps on paper from what was observed and complains where an invariant does not hold. It shares the paper's
//! rules with the planner and nothing else; it must not know how a plan is found.

use std::collections::BTreeSet;

use topology::object::{Key, Link, Mode, Object, VlanAt};
use topology::observed::Observed;

use crate::network::NetworkModel;
use crate::plan::Plan;
use crate::render::quoted;
use crate::snippets;
use crate::step::{Phase, Step};

/// Everything that is wrong with the plan, one line each; empty for a sound plan.
pub fn complaints(plan: &Plan, observed: &Observed) -> Vec<String> {
    let mut complaints = Vec::new();
    walk(plan, observed, &mut complaints);
    order(plan, &mut complaints);
    vacancy(plan, &mut complaints);
    gates(plan, &mut complaints);
    complaints
}

/// Every step stands on what the step before left, none is one that MAAS refuses, no frame is too long in between, and
/// nothing goes in silence.
fn walk(plan: &Plan, observed: &Observed, complaints: &mut Vec<String>) {
    let mut network = NetworkModel::of(observed);
    let vacated = plan.vacated();
    let leaving: BTreeSet<String> = network
        .links()
        .filter(|link| vacated.contains(&link.subnet))
        .map(|link| link.host.clone())
        .collect();
    let made: BTreeSet<Key> = plan
        .steps
        .iter()
        .filter(|step| step.expects.is_none())
        .filter_map(|step| step.leaves.as_ref().map(Object::key))
        .collect();
    // What the teardown gate takes away, and what commissioning may have wiped by the time it is made.
    let gone: Vec<Link> = network
        .links()
        .filter(|link| {
            vacated.contains(&link.subnet)
                || (leaving.contains(&link.host)
                    && made.contains(&Object::Link((*link).clone()).key()))
        })
        .cloned()
        .collect();
    for link in gone {
        network.unlink(&link);
    }
    // What commissioning may leave on a boot interface by the time it is taken away.
    let left = plan
        .steps
        .iter()
        .filter(|step| step.leaves.is_none())
        .filter_map(|step| step.expects.as_ref()?.as_link())
        .filter(|link| link.mode == Mode::Auto && leaving.contains(&link.host));
    for link in left {
        network.link(link.clone());
    }
    let mut squeezed = Vec::new();
    for step in &plan.steps {
        let before = too_long(&network, step);
        let dropped = snippets::drops(step, &observed.version)
            .and_then(|cidr| network.snippets_of(cidr).next());
        if let Some(snippet) = dropped {
            complaints.push(format!(
                "step {} lets MAAS drop the DHCP snippet {} in silence",
                step.id,
                quoted(&snippet.name)
            ));
        }
        if let Err(violation) = network.apply(&step.write()) {
            complaints.push(format!("step {}: {violation}", step.id));
        }
        let after = too_long(&network, step);
        squeezed.extend(after.difference(&before).map(|at| (step.id, at.clone())));
    }
    for (step, at) in squeezed {
        if !is_too_long(&network, &at) {
            complaints.push(format!(
                "step {step} lets frames of vlan {at} grow past its carrier's MTU for a while"
            ));
        }
    }
}

/// Tagged VLANs of the fabric whose MTU a step changes, with a greater MTU than the untagged VLAN that carries them.
fn too_long(network: &NetworkModel, step: &Step) -> BTreeSet<VlanAt> {
    let (Some(before), Some(after)) = (
        step.expects.as_ref().and_then(Object::as_vlan),
        step.leaves.as_ref().and_then(Object::as_vlan),
    ) else {
        return BTreeSet::new();
    };
    if before.mtu == after.mtu {
        return BTreeSet::new();
    }
    network
        .vlans()
        .filter(|vlan| vlan.at.fabric == after.at.fabric)
        .map(|vlan| vlan.at.clone())
        .filter(|at| is_too_long(network, at))
        .collect()
}

fn is_too_long(network: &NetworkModel, at: &VlanAt) -> bool {
    let carrier = VlanAt {
        vid: 0,
        fabric: at.fabric.clone(),
    };
    matches!(
        (network.vlan(&carrier), network.vlan(at)),
        (Some(carrier), Some(carried)) if carried.mtu > carrier.mtu
    )
}

/// Phases in order; all deletes of subnets before all creates; dynamic ranges before reserved ones before their subnet.
fn order(plan: &Plan, complaints: &mut Vec<String>) {
    for pair in plan.steps.windows(2) {
        if pair[0].phase > pair[1].phase {
            complaints.push(format!(
                "step {} is of a later phase than step {}",
                pair[0].id, pair[1].id
            ));
        }
        if pair[1].id.0 != pair[0].id.0 + 1 {
            complaints.push(format!(
                "step {} is followed by step {}",
                pair[0].id, pair[1].id
            ));
        }
    }
    let deletes_late = plan
        .steps
        .iter()
        .filter(|step| step.phase != Phase::Delete)
        .filter(|step| {
            matches!(
                (&step.expects, &step.leaves),
                (Some(Object::Subnet(_) | Object::Range(_)), None)
            )
        });
    for step in deletes_late {
        complaints.push(format!("step {} deletes after the creates began", step.id));
    }
}

/// Whatever takes a network away looks first whether somebody lives there.
fn vacancy(plan: &Plan, complaints: &mut Vec<String>) {
    for step in &plan.steps {
        let takes = match (&step.expects, &step.leaves) {
            (Some(Object::Subnet(_)), None) => true,
            (Some(Object::Subnet(before)), Some(Object::Subnet(after))) => {
                before.cidr != after.cidr || before.vlan != after.vlan
            }
            _ => false,
        };
        if takes != step.vacant {
            complaints.push(format!(
                "step {} does not say rightly whether its subnet must be vacant",
                step.id
            ));
        }
        if deletes_container(step) {
            complaints.push(format!("step {} deletes a VLAN, fabric or space", step.id));
        }
    }
}

fn deletes_container(step: &Step) -> bool {
    matches!(
        (&step.expects, &step.leaves),
        (
            Some(Object::Vlan(_) | Object::Fabric(_) | Object::Space(_)),
            None
        )
    )
}

/// Gates stand before steps that exist, in the order of the run.
fn gates(plan: &Plan, complaints: &mut Vec<String>) {
    let ids: BTreeSet<_> = plan.steps.iter().map(|step| step.id).collect();
    let mut last = None;
    for gate in &plan.gates {
        if gate.before.is_some_and(|before| !ids.contains(&before)) {
            complaints.push(format!("gate {} stands before no step", gate.name.word()));
        }
        let place = gate.before.map_or(u32::MAX, |id| id.0);
        if last.is_some_and(|last| last > place) {
            complaints.push(format!("gate {} stands out of order", gate.name.word()));
        }
        last = Some(place);
    }
}

/// The objects that a plan touches, by key: what it reads before and leaves after.
pub fn touched(plan: &Plan) -> BTreeSet<Key> {
    plan.steps.iter().flat_map(Step::keys).collect()
}
