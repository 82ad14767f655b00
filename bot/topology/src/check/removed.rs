//! What is declared not to be there: planes, spaces, fabrics and interfaces. Must not know how MAAS removes it.

use std::collections::{BTreeMap, BTreeSet};

use crate::draft::{Draft, MachineDraft, NamedDraft, PlaneFile, is_absent};
use crate::finding::{Findings, codes, shown};
use crate::object::VlanAt;
use crate::plane::MachineInterface;
use crate::removed::{RemovedObjects, RemovedPlane};

use super::names;
use super::planes::{self, CheckedPlane};

/// Checks what is to be removed against what is declared.
pub(super) fn check(
    draft: &Draft,
    checked: &[CheckedPlane],
    findings: &mut Findings<'_>,
) -> RemovedObjects {
    let mut planes = BTreeMap::new();
    for located in &draft.removed {
        let Some((key, plane)) = plane(located, findings) else {
            continue;
        };
        refuse_both(located, &plane, checked, findings);
        planes.insert(key, plane);
    }
    RemovedObjects {
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

/// The interfaces that are to be removed: none that is declared as well.
pub(super) fn interfaces(
    machine: &MachineDraft,
    declared: &[MachineInterface],
    findings: &mut Findings<'_>,
) -> BTreeSet<String> {
    let mut removed = BTreeSet::new();
    let all = machine.interfaces.iter().flatten();
    for interface in all.filter(|it| is_absent(it.state.as_ref())) {
        let Some(name) = interface.name.value.clone() else {
            continue;
        };
        if declared.iter().any(|it| it.name == name) {
            let message = format!(
                "interface `{}` is both declared and to be removed",
                shown(&name)
            );
            let help = "remove one of the two";
            findings.add(
                codes::MACHINE_DUPLICATE,
                interface.name.place,
                message,
                help,
            );
        }
        removed.insert(name);
    }
    removed
}
