//! Rules across planes: one VLAN each, no overlapping subnets, and MTUs that fit the untagged VLAN.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Cidr;
use crate::draft::Located;
use crate::finding::{FilePosition, Findings, codes, shown};
use crate::object::VlanAt;
use crate::plane::{Dhcp, Purpose};
use crate::removed::RemovedObjects;

use super::names;
use super::planes::CheckedPlane;

/// Checks the planes against each other.
pub(super) fn check(checked: &[CheckedPlane], findings: &mut Findings<'_>) {
    refuse_shared_vlans(checked, findings);
    refuse_overlaps(checked, findings);
    warn_of_mtus(checked, findings);
    warn_of_generated_names(checked, findings);
    for plane in checked {
        warn_of_dhcp(plane, findings);
    }
}

fn refuse_shared_vlans(checked: &[CheckedPlane], findings: &mut Findings<'_>) {
    let mut taken: BTreeMap<&VlanAt, &CheckedPlane> = BTreeMap::new();
    for plane in checked {
        if let Some(other) = taken.get(&plane.plane.vlan) {
            let message = format!(
                "`{}` is on VLAN `{}`, but so is `{}`",
                plane.plane.key, plane.plane.vlan, other.plane.key
            );
            let help = format!(
                "use another `vid`, or move its subnets to `subnets:` of `{}`",
                other.plane.key
            );
            findings.add(codes::PLANE_VLAN, plane.place, message, help);
            continue;
        }
        taken.insert(&plane.plane.vlan, plane);
    }
}

/// Two networks are either nested or disjoint, so in address order each only needs comparing with the last one that encloses
/// it.
fn refuse_overlaps(checked: &[CheckedPlane], findings: &mut Findings<'_>) {
    let mut all: Vec<(Cidr, &str, FilePosition)> = checked
        .iter()
        .flat_map(|s| {
            s.plane
                .subnets
                .iter()
                .zip(&s.cidrs)
                .map(|(n, at)| (n.cidr, s.plane.key.as_str(), *at))
        })
        .collect();
    all.sort_by_key(|(cidr, _, place)| (cidr.network(), cidr.prefix(), *place));
    let mut open: Vec<(Cidr, &str, FilePosition)> = Vec::new();
    for entry in all {
        while open
            .last()
            .is_some_and(|(outer, ..)| !outer.overlaps(&entry.0))
        {
            open.pop();
        }
        if let Some(outer) = open.last() {
            let (first, second) = if outer.2 > entry.2 {
                (&entry, outer)
            } else {
                (outer, &entry)
            };
            let message = format!(
                "`{}` of `{}` overlaps `{}` of `{}`",
                second.0, second.1, first.0, first.1
            );
            let help = "change one of them; MAAS 3.7 refuses overlaps, and in earlier releases they break DNS";
            findings.add(codes::OVERLAP_PLANE, second.2, message, help);
        }
        open.push(entry);
    }
}

fn warn_of_mtus(checked: &[CheckedPlane], findings: &mut Findings<'_>) {
    let untagged: BTreeMap<&str, u32> = checked
        .iter()
        .filter(|s| s.plane.vlan.vid == 0)
        .filter_map(|s| Some((s.plane.vlan.fabric.as_str(), s.plane.mtu?)))
        .collect();
    for s in checked.iter().filter(|s| s.plane.vlan.vid != 0) {
        let carrier = untagged.get(s.plane.vlan.fabric.as_str());
        let (Some(mtu), Some(place), Some(carrier)) = (s.plane.mtu, s.mtu, carrier) else {
            continue;
        };
        if mtu > *carrier {
            let message = format!(
                "an MTU of {mtu} is larger than that of the untagged VLAN of `{}`, which is {carrier}",
                s.plane.vlan.fabric
            );
            findings.add(
                codes::VLAN_MTU_PARENT,
                place,
                message,
                "raise that MTU, or lower this one",
            );
        }
    }
}

fn warn_of_generated_names(checked: &[CheckedPlane], findings: &mut Findings<'_>) {
    let mut seen = BTreeSet::new();
    for s in checked {
        let space = s.plane.space.as_ref().and_then(Option::as_ref);
        let names = [
            ("fabric", Some(&s.plane.vlan.fabric), Some(s.fabric)),
            ("space", space, s.space),
        ];
        for (kind, name, place) in names {
            let (Some(name), Some(place)) = (name, place) else {
                continue;
            };
            if names::is_generated(kind, name) && seen.insert((kind, name)) {
                let message = format!("only MAAS itself assigns the name `{name}`");
                let help = format!(
                    "the {kind} must already exist; rename it in MAAS to get a name that survives a re-install"
                );
                findings.add(codes::NAME_GENERATED, place, message, help);
            }
        }
    }
}

fn warn_of_dhcp(checked: &CheckedPlane, findings: &mut Findings<'_>) {
    let (Some(dhcp), Some(place)) = (&checked.plane.dhcp, checked.dhcp) else {
        return;
    };
    // Ranges that are left alone are not known to the check.
    let known = checked
        .plane
        .subnets
        .iter()
        .all(|subnet| subnet.reservations.is_some());
    let dynamic = checked
        .plane
        .subnets
        .iter()
        .flat_map(|subnet| subnet.reservations.iter().flatten())
        .find(|reservation| reservation.purpose == Purpose::Dynamic);
    match (dhcp, dynamic) {
        (Dhcp::On { .. }, None) if known => {
            let message = format!(
                "DHCP is on for `{}`, but no subnet has a dynamic range",
                checked.plane.key
            );
            let help = "reserve one with `purpose: dynamic`; MAAS refuses DHCP without it";
            findings.add(codes::DHCP_NO_RANGE, place, message, help);
        }
        (Dhcp::Off, Some(range)) => {
            let message = format!("DHCP is off, but `{}` is dynamic", range.range);
            findings.add(
                codes::DHCP_IDLE_RANGE,
                place,
                message,
                "turn DHCP on, or make the range `reserved`",
            );
        }
        (Dhcp::On { .. } | Dhcp::Off | Dhcp::Relay(_), _) => {}
    }
}

/// Reports what is both declared and left alone.
pub(super) fn leave_alone(
    draft: &[Located<String>],
    checked: &[CheckedPlane],
    removed: &RemovedObjects,
    findings: &mut Findings<'_>,
) {
    let mut declared: BTreeMap<String, &str> = BTreeMap::new();
    for s in checked {
        declared.insert(s.plane.vlan.fabric.clone(), &s.plane.key);
        for subnet in &s.plane.subnets {
            declared.insert(subnet.cidr.to_string(), &s.plane.key);
        }
    }
    for (key, plane) in &removed.planes {
        declared.insert(plane.vlan.fabric.clone(), key);
        for cidr in &plane.subnets {
            declared.insert(cidr.to_string(), key);
        }
    }
    for draft in draft {
        let Some(word) = &draft.value else {
            continue;
        };
        if removed.fabrics.contains(word) {
            let message = format!("fabric `{}` is to be removed", shown(word));
            let help = "remove one of the two";
            findings.add(codes::LEAVE_DECLARED, draft.place, message, help);
        }
        if let Some(key) = declared.get(word) {
            let message = format!("`{}` is declared by plane `{key}`", shown(word));
            findings.add(
                codes::LEAVE_DECLARED,
                draft.place,
                message,
                "remove one of the two",
            );
        }
    }
}
