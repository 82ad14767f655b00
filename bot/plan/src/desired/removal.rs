//! What the files say must not be there, as far as MAAS has it: subnets, VLANs, fabrics and spaces. Must not know in which
//! order they go.
//!
//! A subnet goes only from the VLAN that its plane names, and stays where a declared plane takes it over. A VLAN stays where
//! a declared plane is on it, and a fabric's default VLAN goes only with its fabric (MAAS answers 400 always).

use std::collections::{BTreeMap, BTreeSet};

use topology::address::Cidr;
use topology::object::{IpRange, Key, Object, ReservedIp, Subnet, Vlan, VlanAt};
use topology::observed::Observed;
use topology::plane::{PlaneSubnet, Topology};
use topology::removed::RemovedPlane;

use crate::pairing::Pairing;

/// What goes, by its name in MAAS, with the key of the plane that says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    pub subnets: BTreeMap<Cidr, String>,
    pub vlans: BTreeMap<VlanAt, String>,
    pub fabrics: BTreeSet<String>,
    pub spaces: BTreeSet<String>,
}

impl Removal {
    /// Finds what is to be removed and is there.
    pub fn of(topology: &Topology, observed: &Observed, pairing: &Pairing) -> Self {
        let taken: BTreeSet<Cidr> = pairing.subnets.values().copied().collect();
        let mut subnets = named_subnets(topology, observed, pairing);
        subnets.retain(|cidr, _| !taken.contains(cidr));
        let declared: BTreeSet<&VlanAt> = topology.planes.values().map(|it| &it.vlan).collect();
        let vlans = topology
            .removed
            .planes
            .iter()
            .filter_map(|(key, plane)| Some((row_of(plane, observed, pairing)?, key)))
            .filter(|(row, _)| !declared.contains(&pairing.place(&row.at)))
            .filter(|(row, _)| !observed.default_vlans.contains(&row.at))
            .map(|(row, key)| (row.at.clone(), key.clone()))
            .collect();
        let removed = &topology.removed;
        let fabrics = removed.fabrics.iter();
        let spaces = removed.spaces.iter();
        Self {
            subnets,
            vlans,
            fabrics: fabrics
                .filter(|name| observed.get(&Key::Fabric((*name).clone())).is_some())
                .cloned()
                .collect(),
            spaces: spaces
                .filter(|name| has_space(observed, name))
                .cloned()
                .collect(),
        }
    }

    /// Whether nothing goes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a VLAN goes, or the fabric that it is in.
    pub fn takes_vlan(&self, at: &VlanAt) -> bool {
        self.vlans.contains_key(at) || self.fabrics.contains(&at.fabric)
    }
}

/// The observed subnets that a plane removes from their VLAN, with its key.
pub(crate) fn named_subnets(
    topology: &Topology,
    observed: &Observed,
    pairing: &Pairing,
) -> BTreeMap<Cidr, String> {
    let planes = topology.removed.planes.iter();
    planes
        .flat_map(|(key, plane)| plane.subnets.iter().map(move |cidr| (key, plane, cidr)))
        .filter_map(|(key, plane, cidr)| Some((key, plane, observed.subnet(cidr)?)))
        .filter(|(_, plane, there)| is_at(&there.vlan, &plane.vlan, pairing))
        .map(|(key, _, there)| (there.cidr, key.clone()))
        .collect()
}

/// The row of a removed plane's VLAN.
pub(crate) fn row_of<'a>(
    plane: &RemovedPlane,
    observed: &'a Observed,
    pairing: &Pairing,
) -> Option<&'a Vlan> {
    observed
        .vlans()
        .find(|vlan| is_at(&vlan.at, &plane.vlan, pairing))
}

/// Whether an observed VLAN is the named one: by its name now, or by the one that the files give it.
fn is_at(there: &VlanAt, named: &VlanAt, pairing: &Pairing) -> bool {
    there == named || pairing.place(there) == *named
}

fn has_space(observed: &Observed, name: &str) -> bool {
    observed.get(&Key::Space(name.to_owned())).is_some()
        || observed
            .vlans()
            .any(|vlan| vlan.space.as_deref() == Some(name))
}

/// The ranges that MAAS has, without those that the files remove one by one; `None` where they remove none.
pub(super) fn ranges_without(
    declared: &PlaneSubnet,
    old: &Subnet,
    observed: &Observed,
) -> Option<Vec<IpRange>> {
    let gone = &declared.removed.ranges;
    (!gone.is_empty()).then(|| {
        let stays = |range: &&IpRange| !gone.contains(&range.range);
        let all = observed.ranges_of(old.cidr).filter(stays).cloned();
        all.map(|range| IpRange {
            subnet: declared.cidr,
            ..range
        })
        .collect()
    })
}

/// The reserved IPs that MAAS has, without those that the files remove one by one; `None` where they remove none.
pub(super) fn reserved_ips_without(
    declared: &PlaneSubnet,
    old: &Subnet,
    observed: &Observed,
) -> Option<Vec<ReservedIp>> {
    let gone = &declared.removed.reserved_ips;
    (!gone.is_empty()).then(|| {
        let all = observed.all().filter_map(Object::as_reserved_ip);
        all.filter(|it| it.subnet == old.cidr && !gone.contains(&it.ip))
            .map(|it| ReservedIp {
                subnet: declared.cidr,
                ..it.clone()
            })
            .collect()
    })
}
