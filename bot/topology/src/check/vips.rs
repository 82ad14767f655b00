//! The addresses of the jumphost, and the virtual addresses of services. MAAS does not manage them, but they must fit the
//! planes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::address::{Cidr, Range};
use crate::draft::{AddressRef, JumphostDraft, Located, VipDraft};
use crate::finding::{FilePosition, Findings, codes, shown};
use crate::plane::{JumphostAddress, PlaneSubnet, Purpose, VipGroup};

use super::index::{self, AddressOwners, PlaneEntry, PlaneIndex};
use super::planes::CheckedPlane;
use super::{machines, names};

/// Checks the jumphost's addresses.
pub(super) fn jumphost(
    draft: &[JumphostDraft],
    index: &PlaneIndex,
    owners: &mut AddressOwners,
    findings: &mut Findings<'_>,
) -> Vec<JumphostAddress> {
    let mut checked = Vec::new();
    for draft in draft {
        let Some(entry) = index.find(&draft.plane, findings) else {
            continue;
        };
        let Some((cidr, address)) = locate(&draft.plane, entry, &draft.address, index, findings)
        else {
            continue;
        };
        index::refuse_edges(address, cidr, draft.address.place, findings);
        let interface = names::interface(&draft.interface, findings);
        let (Some(interface), Some(plane)) = (interface, draft.plane.value.clone()) else {
            continue;
        };
        owners.assign(
            address,
            format!("the jumphost's `{}`", shown(&interface)),
            draft.address.place,
            findings,
        );
        checked.push(JumphostAddress {
            interface,
            plane,
            cidr,
            address,
        });
    }
    checked
}

/// The plane's subnet that an address is in; for an offset the first one.
fn locate(
    plane: &Located<String>,
    entry: &PlaneEntry,
    draft: &Located<AddressRef>,
    index: &PlaneIndex,
    findings: &mut Findings<'_>,
) -> Option<(Cidr, IpAddr)> {
    let literal = match draft.value.as_ref()? {
        AddressRef::Literal(ip) => Some(*ip),
        AddressRef::Offset(_) | AddressRef::Plane(..) => None,
    };
    let key = shown(plane.value.as_deref().unwrap_or_default());
    let first = entry.subnets().next();
    let meant = literal.map_or(first, |ip| entry.subnets().find(|cidr| cidr.contains(ip)));
    match (meant, first) {
        (Some(cidr), _) => Some((cidr, index.inside(draft, cidr, findings)?)),
        _ if entry.is_partial() => None,
        (None, Some(cidr)) => {
            let ip = literal.map_or_else(String::new, |ip| ip.to_string());
            let message = format!("`{ip}` is outside plane `{key}`");
            let help =
                format!("its subnet is `{cidr}`; an offset such as `+1` stays valid when it moves");
            findings.add(codes::ADDRESS_OUTSIDE, draft.place, message, help);
            None
        }
        (None, None) => {
            let message = format!("plane `{key}` has no subnet");
            findings.add(
                codes::PLANE_EMPTY,
                plane.place,
                message,
                "add a `cidr` to it, or use another plane",
            );
            None
        }
    }
}

/// Checks the groups of virtual addresses.
pub(super) fn check(
    draft: &[VipDraft],
    index: &PlaneIndex,
    checked: &[CheckedPlane],
    owners: &mut AddressOwners,
    findings: &mut Findings<'_>,
) -> Vec<VipGroup> {
    let subnets = machines::subnets(checked);
    let mut taken = BTreeSet::new();
    let mut groups = Vec::new();
    for group in draft {
        let Some(name) = group.name.value.clone() else {
            continue;
        };
        if !taken.insert(name.clone()) {
            let message = format!("`{}` already has virtual addresses", shown(&name));
            findings.add(
                codes::VIP_DUPLICATE,
                group.name.place,
                message,
                "put all its legs in one group",
            );
        }
        let mut legs = BTreeMap::new();
        for (named, on) in &group.on.0 {
            let Some((at, place)) = address_of(group, on.address.as_ref(), &on.plane, findings)
            else {
                continue;
            };
            let Some(entry) = index.find(&on.plane, findings) else {
                continue;
            };
            let draft = Located {
                value: Some(at),
                place,
            };
            let Some((cidr, ip)) = locate(&on.plane, entry, &draft, index, findings) else {
                continue;
            };
            let (Some(leg), Some(key)) = (named.value.clone(), on.plane.value.clone()) else {
                continue;
            };
            refuse_outside_bands(ip, subnets.get(&cidr).copied(), &on.plane, findings);
            owners.assign(
                ip,
                format!("`{}` ({})", shown(&name), shown(&leg)),
                place,
                findings,
            );
            legs.insert(leg, (key, ip));
        }
        groups.push(VipGroup { name, legs });
    }
    groups
}

/// A leg's own address, or the group's offset in the plane.
fn address_of(
    group: &VipDraft,
    own: Option<&Located<AddressRef>>,
    plane: &Located<String>,
    findings: &mut Findings<'_>,
) -> Option<(AddressRef, FilePosition)> {
    if let Some(own) = own {
        return Some((own.value.clone()?, own.place));
    }
    let Some(host) = &group.host else {
        let message = "this leg has no address, and its group has no `host`";
        findings.add(
            codes::VIP_HOST,
            plane.place,
            message,
            "add for example `host: +50` to the group",
        );
        return None;
    };
    Some((AddressRef::Offset(host.value?), plane.place))
}

fn refuse_outside_bands(
    ip: IpAddr,
    subnet: Option<&PlaneSubnet>,
    plane: &Located<String>,
    findings: &mut Findings<'_>,
) {
    // Ranges that are left alone are not known to the check.
    let Some(reservations) = subnet.and_then(|subnet| subnet.reservations.as_deref()) else {
        return;
    };
    let bands: Vec<Range> = reservations
        .iter()
        .filter(|reservation| reservation.purpose == Purpose::Vip)
        .map(|reservation| reservation.range)
        .collect();
    if bands.iter().any(|band| band.contains(ip)) {
        return;
    }
    let key = shown(plane.value.as_deref().unwrap_or_default());
    let help = if bands.is_empty() {
        "reserve a range there with `purpose: vip`".to_owned()
    } else {
        let bands: Vec<String> = bands.iter().map(|band| format!("`{band}`")).collect();
        format!("use an address in {}", bands.join(", "))
    };
    let message = format!("`{ip}` is in no `vip` reservation of plane `{key}`");
    findings.add(codes::VIP_BAND, plane.place, message, help);
}
