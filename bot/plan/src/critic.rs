//! Checks the invariants of a plan, independently of how it was made.
//!
//! Applies the steps to a model of the observed network and reports every invariant that does not hold. It shares only the
//! network model with the planner; it must not know how a plan is made.

use std::collections::{BTreeMap, BTreeSet};

use topology::address::Cidr;
use topology::object::{Key, Link, Mode, Object, VlanAt};
use topology::observed::{Holder, NodeKind, Observed};

use crate::audit::AuditStatus;
use crate::departures::Departures;
use crate::gate::{Gate, GateEvidence};
use crate::network::NetworkModel;
use crate::plan::Plan;
use crate::render::quoted;
use crate::snippets;
use crate::step::{Phase, Step};

/// Every violated invariant, one line each; empty for a sound plan.
pub fn complaints(plan: &Plan, observed: &Observed) -> Vec<String> {
    let mut complaints = Vec::new();
    let after = walk(plan, observed, &mut complaints);
    untouched(plan, &NetworkModel::of(observed), &after, &mut complaints);
    order(plan, &mut complaints);
    vacancy(plan, observed, &after, &mut complaints);
    gates(plan, &mut complaints);
    complaints
}

/// Every step starts from the state that the previous step left, MAAS refuses none of them, no MTU is temporarily too large,
/// and MAAS deletes nothing silently.
fn walk(plan: &Plan, observed: &Observed, complaints: &mut Vec<String>) -> NetworkModel {
    let mut network = after_teardown(plan, observed);
    let mut squeezed = Vec::new();
    for step in &plan.steps {
        let before = too_long(&network, step);
        let dropped = snippets::drops(step, &observed.version)
            .and_then(|cidr| network.snippets_of(cidr).next());
        if let Some(snippet) = dropped {
            complaints.push(format!(
                "step {} lets MAAS silently delete the DHCP snippet {}",
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
        // One that the plan removes carries nobody any more.
        if !is_too_long(&network, &at) && network.vlan(&at).is_some() {
            complaints.push(format!(
                "step {step} temporarily makes the MTU of vlan {at} larger than its untagged VLAN's"
            ));
        }
    }
    network
}

/// The network once everybody has left who has to, and machines have been commissioned again.
fn after_teardown(plan: &Plan, observed: &Observed) -> NetworkModel {
    let mut network = NetworkModel::of(observed);
    let departures = Departures::of(plan);
    let leaving: BTreeSet<String> = departures.hosts(observed);
    let made: BTreeSet<Key> = plan
        .steps
        .iter()
        .filter(|step| step.expects.is_none())
        .filter_map(|step| step.leaves.as_ref().map(Object::key))
        .collect();
    // By then a subnet that grows or shrinks has its new CIDR, and its links with it.
    let resized: BTreeMap<Cidr, Cidr> = plan.steps.iter().filter_map(resized).collect();
    let later = |link: &Link| {
        let now = resized.get(&link.subnet).copied();
        let subnet = now.unwrap_or(link.subnet);
        Object::Link(Link {
            subnet,
            ..link.clone()
        })
        .key()
    };
    // Links that are removed at the teardown gate, and those that commissioning may have removed by the time they are
    // created.
    let gone: Vec<Link> = network
        .links()
        .filter(|link| {
            departures.take_link(link)
                || (leaving.contains(&link.host) && made.contains(&later(link)))
        })
        .cloned()
        .collect();
    for link in gone {
        network.unlink(&link);
    }
    let evidence = plan.gates.iter().flat_map(|gate| &gate.evidence);
    for (host, name) in evidence.flat_map(GateEvidence::detached) {
        network.detach(host, name);
    }
    // Links that commissioning may leave on a boot interface, which are then removed.
    let left = plan
        .steps
        .iter()
        .filter(|step| step.leaves.is_none())
        .filter_map(|step| step.expects.as_ref()?.as_link())
        .filter(|link| link.mode == Mode::Auto && leaving.contains(&link.host));
    for link in left {
        network.link(link.clone());
    }
    network
}

/// The CIDR of a subnet before and after a step that changes it and keeps what is on it.
fn resized(step: &Step) -> Option<(Cidr, Cidr)> {
    let before = step.expects.as_ref()?.as_subnet()?.cidr;
    let after = step.leaves.as_ref()?.as_subnet()?.cidr;
    (before != after && !step.vacant).then_some((before, after))
}

/// What no plane declares is as it was, with its VLAN, unless the plan says that it is adopted.
fn untouched(
    plan: &Plan,
    before: &NetworkModel,
    after: &NetworkModel,
    complaints: &mut Vec<String>,
) {
    let undeclared = plan
        .audit
        .iter()
        .filter(|line| line.standing == AuditStatus::Undeclared);
    for cidr in undeclared.filter_map(|line| line.cidr) {
        let key = Key::Subnet(cidr);
        if plan.adopted.contains(&key) {
            continue;
        }
        let seen = |network: &NetworkModel| {
            let subnet = network.subnet(&cidr)?.clone();
            let space = network.vlan(&subnet.vlan)?.space.clone();
            let ranges: Vec<_> = network.ranges_of(cidr).cloned().collect();
            Some((subnet, space, ranges))
        };
        if seen(before) != seen(after) {
            complaints.push(format!(
                "{cidr}, which no plane declares, does not stay as it is"
            ));
        }
    }
}

/// Tagged VLANs with a larger MTU than their untagged VLAN, in the fabric whose MTU a step changes.
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

/// Phases are in order, ids are consecutive, and subnets and ranges are deleted only in the delete phase.
fn order(plan: &Plan, complaints: &mut Vec<String>) {
    for pair in plan.steps.windows(2) {
        if pair[0].phase > pair[1].phase {
            complaints.push(format!(
                "step {} belongs to a later phase than step {}",
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
        complaints.push(format!("step {} deletes after the delete phase", step.id));
    }
}

/// A step that takes a subnet away from somebody must first check that it is vacant; one that shrinks it follows gates that
/// name what lies outside.
fn vacancy(plan: &Plan, observed: &Observed, network: &NetworkModel, complaints: &mut Vec<String>) {
    for step in &plan.steps {
        let (changes, takes) = match (&step.expects, &step.leaves) {
            (Some(Object::Subnet(_) | Object::Vlan(_) | Object::Fabric(_)), None) => (true, true),
            (Some(Object::Subnet(before)), Some(Object::Subnet(after))) => (
                before.cidr != after.cidr || before.vlan != after.vlan,
                (before.vlan != after.vlan && is_dragged(plan, before.cidr, observed, network))
                    || !(after.cidr.encloses(&before.cidr) || before.cidr.encloses(&after.cidr)),
            ),
            _ => (false, false),
        };
        if (takes && !step.vacant) || (step.vacant && !changes) {
            complaints.push(format!("step {} has a wrong `vacant` flag", step.id));
        }
        if deletes_container(step) && !is_removed(step, plan) {
            complaints.push(format!("step {} deletes a VLAN, fabric or space", step.id));
        }
    }
    for (old, new) in Departures::of(plan).shrinking() {
        cut_off(plan, observed, (*old, *new), complaints);
    }
}

/// Everybody whose address will lie outside of a subnet that shrinks is at a gate before the step.
fn cut_off(
    plan: &Plan,
    observed: &Observed,
    (old, new): (Cidr, Cidr),
    complaints: &mut Vec<String>,
) {
    let Some(known) = observed.occupants.get(&old) else {
        complaints.push(format!("nobody looked who is on {old}, which shrinks"));
        return;
    };
    let step = plan.steps.iter().find(|step| {
        let before = step.expects.as_ref().and_then(Object::as_subnet);
        before.is_some_and(|before| before.cidr == old) && step.leaves.is_some()
    });
    let gated = |wanted: bool| {
        let named = |evidence: &GateEvidence| {
            matches!(evidence, GateEvidence::Vacant { controllers, keeping, .. }
                if *controllers == wanted && keeping.get(&old) == Some(&new))
        };
        let before = |gate: &&Gate| gate.before <= step.map(|step| step.id);
        let mut gates = plan.gates.iter().filter(before);
        gates.any(|gate| gate.evidence.iter().any(named))
    };
    let is_controller = |host: &str| {
        let node = observed.nodes.get(host);
        node.is_some_and(|node| node.kind == NodeKind::Controller)
    };
    let linked = observed.links().filter_map(|link| match link.mode {
        Mode::Static(ip) if link.subnet == old && !new.contains(ip) => {
            Some((ip, is_controller(&link.host)))
        }
        Mode::Static(_) | Mode::Auto | Mode::Dhcp | Mode::LinkUp => None,
    });
    let used = known.iter().filter_map(|occupant| {
        let ip = occupant.ip.filter(|ip| !new.contains(*ip))?;
        match &occupant.holder {
            Holder::Bmc { .. } | Holder::Passing => None,
            Holder::Node { host, .. } => Some((ip, is_controller(host))),
            Holder::Dns { .. } | Holder::User { .. } | Holder::Unknown(_) => Some((ip, false)),
        }
    });
    for (ip, controller) in linked.chain(used) {
        if !gated(controller) {
            complaints.push(format!(
                "{ip} lies outside of {new}, and no gate waits for it"
            ));
        }
    }
}

/// Whether a controller has an interface with that subnet, which goes to another VLAN, and with one that does not go there:
/// its next report would move one of them.
fn is_dragged(plan: &Plan, cidr: Cidr, observed: &Observed, after: &NetworkModel) -> bool {
    let is_controller = |host: &str| {
        let node = observed.nodes.get(host);
        node.is_some_and(|node| node.kind == NodeKind::Controller)
    };
    let goal = |cidr: Cidr| {
        let subnet = |object: &Option<Object>| object.as_ref()?.as_subnet().map(|row| row.cidr);
        let now = plan.steps.iter().try_fold(cidr, |now, step| {
            if subnet(&step.expects) == Some(now) {
                subnet(&step.leaves)
            } else {
                Some(now)
            }
        });
        Some(after.subnet(&now?)?.vlan.clone())
    };
    observed
        .links()
        .filter(|link| link.subnet == cidr && is_controller(&link.host))
        .flat_map(|link| {
            let others = observed.links();
            others.filter(|other| other.host == link.host && other.interface == link.interface)
        })
        .any(|other| goal(other.subnet).is_some_and(|vlan| Some(vlan) != goal(cidr)))
}

/// Whether the files remove what a step deletes.
fn is_removed(step: &Step, plan: &Plan) -> bool {
    let key = step.expects.as_ref().map(Object::key);
    key.is_some_and(|key| plan.removed.contains(&key))
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

/// Gates are before existing steps, in the order of the run.
fn gates(plan: &Plan, complaints: &mut Vec<String>) {
    let ids: BTreeSet<_> = plan.steps.iter().map(|step| step.id).collect();
    let mut last = None;
    for gate in &plan.gates {
        if gate.before.is_some_and(|before| !ids.contains(&before)) {
            complaints.push(format!(
                "gate {} is before a step that does not exist",
                gate.name.word()
            ));
        }
        let place = gate.before.map_or(u32::MAX, |id| id.0);
        if last.is_some_and(|last| last > place) {
            complaints.push(format!("gate {} is out of order", gate.name.word()));
        }
        last = Some(place);
    }
}

/// The keys of all objects that a plan touches.
pub fn touched(plan: &Plan) -> BTreeSet<Key> {
    plan.steps.iter().flat_map(Step::keys).collect()
}
