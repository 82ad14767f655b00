//! A declaration that removes some of what a pair declares. Must not know plans.

use std::collections::BTreeSet;

use topology::address::Cidr;
use topology::object::VlanAt;
use topology::plane::Topology;
use topology::removed::RemovedPlane;

use super::Pair;
use super::rng::SeededRng;

impl Pair {
    /// The pair's declaration with about two planes in three; the others are to be removed, where what is declared leaves
    /// them their VLAN and their subnets.
    pub fn removing(&self) -> Topology {
        let mut topology = self.topology();
        let mut rng = SeededRng::of(self.seed ^ 0x5eed);
        topology.planes.retain(|_, _| rng.chance(67));
        let kept = |at: &VlanAt, cidrs: &[Cidr]| {
            topology.planes.values().any(|plane| {
                let mut own = plane.subnets.iter();
                plane.vlan == *at || own.any(|it| cidrs.iter().any(|cidr| it.cidr.overlaps(cidr)))
            })
        };
        let removed: Vec<(String, RemovedPlane)> = self
            .unchanged()
            .planes
            .into_iter()
            .filter(|(key, _)| !topology.planes.contains_key(key))
            .map(|(key, plane)| {
                let subnets: Vec<Cidr> = plane.subnets.iter().map(|it| it.cidr).collect();
                let vlan = plane.vlan;
                (key, RemovedPlane { vlan, subnets })
            })
            .filter(|(_, plane)| !kept(&plane.vlan, &plane.subnets))
            .collect();
        let fabrics: BTreeSet<&String> =
            topology.planes.values().map(|it| &it.vlan.fabric).collect();
        let alone = removed.iter().map(|(_, plane)| plane.vlan.fabric.clone());
        let fabrics: BTreeSet<String> = alone.filter(|it| !fabrics.contains(it)).collect();
        if rng.chance(50) {
            topology.removed.fabrics = fabrics;
        }
        topology.removed.planes.extend(removed);
        topology
    }
}
