//! Hazards: reasons to refuse a plan although MAAS would accept every write: unread data, machines in transition, dangling
//! references.
//!
//! Each rule checks what was observed and returns refusals; must not know how a plan is made or shown.

use std::collections::BTreeSet;

use topology::address::Cidr;
use topology::object::VlanAt;
use topology::observed::{NodeKind, Observed};
use topology::plane::Topology;

use crate::departures::Departures;
use crate::desired::{Desired, adds_addresses};
use crate::pairing::Pairing;
use crate::refusal::{Refusal, RefusalCode};
use crate::step::Step;

/// The states in which MAAS itself is changing a machine (3.5.9 src/maascommon/enums/node.py). Nothing is planned on a VLAN
/// of such a machine.
pub(crate) const IN_TRANSITION: [&str; 12] = [
    "Commissioning",
    "Testing",
    "Deploying",
    "Releasing",
    "Disk erasing",
    "Entering rescue mode",
    "Rescue mode",
    "Exiting rescue mode",
    "Failed to enter rescue mode",
    "Failed to exit rescue mode",
    "Releasing failed",
    "Failed disk erasing",
];

/// Refuses to plan without having read what a safe plan needs: the addresses in use on subnets that are left, links, and addresses
/// outside all subnets.
pub(crate) fn unseen(
    observed: &Observed,
    desired: &Desired,
    departures: &Departures,
) -> Vec<Refusal> {
    let left: Vec<Cidr> = departures.subnets().collect();
    let mut refusals: Vec<Refusal> = left
        .iter()
        .filter(|cidr| !observed.occupants.contains_key(cidr))
        .map(|cidr| {
            Refusal::new(
                RefusalCode::Unseen,
                format!("the addresses in use on {cidr} were not read."),
                "Plan again.",
            )
        })
        .collect();
    if !left.is_empty() && !observed.all_nodes {
        refusals.push(Refusal::new(
            RefusalCode::Unseen,
            "the machines' links were not read.",
            "Plan again.",
        ));
    }
    let unasked = observed.elsewhere.is_none() && observed.blind.is_empty();
    refusals.extend(
        desired
            .subnets
            .values()
            .find(|subnet| unasked && adds_addresses(subnet, observed))
            .map(|subnet| {
                Refusal::new(
                    RefusalCode::Unseen,
                    format!(
                        "the addresses already in use in {} were not read.",
                        subnet.row.cidr
                    ),
                    "Plan again.",
                )
            }),
    );
    refusals.extend(observed.blind.iter().map(|spot| {
        Refusal::new(
            RefusalCode::Unseen,
            format!("MAAS did not return {}: {}.", spot.what, spot.why),
            "Fix this in MAAS, then plan again.",
        )
    }));
    refusals
}

pub(crate) fn in_transition(
    observed: &Observed,
    topology: &Topology,
    pairing: &Pairing,
    steps: &[Step],
) -> Vec<Refusal> {
    let touched: BTreeSet<&str> = steps
        .iter()
        .filter_map(|step| step.plane.as_deref())
        .collect();
    let planes: Vec<_> = touched
        .iter()
        .filter_map(|key| topology.planes.get(*key))
        .collect();
    let removed = topology.removed.planes.iter();
    let removed = removed.filter(|(key, _)| touched.contains(key.as_str()));
    let declared: BTreeSet<&VlanAt> = planes
        .iter()
        .map(|plane| &plane.vlan)
        .chain(removed.map(|(_, plane)| &plane.vlan))
        .collect();
    // By their current names: this plan may rename a VLAN, or move its subnet.
    let left = planes
        .iter()
        .flat_map(|plane| &plane.subnets)
        .filter_map(|subnet| observed.subnet(&pairing.old_of(subnet.cidr)?))
        .map(|old| &old.vlan);
    let vlans: BTreeSet<&VlanAt> = observed
        .vlans()
        .map(|vlan| &vlan.at)
        .filter(|at| declared.contains(&pairing.place(at)))
        .chain(left)
        .collect();
    observed
        .nodes
        .values()
        .filter(|node| {
            node.kind == NodeKind::Machine && IN_TRANSITION.contains(&node.status.as_str())
        })
        .filter(|node| {
            observed
                .interfaces_of(&node.host)
                .any(|interface| interface.vlan.as_ref().is_some_and(|at| vlans.contains(at)))
        })
        .map(|node| {
            Refusal::new(
                RefusalCode::InTransition,
                format!(
                    "machine `{}` is {} on a VLAN that this plan touches.",
                    node.host, node.status
                ),
                "Wait until it has finished, then plan again.",
            )
        })
        .collect()
}

/// Refuses declared subnets that would keep a resolver on a subnet that moves away.
pub(crate) fn dangling(
    desired: &Desired,
    observed: &Observed,
    leaving: &BTreeSet<Cidr>,
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for subnet in desired.subnets.values() {
        let before = subnet.old.and_then(|old| observed.subnet(&old));
        let kept = subnet
            .row
            .dns
            .iter()
            .filter(|ip| before.is_some_and(|before| before.dns.contains(ip)));
        for ip in kept {
            let Some(gone) = leaving.iter().find(|gone| gone.contains(*ip)) else {
                continue;
            };
            // A subnet that grows or shrinks may still contain the address.
            let stays = desired
                .subnets
                .values()
                .any(|other| other.old == Some(*gone) && other.row.cidr.contains(*ip));
            if stays || subnet.row.cidr.contains(*ip) {
                continue;
            }
            refusals.push(
                Refusal::new(
                    RefusalCode::Dangling,
                    format!("{} would still use the resolver {ip}, but {gone} moves away.", subnet.row.cidr),
                    "Declare its resolvers by reference, such as `dns: [PLANE+1]`, so that they move too.",
                )
                .of(&subnet.plane),
            );
        }
    }
    refusals
}
