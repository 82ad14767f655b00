//! VLANs whose DHCP is relayed to a VLAN that all subnets leave: an unchanged relay would lead nowhere, or to the subnets of
//! another plane.
//!
//! MAAS does not prevent that. Must not know how a VLAN is written.

use std::collections::BTreeSet;

use topology::object::VlanAt;
use topology::observed::Observed;
use topology::plane::Topology;

use crate::desired::Desired;
use crate::pairing::Pairing;
use crate::refusal::{Refusal, RefusalCode};

/// Refuses declared VLANs that would still be relayed there because `dhcp` is left alone.
pub(super) fn refusals(
    topology: &Topology,
    desired: &Desired,
    observed: &Observed,
    pairing: &Pairing,
) -> Vec<Refusal> {
    let deserted = deserted(desired, observed, pairing);
    let left_alone = desired.vlans.values().filter(|(plane, _)| {
        let plane = topology.planes.get(plane);
        plane.is_none_or(|plane| plane.dhcp.is_none())
    });
    left_alone
        .filter_map(|(plane, vlan)| {
            let to = vlan.relay.as_ref().filter(|to| deserted.contains(to))?;
            Some(
                Refusal::new(
                    RefusalCode::Dangling,
                    format!("`dhcp` is left alone, so vlan {} would still be relayed to {to}, but every subnet moves away from there.", vlan.at),
                    "Declare `dhcp` for it: `{relay: PLANE}`, or `off`.",
                )
                .of(plane),
            )
        })
        .collect()
}

/// Warns of undeclared VLANs that will still be relayed there.
pub(super) fn warnings(desired: &Desired, observed: &Observed, pairing: &Pairing) -> Vec<String> {
    let deserted = deserted(desired, observed, pairing);
    observed
        .vlans()
        .filter(|vlan| !desired.vlans.contains_key(&pairing.place(&vlan.at)))
        .filter_map(|vlan| {
            let to = pairing.place(vlan.relay.as_ref()?);
            deserted.contains(&to).then(|| {
                format!("vlan {}, which no plane declares, is relayed to {to}, but every subnet moves away from there", vlan.at)
            })
        })
        .collect()
}

/// VLANs whose subnets all move to another VLAN, by their new fabric and VID.
fn deserted(desired: &Desired, observed: &Observed, pairing: &Pairing) -> BTreeSet<VlanAt> {
    let leaving: BTreeSet<_> = desired
        .subnets
        .values()
        .filter_map(|subnet| observed.subnet(&subnet.old?).map(|old| (subnet, old)))
        .filter(|(subnet, old)| pairing.place(&old.vlan) != subnet.row.vlan)
        .map(|(_, old)| old.cidr)
        .collect();
    let left = observed
        .subnets()
        .filter(|subnet| leaving.contains(&subnet.cidr));
    let mut deserted: BTreeSet<VlanAt> = left.map(|subnet| pairing.place(&subnet.vlan)).collect();
    for subnet in observed.subnets() {
        if !leaving.contains(&subnet.cidr) {
            deserted.remove(&pairing.place(&subnet.vlan));
        }
    }
    deserted
}
