//! How a cloud comes to differ: one turn after another, each kept only if what comes of it is sound.
//!
//! Turns that change what a thing is known by (its name, its place, its CIDR) come at most once to each thing and to what
//! it hangs on, so that a declaration can still be understood; a wild pair does without that. Must not know plans.

use std::collections::BTreeSet;

use super::cloud::Cloud;
use super::rng::SeededRng;

mod vlans;
mod subnets;
mod identity;

/// What a turn may take hold of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Fabric(usize),
    Space(usize),
    CloudVlan(usize),
    CloudSubnet(usize),
}

/// A cloud that turns.
#[derive(Clone, Debug)]
pub struct Mutator {
    pub before: Cloud,
    pub cloud: Cloud,
    /// What is known by something else now.
    pub claimed: BTreeSet<Target>,
    pub wild: bool,
}

type Mutation = fn(&mut SeededRng, &mut Mutator) -> Option<()>;

/// Every turn with what it is called; each comes as often as it stands here.
pub const MUTATIONS: [(&str, Mutation); 38] = [
    ("a fabric is renamed", identity::rename_fabric),
    ("a space is renamed", identity::rename_space),
    ("a VLAN goes to another space", identity::change_space),
    ("a VLAN goes to a new space", identity::new_space),
    ("a plane is added", identity::add_plane),
    ("a plane is added on a new fabric", identity::add_fabric),
    ("a VID changes", identity::change_vid),
    ("two VIDs are swapped", identity::swap_vids),
    ("a VLAN goes to another fabric", identity::change_fabric),
    ("a plane is declared no more", identity::undeclare),
    ("a VLAN is renamed", vlans::rename),
    ("an MTU changes", vlans::change_mtu),
    ("all MTUs of a fabric change", vlans::change_mtus),
    ("DHCP turns", vlans::toggle_dhcp),
    ("DHCP is told its range", vlans::serve),
    ("the racks change", vlans::change_racks),
    ("a relay changes", vlans::change_relay),
    ("a CIDR moves", subnets::move_cidr),
    ("a CIDR moves", subnets::move_cidr),
    ("two CIDRs are swapped", subnets::swap_cidrs),
    ("a CIDR moves into another's", subnets::chain_cidrs),
    ("a CIDR grows or shrinks", subnets::resize_cidr),
    ("a subnet is renamed", subnets::rename),
    ("a subnet goes to another VLAN", subnets::change_vlan),
    ("a subnet is added", subnets::add),
    ("a gateway changes", subnets::change_gateway),
    ("the resolvers change", subnets::change_dns),
    ("a switch changes", subnets::change_flag),
    ("a switch changes", subnets::change_flag),
    ("a description changes", subnets::change_description),
    ("a range comes", subnets::add_range),
    ("a range goes", subnets::remove_range),
    ("a range takes other addresses", subnets::move_range),
    ("all ranges shift", subnets::shift_ranges),
    ("two ranges change places", subnets::swap_ranges),
    ("a range becomes another", subnets::change_range),
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

    /// Makes one turn, whose chances are in `seed`. False, and nothing is changed, when what comes of it is not sound.
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

    /// Racks are declared of a VLAN that serves; of others they stay as they are.
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

    /// A subnet of a plane.
    pub fn subnet(&self, rng: &mut SeededRng) -> Option<usize> {
        let subnets: Vec<usize> = (0..self.cloud.subnets.len())
            .filter(|subnet| self.cloud.is_declared(*subnet))
            .collect();
        rng.pick(&subnets).copied()
    }

    /// A VLAN of a plane.
    pub fn vlan(&self, rng: &mut SeededRng) -> Option<usize> {
        let vlans: Vec<usize> = (0..self.cloud.vlans.len())
            .filter(|vlan| self.cloud.vlans[*vlan].declared)
            .collect();
        rng.pick(&vlans).copied()
    }

    /// Takes hold of things that have not been moved yet.
    pub fn claim(&mut self, targets: impl IntoIterator<Item = Target>) -> Option<()> {
        for target in targets {
            if !self.claimed.insert(target) && !self.wild {
                return None;
            }
        }
        Some(())
    }

    /// Everything on a VLAN, and the VLAN.
    pub fn with_subnets(&self, vlan: usize) -> Vec<Target> {
        let subnets = self.cloud.subnets_on(vlan).map(Target::CloudSubnet);
        subnets.chain([Target::CloudVlan(vlan)]).collect()
    }

    pub fn is_free(&self, target: Target) -> bool {
        self.wild || !self.claimed.contains(&target)
    }

    /// Whether something on the VLAN stays where it was, so that the VLAN is recognised by it.
    pub fn is_anchored(&self, vlan: usize) -> bool {
        self.wild
            || self.cloud.subnets_on(vlan).any(|subnet| {
                self.before
                    .subnets
                    .get(subnet)
                    .is_some_and(|old| old.cidr == self.cloud.subnets[subnet].cidr && old.vlan == vlan)
            })
    }
}
