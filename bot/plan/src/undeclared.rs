//! What MAAS has and no file declares. Must not know what a plan does to it.

use std::collections::{BTreeMap, BTreeSet};

use topology::address::Cidr;
use topology::object::{Subnet, Vlan, VlanAt};
use topology::observed::Observed;
use topology::plane::Topology;

use crate::pairing::Pairing;

/// Whether hosts on it get DHCP from MAAS.
pub(crate) fn serves(vlan: &Vlan) -> bool {
    vlan.dhcp_on || vlan.relay.is_some()
}

/// The observed subnets of each VLAN that has any.
pub(crate) fn subnets_by_vlan(observed: &Observed) -> BTreeMap<&VlanAt, Vec<&Subnet>> {
    let mut on: BTreeMap<&VlanAt, Vec<&Subnet>> = BTreeMap::new();
    for subnet in observed.subnets() {
        on.entry(&subnet.vlan).or_default().push(subnet);
    }
    on
}

/// Observed subnets that no declared one is.
pub(crate) fn undeclared_subnets<'a>(
    observed: &'a Observed,
    pairing: &Pairing,
) -> impl Iterator<Item = &'a Subnet> {
    let declared: BTreeSet<Cidr> = pairing.subnets.values().copied().collect();
    observed
        .subnets()
        .filter(move |subnet| !declared.contains(&subnet.cidr))
}

/// Observed VLANs without subnets that no plane has. MAAS makes an untagged VLAN with every fabric: one without DHCP counts
/// only where the fabric has no other VLAN, and then stands for the fabric.
pub(crate) fn undeclared_vlans<'a>(
    observed: &'a Observed,
    topology: &Topology,
    pairing: &Pairing,
) -> Vec<&'a Vlan> {
    let declared: BTreeSet<&VlanAt> = topology.planes.values().map(|plane| &plane.vlan).collect();
    let on = subnets_by_vlan(observed);
    let mut in_fabric: BTreeMap<&str, usize> = BTreeMap::new();
    for vlan in observed.vlans() {
        *in_fabric.entry(&vlan.at.fabric).or_default() += 1;
    }
    let alone = |vlan: &Vlan| in_fabric.get(vlan.at.fabric.as_str()) == Some(&1);
    observed
        .vlans()
        .filter(|vlan| !declared.contains(&pairing.place(&vlan.at)))
        .filter(|vlan| !on.contains_key(&vlan.at))
        .filter(|vlan| serves(vlan) || !observed.default_vlans.contains(&vlan.at) || alone(vlan))
        .collect()
}
