//! DHCP without a dynamic range: dhcpd then gives nobody an address, and MAAS refuses every later change of the VLAN except
//! turning DHCP off (3.5.9 maasserver/forms/vlan.py:191-200).
//!
//! Must not know how a range is written.

use topology::object::{RangeKind, Vlan, VlanAt};

use crate::builder::PlanBuilder;
use crate::network::NetworkModel;
use crate::refusal::{Refusal, RefusalCode};

/// Refuses a plan after which a VLAN that had a dynamic range has DHCP on and none.
pub(super) fn refusals(draft: &PlanBuilder<'_>) -> Vec<Refusal> {
    let before = NetworkModel::of(draft.observed);
    let served = draft.desired.vlans.values().filter(|(_, vlan)| {
        let after = draft.network.vlan(&vlan.at);
        after.is_some_and(|after| after.dhcp_on) && !has_range(&draft.network, &vlan.at)
    });
    served
        .filter(|(_, vlan)| old_place(draft, vlan).is_some_and(|at| has_range(&before, &at)))
        .map(|(plane, vlan)| {
            Refusal::new(
                RefusalCode::NoRange,
                format!(
                    "vlan {} would keep DHCP on without a dynamic range: nobody there would get an address.",
                    vlan.at
                ),
                "Declare a range with `purpose: dynamic` on one of its subnets, or `dhcp: off`.",
            )
            .of(plane)
        })
        .collect()
}

/// Warnings: VLANs whose relay is new, or whose last dynamic range goes, and whose hosts then get no address.
pub(super) fn warnings(draft: &PlanBuilder<'_>) -> Vec<String> {
    let before = NetworkModel::of(draft.observed);
    let relayed = draft.desired.vlans.values().filter_map(|(_, vlan)| {
        let relay = vlan.relay.as_ref()?;
        let old = old_place(draft, vlan);
        let was = old.as_ref().and_then(|at| before.vlan(at));
        let as_before = was.is_some_and(|was| was.relay.is_some())
            && old.is_some_and(|at| !has_range(&before, &at));
        (!as_before).then_some((vlan, relay))
    });
    relayed
        .filter_map(|(vlan, relay)| {
            let why = if !has_range(&draft.network, &vlan.at) {
                "none of its subnets has a dynamic range".to_owned()
            } else if draft.network.vlan(relay).is_some_and(|to| !to.dhcp_on) {
                format!("DHCP is off on vlan {relay}")
            } else {
                return None;
            };
            Some(format!(
                "DHCP of vlan {} is relayed to vlan {relay}, but {why}: nobody there gets an address",
                vlan.at
            ))
        })
        .collect()
}

/// Where the VLAN is now.
fn old_place(draft: &PlanBuilder<'_>, vlan: &Vlan) -> Option<VlanAt> {
    let mut rows = draft.observed.vlans();
    let row = rows.find(|row| draft.pairing.place(&row.at) == vlan.at)?;
    Some(row.at.clone())
}

fn has_range(network: &NetworkModel, at: &VlanAt) -> bool {
    network
        .subnets()
        .filter(|subnet| subnet.vlan == *at)
        .flat_map(|subnet| network.ranges_of(subnet.cidr))
        .any(|range| range.kind == RangeKind::Dynamic)
}
