//! What is declared not to be there: planes, spaces, fabrics, and entries of a subnet's lists. Must not know how MAAS
//! removes it.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Cidr;
use crate::draft::{
    Draft, Located, NamedDraft, OrLeave, PlaneFile, ReservationDraft, ReservedIpDraft, RouteDraft,
    SubnetDraft, is_absent,
};
use crate::finding::{Findings, codes, shown};
use crate::object::VlanAt;
use crate::removed::{DeclaredState, Removed, RemovedEntries, RemovedPlane};

use super::index::PlaneIndex;
use super::planes::{self, CheckedPlane};
use super::{names, ranges, subnets};

/// An entry of a list that may say that it is not to be there.
pub(super) trait Entry: Clone {
    fn state(&self) -> Option<&Located<DeclaredState>>;
}

impl Entry for ReservationDraft {
    fn state(&self) -> Option<&Located<DeclaredState>> {
        self.state.as_ref()
    }
}

impl Entry for RouteDraft {
    fn state(&self) -> Option<&Located<DeclaredState>> {
        self.state.as_ref()
    }
}

impl Entry for ReservedIpDraft {
    fn state(&self) -> Option<&Located<DeclaredState>> {
        self.state.as_ref()
    }
}

/// A list without the entries that are not to be there. Where all are, the others in MAAS are left alone.
pub(super) fn present<T: Entry>(draft: Option<&OrLeave<T>>) -> Option<OrLeave<T>> {
    let OrLeave::These(these) = draft? else {
        return Some(OrLeave::Leave);
    };
    let present: Vec<T> = these
        .iter()
        .filter(|entry| !is_absent(entry.state()))
        .cloned()
        .collect();
    Some(if present.is_empty() && !these.is_empty() {
        OrLeave::Leave
    } else {
        OrLeave::These(present)
    })
}

/// The entries of a list that are not to be there, where there is no other. A list with another entry is complete.
fn absent<T: Entry>(draft: Option<&OrLeave<T>>) -> &[T] {
    match draft {
        Some(OrLeave::These(these)) if these.iter().all(|entry| is_absent(entry.state())) => these,
        Some(OrLeave::These(_) | OrLeave::Leave) | None => &[],
    }
}

/// The entries of a subnet's lists that are to be removed.
pub(super) fn entries(
    draft: &SubnetDraft,
    cidr: Cidr,
    index: &PlaneIndex,
    findings: &mut Findings<'_>,
) -> RemovedEntries {
    let ranges = absent(draft.reserve.as_ref())
        .iter()
        .filter_map(|entry| ranges::resolve(&entry.range, cidr, index, findings))
        .collect();
    let routes = absent(draft.routes.as_ref())
        .iter()
        .filter_map(|entry| {
            let to = subnets::destination(&entry.to, cidr, index, findings)?;
            Some((to, index.inside(&entry.via, cidr, findings)?))
        })
        .collect();
    let reserved_ips = absent(draft.reserved_ips.as_ref())
        .iter()
        .filter_map(|entry| index.inside(&entry.ip, cidr, findings))
        .collect();
    RemovedEntries {
        ranges,
        routes,
        reserved_ips,
    }
}

/// Checks what is to be removed against what is declared.
pub(super) fn check(
    draft: &Draft,
    checked: &[CheckedPlane],
    findings: &mut Findings<'_>,
) -> Removed {
    let mut planes = BTreeMap::new();
    for located in &draft.removed {
        let Some((key, plane)) = plane(located, findings) else {
            continue;
        };
        refuse_both(located, &plane, checked, findings);
        planes.insert(key, plane);
    }
    Removed {
        planes,
        spaces: spaces(draft, checked, findings),
        fabrics: fabrics(&draft.fabrics, checked, findings),
    }
}

/// The VLAN and the subnets of a plane that is to be removed; the rest of its file says nothing any more.
fn plane(draft: &PlaneFile, findings: &mut Findings<'_>) -> Option<(String, RemovedPlane)> {
    let key = draft.plane.value.clone()?;
    let fabric = names::maas_name(
        names::NameKind::Fabric,
        draft.fabric.value.as_deref()?,
        draft.fabric.place,
        findings,
    )?;
    let vid = draft
        .vid
        .as_ref()
        .map_or(Some(0), |draft| planes::vid(draft, findings))?;
    let further = draft.subnets.as_deref().unwrap_or_default();
    let subnets = std::iter::once(&draft.subnet)
        .chain(further)
        .filter_map(|subnet| subnet.cidr.as_ref()?.value)
        .collect();
    let vlan = VlanAt { fabric, vid };
    Some((key, RemovedPlane { vlan, subnets }))
}

/// Refuses a subnet that a plane declares on the VLAN from which another removes it.
fn refuse_both(
    draft: &PlaneFile,
    removed: &RemovedPlane,
    checked: &[CheckedPlane],
    findings: &mut Findings<'_>,
) {
    let on_it = checked
        .iter()
        .map(|it| &it.plane)
        .filter(|plane| plane.vlan == removed.vlan);
    for plane in on_it {
        let both = plane
            .subnets
            .iter()
            .find(|subnet| removed.subnets.contains(&subnet.cidr));
        if let Some(subnet) = both {
            let message = format!(
                "`{}` is to be removed from `{}`, but plane `{}` declares it there",
                subnet.cidr, removed.vlan, plane.key
            );
            let help = "remove one of the two";
            findings.add(codes::PLANE_ABSENT, draft.plane.place, message, help);
        }
    }
}

fn spaces(
    draft: &Draft,
    checked: &[CheckedPlane],
    findings: &mut Findings<'_>,
) -> BTreeSet<String> {
    let stated: BTreeSet<&str> = draft
        .spaces
        .iter()
        .filter_map(|space| space.value.as_deref())
        .collect();
    let mut removed = BTreeSet::new();
    for located in &draft.removed_spaces {
        let Some(name) = located.value.clone() else {
            continue;
        };
        let used = checked
            .iter()
            .find(|it| it.plane.space.as_ref().and_then(Option::as_ref) == Some(&name));
        let why = match used {
            Some(plane) => Some(format!("plane `{}` is in it", plane.plane.key)),
            None if stated.contains(name.as_str()) => Some("`spaces` declares it".to_owned()),
            None => None,
        };
        if let Some(why) = why {
            let message = format!("space `{}` is to be removed, but {why}", shown(&name));
            let help = "remove one of the two";
            findings.add(codes::STATE_BOTH, located.place, message, help);
        }
        removed.insert(name);
    }
    removed
}

fn fabrics(
    draft: &[NamedDraft],
    checked: &[CheckedPlane],
    findings: &mut Findings<'_>,
) -> BTreeSet<String> {
    let mut removed = BTreeSet::new();
    for entry in draft.iter().filter(|entry| entry.state.value.is_some()) {
        let Some(name) = entry.name.value.clone() else {
            continue;
        };
        if !is_absent(Some(&entry.state)) {
            let message = format!("fabric `{}` is there with the planes on it", shown(&name));
            let help = "remove the entry, or write `state: absent`";
            findings.add(codes::STATE_BOTH, entry.state.place, message, help);
            continue;
        }
        if let Some(plane) = checked.iter().find(|it| it.plane.vlan.fabric == name) {
            let message = format!(
                "fabric `{}` is to be removed, but plane `{}` is on it",
                shown(&name),
                plane.plane.key
            );
            let help = "remove the plane too (`state: absent`), or keep the fabric";
            findings.add(codes::STATE_BOTH, entry.name.place, message, help);
        }
        removed.insert(name);
    }
    removed
}
