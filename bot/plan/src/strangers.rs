//! Strangers: what MAAS has and no plane declares. A plan leaves them as they are.
//!
//! Two ways lead to a stranger. A plane may take a VLAN on which none of its subnets has been, and which somebody else uses;
//! and a write of a fabric or a VLAN may reach the undeclared subnets that hang on it. Both are refused, unless the plane
//! says `adopt: true`; then each effect is a warning. What `leave_alone` names is never adopted. Must not know the order of
//! a plan's writes.

use std::collections::{BTreeMap, BTreeSet};

use topology::address::Cidr;
use topology::object::{Key, RangeKind, Subnet, Vlan, VlanAt};
use topology::observed::Observed;
use topology::plane::{Plane, Topology};

use crate::builder::PlanBuilder;
use crate::desired::removal::named_subnets;
use crate::network::NetworkModel;
use crate::pairing::{Pairing, is_left_alone};
use crate::refusal::{Refusal, RefusalCode};
use crate::render::quoted;
use crate::undeclared::{serves, subnets_by_vlan, undeclared_subnets, undeclared_vlans};

/// How many effects a refusal lists before the rest is counted.
const LISTED_MAX: usize = 8;

/// What a plan does to what nobody declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Strangers {
    pub(crate) refusals: Vec<Refusal>,
    /// One line for each effect that a plane adopts.
    pub(crate) warnings: Vec<String>,
    /// The objects that are adopted.
    pub(crate) adopted: BTreeSet<Key>,
}

/// One effect on one undeclared object.
struct Effect<'a> {
    /// The planes whose declaration causes it.
    planes: Vec<&'a Plane>,
    key: Key,
    /// For example "10.0.11.0/24 `guests` moves from vlan blue/10 to blue/11".
    what: String,
    left_alone: bool,
}

/// Finds every effect of a draft on undeclared objects. Where the draft is not `complete`, because a step was refused, its
/// model of the network says nothing about them.
pub(crate) fn strangers(draft: &PlanBuilder<'_>, complete: bool) -> Strangers {
    let (topology, observed) = (draft.topology, draft.observed);
    let before = NetworkModel::of(observed);
    let mut effects = taken(topology, observed, draft.pairing);
    let mut known: BTreeSet<Key> = effects.iter().map(|effect| effect.key.clone()).collect();
    let dragged = if complete {
        dragged(draft, &before)
    } else {
        Vec::new()
    };
    effects.extend(
        dragged
            .into_iter()
            .filter(|effect| known.insert(effect.key.clone())),
    );
    sorted_out(effects)
}

/// Turns effects into one refusal for each plane, or into warnings where it adopts them.
fn sorted_out(effects: Vec<Effect<'_>>) -> Strangers {
    let mut result = Strangers::default();
    let mut refused: BTreeMap<(String, bool), Vec<String>> = BTreeMap::new();
    for effect in effects {
        let adopting = effect.planes.iter().find(|plane| plane.adopt);
        if let Some(plane) = adopting.filter(|_| !effect.left_alone) {
            result.warnings.push(format!(
                "{} adopts what no plane declares, because it says `adopt: true`: {}",
                quoted(&plane.key),
                effect.what
            ));
            result.adopted.insert(effect.key);
        } else {
            let plane = effect.planes.first().map(|plane| plane.key.clone());
            let at = (plane.unwrap_or_default(), effect.left_alone);
            refused.entry(at).or_default().push(effect.what);
        }
    }
    for ((plane, left_alone), what) in refused {
        result.refusals.push(refusal(&plane, left_alone, &what));
    }
    result
}

fn refusal(plane: &str, left_alone: bool, what: &[String]) -> Refusal {
    let listed: Vec<&str> = what.iter().take(LISTED_MAX).map(String::as_str).collect();
    let more = match what.len() - listed.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let listed = listed.join("; ");
    let (why, help) = if left_alone {
        (
            format!("it would change what `leave_alone` names: {listed}{more}."),
            "Change the declaration so that it stays as it is; or take it out of `leave_alone` and declare it.",
        )
    } else {
        (
            format!("it would change what no plane declares: {listed}{more}."),
            "Declare that too (`planebot import` writes it), or correct the VID or the fabric. `adopt: true` on the plane takes it along on purpose.",
        )
    };
    let refusal = Refusal::new(RefusalCode::Stranger, why, help);
    if plane.is_empty() {
        refusal
    } else {
        refusal.of(plane)
    }
}

/// VLANs that a plane takes: none of its subnets has been there, and something undeclared is.
fn taken<'a>(topology: &'a Topology, observed: &Observed, pairing: &Pairing) -> Vec<Effect<'a>> {
    let rows: BTreeMap<VlanAt, &Vlan> = observed
        .vlans()
        .map(|vlan| (pairing.place(&vlan.at), vlan))
        .collect();
    let on = subnets_by_vlan(observed);
    let mut declared: BTreeSet<Cidr> = pairing.subnets.values().copied().collect();
    declared.extend(named_subnets(topology, observed, pairing).into_keys());
    let mut effects = Vec::new();
    for plane in topology.planes.values().filter(|p| !p.subnets.is_empty()) {
        let Some(row) = rows.get(&plane.vlan) else {
            continue;
        };
        let on_it = on.get(&row.at).map_or(&[][..], Vec::as_slice);
        let old = |cidr| pairing.old_of(cidr);
        let own: BTreeSet<Cidr> = plane.subnets.iter().filter_map(|s| old(s.cidr)).collect();
        if on_it.iter().any(|subnet| own.contains(&subnet.cidr)) {
            continue;
        }
        let undeclared = on_it.iter().filter(|s| !declared.contains(&s.cidr));
        effects.extend(undeclared.map(|subnet| Effect {
            planes: vec![plane],
            key: Key::Subnet(subnet.cidr),
            what: format!(
                "{} is on vlan {}, where {} has had no subnet",
                named(subnet),
                row.at,
                quoted(&plane.key)
            ),
            left_alone: is_left_alone(topology, subnet),
        }));
        if on_it.is_empty() && serves(row) {
            effects.push(Effect {
                planes: vec![plane],
                key: Key::Vlan(row.at.clone()),
                what: format!(
                    "vlan {} has DHCP or a relay, and {} has had no subnet there",
                    row.at,
                    quoted(&plane.key)
                ),
                left_alone: topology.leave_alone.contains(&row.at.fabric),
            });
        }
    }
    effects
}

/// Undeclared subnets and VLANs that are not as they were once the draft's steps are done.
fn dragged<'a>(draft: &PlanBuilder<'a>, before: &NetworkModel) -> Vec<Effect<'a>> {
    let (topology, observed) = (draft.topology, draft.observed);
    let mut effects = Vec::new();
    let removed = &draft.desired.removal.subnets;
    let undeclared = undeclared_subnets(observed, draft.pairing);
    for subnet in undeclared.filter(|it| !removed.contains_key(&it.cidr)) {
        let Some(after) = draft.network.subnet(&subnet.cidr) else {
            continue;
        };
        let changes = changes(before, &draft.network, subnet, after);
        if !changes.is_empty() {
            let relay = before.vlan(&subnet.vlan).and_then(|old| old.relay.as_ref());
            effects.push(Effect {
                planes: causes(draft, &after.vlan, relay),
                key: Key::Subnet(subnet.cidr),
                what: format!("{} {}", named(subnet), changes.join(", ")),
                left_alone: is_left_alone(topology, subnet),
            });
        }
    }
    for vlan in undeclared_vlans(observed, topology, draft.pairing) {
        effects.extend(dragged_vlan(draft, vlan));
    }
    effects
}

/// What the draft does to an undeclared VLAN that has no subnets: those with subnets are reported with them.
fn dragged_vlan<'a>(draft: &PlanBuilder<'a>, vlan: &Vlan) -> Option<Effect<'a>> {
    let place = draft.pairing.place(&vlan.at);
    let relay = vlan.relay.as_ref();
    let what = match relay.and_then(|to| unserved(draft, to)) {
        Some(what) => what,
        None if place.fabric != vlan.at.fabric => {
            format!("comes to fabric {}", quoted(&place.fabric))
        }
        None => return None,
    };
    Some(Effect {
        planes: causes(draft, &place, relay),
        key: Key::Vlan(vlan.at.clone()),
        what: format!("vlan {} {what}", vlan.at),
        left_alone: draft.topology.leave_alone.contains(&vlan.at.fabric),
    })
}

/// The words for a VLAN's DHCP that goes off although an undeclared VLAN is relayed to it.
fn unserved(draft: &PlanBuilder<'_>, to: &VlanAt) -> Option<String> {
    let served = draft.observed.vlan(to).is_some_and(|vlan| vlan.dhcp_on);
    let after = draft.network.vlan(&draft.pairing.place(to));
    let serves = after.is_some_and(|vlan| vlan.dhcp_on);
    (served && !serves).then(|| format!("is relayed to vlan {to}, whose DHCP goes off"))
}

/// What becomes different for an undeclared subnet.
fn changes(before: &NetworkModel, after: &NetworkModel, was: &Subnet, is: &Subnet) -> Vec<String> {
    let mut changes = Vec::new();
    if was.vlan != is.vlan {
        changes.push(format!("moves from vlan {} to {}", was.vlan, is.vlan));
    }
    let (Some(old), Some(new)) = (before.vlan(&was.vlan), after.vlan(&is.vlan)) else {
        return changes;
    };
    if old.space != new.space {
        let name = |vlan: &Vlan| vlan.space.as_deref().map_or("none".to_owned(), quoted);
        changes.push(format!("moves from space {} to {}", name(old), name(new)));
    }
    let served = before
        .ranges_of(was.cidr)
        .any(|range| range.kind == RangeKind::Dynamic);
    if served && old.dhcp_on != new.dhcp_on {
        let word = if new.dhcp_on { "gets" } else { "loses" };
        changes.push(format!("{word} DHCP"));
    }
    if old.relay.is_some() && new.relay.is_none() {
        changes.push("loses its DHCP relay".to_owned());
    }
    let serves = |network: &NetworkModel, to: Option<&VlanAt>| {
        to.and_then(|to| network.vlan(to))
            .is_some_and(|vlan| vlan.dhcp_on)
    };
    if let (Some(to), Some(_)) = (&old.relay, &new.relay)
        && serves(before, Some(to))
        && !serves(after, new.relay.as_ref())
    {
        changes.push(format!("is relayed to vlan {to}, whose DHCP goes off"));
    }
    changes
}

/// The planes that may have caused a change of a VLAN or of its relay's target: those whose steps write either, or else those
/// of its fabric.
fn causes<'a>(draft: &PlanBuilder<'a>, at: &VlanAt, relay: Option<&VlanAt>) -> Vec<&'a Plane> {
    let target = relay.map(|to| draft.pairing.place(to));
    let written = |vlan: &Vlan| {
        let place = draft.pairing.place(&vlan.at);
        place == *at || Some(place) == target
    };
    let by_steps: BTreeSet<&str> = draft
        .steps
        .iter()
        .filter(|step| {
            let vlan = step.expects.as_ref().and_then(|object| object.as_vlan());
            vlan.is_some_and(written)
        })
        .filter_map(|step| step.plane.as_deref())
        .collect();
    let planes = draft.topology.planes.values();
    let writing: Vec<&Plane> = planes
        .clone()
        .filter(|plane| by_steps.contains(plane.key.as_str()))
        .collect();
    if !writing.is_empty() {
        return writing;
    }
    planes
        .filter(|plane| plane.vlan.fabric == at.fabric)
        .collect()
}

fn named(subnet: &Subnet) -> String {
    if subnet.name == subnet.cidr.to_string() {
        subnet.name.clone()
    } else {
        format!("{} {}", subnet.cidr, quoted(&subnet.name))
    }
}
