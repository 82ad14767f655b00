//! VLANs that go to another fabric with everything on them.
//!
//! One write of one row moves every interface and network of the VLAN to what MAAS takes for other cables, so such a plan
//! holds nothing else: whoever reads it sees the whole of it. Must not know which VLANs may go (see `pairing`).

use topology::object::{Interface, InterfaceKind, Key, Object, Vlan};
use topology::observed::Observed;

use crate::refusal::{Refusal, RefusalCode};
use crate::step::Step;

/// The VLAN before and after, where a step takes it to another fabric.
fn moved(step: &Step) -> Option<(&Vlan, &Vlan)> {
    let (before, after) = (
        step.expects.as_ref()?.as_vlan()?,
        step.leaves.as_ref()?.as_vlan()?,
    );
    (before.at.fabric != after.at.fabric).then_some((before, after))
}

/// Whether a step does nothing but take a VLAN to another fabric.
fn only_moves(step: &Step) -> bool {
    moved(step).is_some_and(|(before, after)| {
        let there = Vlan {
            at: after.at.clone(),
            ..before.clone()
        };
        there == *after
    })
}

/// A move between fabrics beside anything else.
pub(super) fn mixed(steps: &[Step]) -> Vec<Refusal> {
    let beside = steps.iter().filter(|step| !only_moves(step)).count();
    if beside == 0 {
        return Vec::new();
    }
    steps
        .iter()
        .filter_map(|step| Some((step, moved(step)?)))
        .map(|(step, (before, after))| {
            let refusal = Refusal::new(
                RefusalCode::Mixed,
                format!(
                    "vlan {} goes to fabric `{}` with everything on it, and the same change does {beside} other writes.",
                    before.at, after.at.fabric
                ),
                "Move it between the fabrics in one change, and do the rest in another.",
            );
            match &step.plane {
                Some(plane) => refusal.of(plane),
                None => refusal,
            }
        })
        .collect()
}

/// What a reader should know: who goes along, and whose parents stay behind.
pub(super) fn warnings(steps: &[Step], observed: &Observed) -> Vec<String> {
    steps
        .iter()
        .filter_map(moved)
        .flat_map(|(before, after)| {
            let on_it: Vec<_> = observed
                .all()
                .filter_map(Object::as_interface)
                .filter(|interface| interface.vlan.as_ref() == Some(&before.at))
                .collect();
            let along = format!(
                "vlan {} goes to fabric `{}` as it is, its networks and {} interfaces that were read with it: MAAS \
                 believes it, the cables and switches must agree",
                before.at,
                after.at.fabric,
                on_it.len()
            );
            let apart = on_it
                .into_iter()
                .filter(|interface| {
                    interface.kind == InterfaceKind::Vlan
                        && stays_behind(interface, &after.at.fabric, observed)
                })
                .map(|interface| {
                    format!(
                        "`{}` of `{}` goes to fabric `{}`, and its parent stays in `{}`: MAAS only logs that",
                        interface.name, interface.host, after.at.fabric, before.at.fabric
                    )
                });
            std::iter::once(along).chain(apart).collect::<Vec<_>>()
        })
        .collect()
}

/// Whether a parent of a VLAN interface is in another fabric than `fabric`.
fn stays_behind(interface: &Interface, fabric: &str, observed: &Observed) -> bool {
    interface.parents.iter().any(|parent| {
        observed
            .get(&Key::Interface(interface.host.clone(), parent.clone()))
            .and_then(Object::as_interface)
            .and_then(|parent| parent.vlan.as_ref())
            .is_some_and(|at| at.fabric != fabric)
    })
}
