//! What may not be removed although the files say so, and what a reader of a removal should know. Must not know how it is
//! removed.

use std::collections::BTreeSet;

use topology::address::Cidr;
use topology::object::{Vlan, VlanAt};
use topology::observed::{Holder, Observed, SnippetOn};
use topology::plane::Topology;

use crate::builder::{PlanBuilder, called};
use crate::desired::removal::{Removal, row_of};
use crate::pairing::is_left_alone;
use crate::refusal::{Refusal, RefusalCode};
use crate::render::quoted;

/// Refuses a removal that reaches what is not to be removed.
pub(super) fn refusals(draft: &PlanBuilder<'_>) -> Vec<Refusal> {
    let removal = &draft.desired.removal;
    if removal.is_empty() {
        return Vec::new();
    }
    let mut refusals = Vec::new();
    for (at, key) in &removal.vlans {
        let held = holders_of_vlan(draft, at);
        refusals.extend(held_back(&format!("vlan {at}"), &held).map(|it| it.of(key)));
    }
    for name in &removal.fabrics {
        let held = holders_of_fabric(draft, name);
        refusals.extend(held_back(&format!("fabric {}", quoted(name)), &held));
    }
    for name in &removal.spaces {
        let held = holders_of_space(draft, name);
        refusals.extend(held_back(&format!("space {}", quoted(name)), &held));
    }
    refusals.extend(lost_routes(draft));
    refusals.extend(unread(removal, draft.observed));
    refusals
}

/// The refusal to remove something that holds what stays.
fn held_back(what: &str, held: &[String]) -> Option<Refusal> {
    const LISTED_MAX: usize = 8;
    let listed: Vec<&str> = held.iter().take(LISTED_MAX).map(String::as_str).collect();
    let more = match held.len() - listed.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    (!held.is_empty()).then(|| {
        Refusal::new(
            RefusalCode::Stranger,
            format!(
                "{what} is to be removed, and holds what is not: {}{more}.",
                listed.join("; ")
            ),
            "Declare that `state: absent` too where it is yours, or keep what holds it.",
        )
    })
}

/// What stays on a VLAN: subnets, VLANs that are relayed to it, and declared interfaces.
fn holders_of_vlan(draft: &PlanBuilder<'_>, at: &VlanAt) -> Vec<String> {
    let mut held = subnets_on(draft, &|there| there == at);
    let relayed = draft
        .network
        .vlans()
        .filter(|vlan| vlan.relay.as_ref() == Some(at) && vlan.at != *at);
    held.extend(relayed.map(|vlan| format!("vlan {} is relayed to it", vlan.at)));
    let named = draft.topology.machines.values().flat_map(|machine| {
        let on_it = machine.interfaces.iter();
        on_it
            .filter(|it| it.vlan.as_ref() == Some(at))
            .map(|it| format!("{}:{} is declared on it", machine.host, it.name))
    });
    held.extend(named);
    held
}

/// What stays in a fabric: subnets, and VLANs that are not removed.
fn holders_of_fabric(draft: &PlanBuilder<'_>, name: &str) -> Vec<String> {
    let mut held = subnets_on(draft, &|there| there.fabric == name);
    let vlans = draft.network.vlans().filter(|vlan| vlan.at.fabric == name);
    let stay = vlans
        .filter(|vlan| !draft.network.is_default(&vlan.at))
        .map(|vlan| format!("vlan {}", vlan.at));
    held.extend(stay);
    let relayed = draft.network.vlans().filter(|vlan| {
        let to = vlan.relay.as_ref();
        to.is_some_and(|to| to.fabric == name) && vlan.at.fabric != name
    });
    held.extend(relayed.map(|vlan| format!("vlan {} is relayed to it", vlan.at)));
    held
}

/// What stays in a space: VLANs.
fn holders_of_space(draft: &PlanBuilder<'_>, name: &str) -> Vec<String> {
    let removal = &draft.desired.removal;
    let is_in = |vlan: &&Vlan| vlan.space.as_deref() == Some(name);
    let vlans = draft.network.vlans().filter(is_in);
    vlans
        .filter(|vlan| !removal.takes_vlan(&vlan.at))
        .map(|vlan| format!("vlan {} is in it", vlan.at))
        .collect()
}

/// The subnets that are still on such a VLAN after the plan.
fn subnets_on(draft: &PlanBuilder<'_>, is_meant: &dyn Fn(&VlanAt) -> bool) -> Vec<String> {
    let subnets = draft.network.subnets();
    subnets
        .filter(|subnet| is_meant(&subnet.vlan))
        .map(|subnet| {
            let alone = if is_left_alone(draft.topology, subnet) {
                ", which `leave_alone` names"
            } else {
                ""
            };
            format!("{} {}{alone}", subnet.cidr, quoted(&subnet.name))
        })
        .collect()
}

/// Refuses to take a route from a subnet that nobody declares.
fn lost_routes(draft: &PlanBuilder<'_>) -> Vec<Refusal> {
    let removed = &draft.desired.removal.subnets;
    let declared: BTreeSet<Cidr> = draft.pairing.subnets.values().copied().collect();
    let is_strange = |cidr: &Cidr| !declared.contains(cidr) && !removed.contains_key(cidr);
    draft
        .observed
        .routes()
        .filter(|route| is_strange(&route.source))
        .filter_map(|route| {
            let key = removed.get(&route.destination)?;
            Some(
                Refusal::new(
                    RefusalCode::Stranger,
                    format!(
                        "the route of {}, which no plane declares, to {} would go with it.",
                        route.source, route.destination
                    ),
                    "Remove that route in MAAS first, or declare that network and its `routes`.",
                )
                .of(key),
            )
        })
        .collect()
}

/// Without every interface nobody knows whether a VLAN is empty.
fn unread(removal: &Removal, observed: &Observed) -> Option<Refusal> {
    let needs = !removal.vlans.is_empty() || !removal.fabrics.is_empty();
    (needs && !observed.all_nodes).then(|| {
        Refusal::new(
            RefusalCode::Unseen,
            "the interfaces on what is to be removed were not read.",
            "Plan again.",
        )
    })
}

/// What does not come back as it was, and what stays although a plane is removed.
pub(super) fn warnings(draft: &PlanBuilder<'_>) -> Vec<String> {
    let removal = &draft.desired.removal;
    let mut warnings = Vec::new();
    if !removal.subnets.is_empty() {
        let cidrs: Vec<String> = removal.subnets.keys().map(ToString::to_string).collect();
        warnings.push(format!(
            "{} is removed from MAAS: declared again, it gets new ids, so Juju and scripts that know the old ones see another network",
            cidrs.join(", ")
        ));
    }
    warnings.extend(removal.fabrics.iter().map(|name| {
        format!(
            "fabric {} goes with its untagged VLAN: declared again, that has MAAS's defaults, and not its MTU, space and DHCP of now",
            quoted(name)
        )
    }));
    warnings.extend(lost_names(draft));
    warnings.extend(lost_snippets(draft));
    warnings.extend(staying(draft.topology, draft));
    warnings
}

/// DNS names and users' reservations on subnets that go.
fn lost_names<'a>(draft: &'a PlanBuilder<'_>) -> impl Iterator<Item = String> + 'a {
    let removed = draft.desired.removal.subnets.keys();
    let occupants = removed.filter_map(|cidr| Some((cidr, draft.observed.occupants.get(cidr)?)));
    occupants.flat_map(|(cidr, all)| {
        all.iter().filter_map(move |occupant| {
            let lost = matches!(occupant.holder, Holder::Dns { .. } | Holder::User { .. });
            let ip = occupant.ip.filter(|_| lost)?;
            let who = called(&occupant.holder);
            Some(format!(
                "{ip} of {who} goes with {cidr}, and a revert does not bring it back"
            ))
        })
    })
}

/// DHCP snippets that go with a subnet and cannot be given back.
fn lost_snippets<'a>(draft: &'a PlanBuilder<'_>) -> impl Iterator<Item = String> + 'a {
    let loose = draft.observed.loose_snippets.iter().flatten();
    loose.filter_map(|snippet| match &snippet.on {
        SnippetOn::Subnet { cidr, .. } if draft.desired.removal.subnets.contains_key(cidr) => {
            Some(format!(
                "the DHCP snippet {} goes with {cidr}, and a revert does not bring it back",
                quoted(&snippet.name)
            ))
        }
        SnippetOn::Subnet { .. } | SnippetOn::Everywhere | SnippetOn::Node(_) => None,
    })
}

/// What a removed plane names and what stays nevertheless.
fn staying<'a>(
    topology: &'a Topology,
    draft: &'a PlanBuilder<'_>,
) -> impl Iterator<Item = String> + 'a {
    let (observed, removal) = (draft.observed, &draft.desired.removal);
    topology
        .removed
        .planes
        .iter()
        .flat_map(move |(key, plane)| {
            let vlan = row_of(plane, observed, draft.pairing)
                .filter(|row| observed.default_vlans.contains(&row.at))
                .filter(|row| !removal.takes_vlan(&row.at))
                .filter(|_| removal.subnets.values().any(|removed| removed == key))
                .map(|row| {
                    format!(
                        "vlan {} stays: MAAS removes a fabric's untagged VLAN only with the fabric",
                        row.at
                    )
                });
            let subnets = plane.subnets.iter().filter_map(move |cidr| {
                let there = observed.subnet(cidr)?;
                let taken = draft.becomes(cidr).is_some();
                (!taken && !removal.subnets.contains_key(cidr)).then(|| {
                    format!(
                        "{cidr} stays: {} removes it from vlan {}, and it is on vlan {}",
                        quoted(key),
                        plane.vlan,
                        there.vlan
                    )
                })
            });
            vlan.into_iter().chain(subnets)
        })
}
