//! VLANs that move to another fabric with everything on them.
//!
//! One write of one row moves every interface and subnet of the VLAN to what MAAS regards as other cabling. It stands in the
//! create phase beside other changes, and a warning shows its whole effect. Must not know which VLANs may move (see
//! `pairing`).

use std::collections::BTreeSet;

use topology::object::{Interface, InterfaceKind, Key, Object, Vlan};
use topology::observed::Observed;

use crate::hosts::{listed, named, up_on};
use crate::step::Step;

/// The VLAN before and after, if a step moves it to another fabric.
fn moved(step: &Step) -> Option<(&Vlan, &Vlan)> {
    let (before, after) = (
        step.expects.as_ref()?.as_vlan()?,
        step.leaves.as_ref()?.as_vlan()?,
    );
    (before.at.fabric != after.at.fabric).then_some((before, after))
}

/// Warnings: the interfaces that move too, and those whose parents stay.
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
            let up: BTreeSet<String> = up_on(before, observed).map(named).collect();
            let up = match up.len() {
                0 => String::new(),
                _ => format!("; hosts that are up: {}", listed(&up)),
            };
            let along = format!(
                "vlan {} moves to fabric `{}` with its subnets and {} interfaces: MAAS does not check this, so cables \
                 and switches must match{up}",
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
                        "`{}` of `{}` moves to fabric `{}`, but its parent stays in `{}`: MAAS only logs this",
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
