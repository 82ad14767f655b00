//! Random mutations of a network, each kept only if the result is valid.
//!
//! Mutations that change an object's identity (its name, its VLAN, its CIDR) happen at most once per object and the objects
//! around it, so that the planner can still recognise it. A wild pair has no such limit. Must not know plans.

use std::collections::BTreeSet;

use super::cloud::Cloud;
use super::rng::SeededRng;

mod identity;
mod subnets;
mod vlans;

/// An object whose identity a mutation changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Fabric(usize),
    Space(usize),
    CloudVlan(usize),
    CloudSubnet(usize),
}

/// A network with its mutations so far.
#[derive(Clone, Debug)]
pub struct Mutator {
    pub before: Cloud,
    pub cloud: Cloud,
    /// Objects whose identity has changed.
    pub claimed: BTreeSet<Target>,
    pub wild: bool,
}

type Mutation = fn(&mut SeededRng, &mut Mutator) -> Option<()>;

/// Every mutation with its description. One that is listed twice is twice as likely.
pub const MUTATIONS: [(&str, Mutation); 38] = [
    ("a fabric is renamed", identity::rename_fabric),
    ("a space is renamed", identity::rename_space),
    ("a VLAN moves to another space", identity::change_space),
    ("a VLAN moves to a new space", identity::new_space),
    ("a plane is added", identity::add_plane),
    ("a plane is added on a new fabric", identity::add_fabric),
    ("a VID changes", identity::change_vid),
    ("two VIDs are swapped", identity::swap_vids),
    ("a VLAN moves to another fabric", identity::change_fabric),
    ("a plane is no longer declared", identity::undeclare),
    ("a VLAN is renamed", vlans::rename),
    ("an MTU changes", vlans::change_mtu),
    ("all MTUs of a fabric change", vlans::change_mtus),
    ("DHCP is toggled", vlans::toggle_dhcp),
    ("DHCP gets or loses its range", vlans::serve),
    ("the racks change", vlans::change_racks),
    ("a relay changes", vlans::change_relay),
    ("a CIDR moves", subnets::move_cidr),
    ("a CIDR moves", subnets::move_cidr),
    ("two CIDRs are swapped", subnets::swap_cidrs),
    ("a CIDR moves to another's old one", subnets::chain_cidrs),
    ("a CIDR grows or shrinks", subnets::resize_cidr),
    ("a subnet is renamed", subnets::rename),
    ("a subnet moves to another VLAN", subnets::change_vlan),
    ("a subnet is added", subnets::add),
    ("a gateway changes", subnets::change_gateway),
    ("the resolvers change", subnets::change_dns),
    ("a flag changes", subnets::change_flag),
    ("a flag changes", subnets::change_flag),
    ("a description changes", subnets::change_description),
    ("a range is added", subnets::add_range),
    ("a range is removed", subnets::remove_range),
    ("a range moves", subnets::move_range),
    ("all ranges shift", subnets::shift_ranges),
    ("two ranges are swapped", subnets::swap_ranges),
    ("a range changes its name or kind", subnets::change_range),
    ("the routes change", subnets::change_routes),
    ("the reserved IPs change", subnets::change_reserved_ips),
];

impl Mutator {
    pub fn of(before: &Cloud, wild: bool) -> Self {
        Self {
            before: before.clone(),
            cloud: before.clone(),
            claimed: BTreeSet::new(),
            wild,
        }
    }

    /// Makes one mutation, seeded with `seed`. Returns false and changes nothing if the result is not valid.
    pub fn mutate(&mut self, which: usize, seed: u64) -> bool {
        let mut tried = self.clone();
        let done = MUTATIONS[which].1(&mut SeededRng::of(seed), &mut tried).is_some();
        tried.restore_racks();
        let turned = done && tried.cloud != self.cloud && tried.cloud.is_sound();
        if turned {
            *self = tried;
        }
        turned
    }

    /// Racks are declared only for a VLAN with DHCP on; the racks of others stay as they are.
    fn restore_racks(&mut self) {
        for (at, vlan) in self.cloud.vlans.iter_mut().enumerate() {
            let row = self.before.vlans.get(at);
            let row = row.filter(|row| row.fabric == vlan.fabric);
            if !vlan.dhcp {
                vlan.primary = row.and_then(|row| row.primary);
                vlan.secondary = row.and_then(|row| row.secondary);
            }
        }
    }

    /// A random declared subnet.
    pub fn subnet(&self, rng: &mut SeededRng) -> Option<usize> {
        let subnets: Vec<usize> = (0..self.cloud.subnets.len())
            .filter(|subnet| self.cloud.is_declared(*subnet))
            .collect();
        rng.pick(&subnets).copied()
    }

    /// A random declared VLAN.
    pub fn vlan(&self, rng: &mut SeededRng) -> Option<usize> {
        let vlans: Vec<usize> = (0..self.cloud.vlans.len())
            .filter(|vlan| self.cloud.vlans[*vlan].declared)
            .collect();
        rng.pick(&vlans).copied()
    }

    /// Claims objects whose identity has not changed yet; `None` if one has.
    pub fn claim(&mut self, targets: impl IntoIterator<Item = Target>) -> Option<()> {
        for target in targets {
            if !self.claimed.insert(target) && !self.wild {
                return None;
            }
        }
        Some(())
    }

    /// A VLAN and all its subnets.
    pub fn with_subnets(&self, vlan: usize) -> Vec<Target> {
        let subnets = self.cloud.subnets_on(vlan).map(Target::CloudSubnet);
        subnets.chain([Target::CloudVlan(vlan)]).collect()
    }

    pub fn is_free(&self, target: Target) -> bool {
        self.wild || !self.claimed.contains(&target)
    }

    /// Whether an unchanged subnet is left on the VLAN, by which it is recognised.
    pub fn is_anchored(&self, vlan: usize) -> bool {
        self.wild
            || self.cloud.subnets_on(vlan).any(|subnet| {
                self.before.subnets.get(subnet).is_some_and(|old| {
                    old.cidr == self.cloud.subnets[subnet].cidr && old.vlan == vlan
                })
            })
    }
}
