//! Warnings that name hosts: MAAS changes its rows, and a host that is up goes on as it was configured.
//!
//! MAAS configures a machine only when it deploys it, and a controller never. A warning never prevents a plan. Must not know
//! how a change is carried out.

use std::collections::BTreeSet;

use topology::object::{Interface, InterfaceKind, Vlan};
use topology::observed::{Holder, NodeKind, Observed};

use crate::builder::PlanBuilder;
use crate::render::quoted;

/// How many are listed before the rest is counted.
const NAMED_MAX: usize = 8;

/// Names in one line, the rest counted.
pub(crate) fn listed(names: &BTreeSet<String>) -> String {
    let named: Vec<&str> = names.iter().take(NAMED_MAX).map(String::as_str).collect();
    match names.len() - named.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// Whether a host runs with a network that MAAS no longer changes: a deployed machine, or a controller.
pub(crate) fn is_up(host: &str, observed: &Observed) -> bool {
    observed
        .nodes
        .get(host)
        .is_some_and(|node| match node.kind {
            NodeKind::Controller => true,
            NodeKind::Machine => node.status == "Deployed",
            NodeKind::Device => false,
        })
}

/// Every warning about hosts that are up, one line each.
pub(crate) fn warnings(draft: &PlanBuilder<'_>) -> Vec<String> {
    let observed = draft.observed;
    let mut warnings = Vec::new();
    for row in observed.vlans() {
        let place = draft.pairing.place(&row.at);
        let Some((_, desired)) = draft.desired.vlans.get(&place) else {
            continue;
        };
        if row.at.vid != desired.at.vid {
            warnings.extend(other_vid(row, desired, observed));
        }
        if row.mtu != desired.mtu {
            warnings.extend(other_mtu(row, desired, observed));
        }
    }
    warnings.extend(other_netmasks(draft));
    warnings.extend(bmcs_outside(draft));
    warnings.extend(follow_by_report(draft));
    warnings
}

/// The interfaces on a VLAN of hosts that are up.
pub(crate) fn up_on<'a>(
    row: &'a Vlan,
    observed: &'a Observed,
) -> impl Iterator<Item = &'a Interface> {
    observed
        .all()
        .filter_map(topology::Object::as_interface)
        .filter(|interface| interface.vlan.as_ref() == Some(&row.at))
        .filter(|interface| is_up(&interface.host, observed))
}

pub(crate) fn named(interface: &Interface) -> String {
    format!("{} of {}", quoted(&interface.name), quoted(&interface.host))
}

/// A VLAN interface keeps its name, and its host the old tag (seen on 3.5.12 and 3.7.3).
fn other_vid(row: &Vlan, desired: &Vlan, observed: &Observed) -> Vec<String> {
    let (tagged, untagged): (Vec<&Interface>, Vec<&Interface>) =
        up_on(row, observed).partition(|interface| interface.kind == InterfaceKind::Vlan);
    // A bridge on a VLAN interface is on its VLAN, and no port of a switch.
    let carried = |interface: &Interface| {
        let mut below = observed.interfaces_of(&interface.host);
        below.any(|it| it.kind == InterfaceKind::Vlan && interface.parents.contains(&it.name))
    };
    let tagged: BTreeSet<String> = tagged.into_iter().map(named).collect();
    let untagged: BTreeSet<String> = untagged
        .into_iter()
        .filter(|interface| !carried(interface))
        .map(named)
        .collect();
    let mut warnings = Vec::new();
    if !tagged.is_empty() {
        warnings.push(format!(
            "vlan {} gets VID {}, but hosts that are up keep the name and the tag {} of their interfaces until they are deployed again or changed by hand: {}",
            row.at,
            desired.at.vid,
            row.at.vid,
            listed(&tagged)
        ));
    }
    if !untagged.is_empty() {
        warnings.push(format!(
            "vlan {} gets VID {}, and these interfaces stay untagged on it, so that their switch ports must carry it untagged: {}",
            row.at,
            desired.at.vid,
            listed(&untagged)
        ));
    }
    warnings
}

/// The MTU of hosts that are up stays, unless an interface has one of its own anyhow.
fn other_mtu(row: &Vlan, desired: &Vlan, observed: &Observed) -> Option<String> {
    let hosts: BTreeSet<String> = up_on(row, observed)
        .filter(|interface| interface.settings.mtu.is_none())
        .map(named)
        .collect();
    (!hosts.is_empty()).then(|| {
        format!(
            "the MTU of vlan {} becomes {}, but hosts that are up keep {} until they are deployed again or changed by hand: {}",
            row.at, desired.mtu, row.mtu, listed(&hosts)
        )
    })
}

/// Controllers on a subnet that grows or shrinks in place. With the old netmask their next report brings the old CIDR back
/// beside the new one, or is refused as a whole, since 3.7 (seen on 3.5.12 and 3.7.3).
fn other_netmasks<'a>(draft: &'a PlanBuilder<'_>) -> impl Iterator<Item = String> + 'a {
    let observed = draft.observed;
    let resized = draft.desired.subnets.values().filter(|it| it.keeps_content);
    resized.filter_map(move |subnet| {
        let (old, new) = (subnet.old?, subnet.row.cidr);
        let hosts: BTreeSet<String> = observed
            .links()
            .filter(|link| link.subnet == old)
            .filter(|link| {
                let node = observed.nodes.get(&link.host);
                node.is_some_and(|node| node.kind == NodeKind::Controller)
            })
            .map(|link| format!("{} of {}", quoted(&link.interface), quoted(&link.host)))
            .collect();
        let effect = if observed.version.refuses_overlap() {
            "MAAS refuses its reports until then".to_owned()
        } else {
            format!("a report with the old one makes MAAS add {old} again")
        };
        (!hosts.is_empty()).then(|| {
            format!(
                "change the netmask from /{} to /{} on these controllers right after the change: {}; {effect}",
                old.prefix(),
                new.prefix(),
                listed(&hosts)
            )
        })
    })
}

/// BMCs that lie outside of a subnet that shrinks: MAAS keeps their addresses, and no gate waits for them.
fn bmcs_outside(draft: &PlanBuilder<'_>) -> Vec<String> {
    let departures = draft.departures();
    departures
        .shrinking()
        .iter()
        .filter_map(|(old, new)| {
            let occupants = draft.observed.occupants.get(old)?;
            let outside: BTreeSet<String> = occupants
                .iter()
                .filter_map(|occupant| match &occupant.holder {
                    Holder::Bmc { host } => {
                        let ip = occupant.ip.filter(|ip| !new.contains(*ip))?;
                        Some(format!("{ip} of {}", quoted(host)))
                    }
                    Holder::Node { .. }
                    | Holder::Dns { .. }
                    | Holder::User { .. }
                    | Holder::Passing
                    | Holder::Unknown(_) => None,
                })
                .collect();
            (!outside.is_empty()).then(|| {
                format!(
                    "these BMCs lie outside of {new} and keep their addresses: {}; give them others",
                    listed(&outside)
                )
            })
        })
        .collect()
}

/// Controllers' interfaces whose subnet goes to another VLAN: their next report puts the interface there, too (seen on 3.5.12
/// and 3.7.3).
fn follow_by_report<'a>(draft: &'a PlanBuilder<'_>) -> impl Iterator<Item = String> + 'a {
    let observed = draft.observed;
    draft.desired.subnets.values().filter_map(move |subnet| {
        let old = observed.subnet(&subnet.old?)?;
        if subnet.relocates() || draft.pairing.place(&old.vlan) == subnet.row.vlan {
            return None;
        }
        let follow: BTreeSet<String> = observed
            .links()
            .filter(|link| link.subnet == old.cidr)
            .filter(|link| {
                let node = observed.nodes.get(&link.host);
                node.is_some_and(|node| node.kind == NodeKind::Controller)
            })
            .map(|link| format!("{} of {}", quoted(&link.interface), quoted(&link.host)))
            .collect();
        (!follow.is_empty()).then(|| {
            format!(
                "`{}` goes to vlan {}, and MAAS moves these controllers' interfaces there with their next report: {}; their cabling must match",
                subnet.plane,
                subnet.row.vlan,
                listed(&follow)
            )
        })
    })
}
