//! How a cloud comes to differ: one turn after another, each kept only if what comes of it is sound.
//!
//! Turns that change what a thing is known by (its name, its place, its CIDR) come at most once to each thing and to what
//! it hangs on, so that a declaration can still be understood; a wild pair does without that. Must not know plans.

use std::collections::BTreeSet;

use super::cloud::Cloud;
use super::dice::Dice;

mod lans;
mod nets;
mod places;

/// What a turn may take hold of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Thing {
    Fabric(usize),
    Space(usize),
    Lan(usize),
    Net(usize),
}

/// A cloud that turns.
#[derive(Clone, Debug)]
pub(crate) struct Turning {
    pub(crate) before: Cloud,
    pub(crate) cloud: Cloud,
    /// What is known by something else now.
    pub(crate) moved: BTreeSet<Thing>,
    pub(crate) wild: bool,
}

type Turn = fn(&mut Dice, &mut Turning) -> Option<()>;

/// Every turn with what it is called; each comes as often as it stands here.
pub(crate) const TURNS: [(&str, Turn); 38] = [
    ("a fabric is renamed", places::rename_fabric),
    ("a space is renamed", places::rename_space),
    ("a VLAN goes to another space", places::change_space),
    ("a VLAN goes to a new space", places::new_space),
    ("a plane is added", places::add_plane),
    ("a plane is added on a new fabric", places::add_fabric),
    ("a VID changes", places::change_vid),
    ("two VIDs are swapped", places::swap_vids),
    ("a VLAN goes to another fabric", places::change_fabric),
    ("a plane is declared no more", places::undeclare),
    ("a VLAN is renamed", lans::rename),
    ("an MTU changes", lans::change_mtu),
    ("all MTUs of a fabric change", lans::change_mtus),
    ("DHCP turns", lans::turn_dhcp),
    ("DHCP is told its range", lans::serve),
    ("the racks change", lans::change_racks),
    ("a relay changes", lans::change_relay),
    ("a CIDR moves", nets::move_cidr),
    ("a CIDR moves", nets::move_cidr),
    ("two CIDRs are swapped", nets::swap_cidrs),
    ("a CIDR moves into another's", nets::chain_cidrs),
    ("a CIDR grows or shrinks", nets::resize_cidr),
    ("a subnet is renamed", nets::rename),
    ("a subnet goes to another VLAN", nets::change_lan),
    ("a subnet is added", nets::add),
    ("a gateway changes", nets::change_gateway),
    ("the resolvers change", nets::change_dns),
    ("a switch changes", nets::change_flag),
    ("a switch changes", nets::change_flag),
    ("a description changes", nets::change_words),
    ("a range comes", nets::add_band),
    ("a range goes", nets::drop_band),
    ("a range takes other addresses", nets::move_band),
    ("all ranges shift", nets::shift_bands),
    ("two ranges change places", nets::swap_bands),
    ("a range becomes another", nets::change_band),
    ("the routes change", nets::change_routes),
    ("the reserved IPs change", nets::change_kept),
];

impl Turning {
    pub(crate) fn of(before: &Cloud, wild: bool) -> Self {
        Self {
            before: before.clone(),
            cloud: before.clone(),
            moved: BTreeSet::new(),
            wild,
        }
    }

    /// Makes one turn, whose chances are in `seed`. False, and nothing is changed, when what comes of it is not sound.
    pub(crate) fn turn(&mut self, which: usize, seed: u64) -> bool {
        let mut tried = self.clone();
        let done = TURNS[which].1(&mut Dice::of(seed), &mut tried).is_some();
        tried.keep_racks();
        let turned = done && tried.cloud != self.cloud && tried.cloud.is_sound();
        if turned {
            *self = tried;
        }
        turned
    }

    /// Racks are declared of a VLAN that serves; of others they stay as they are.
    fn keep_racks(&mut self) {
        for (at, lan) in self.cloud.lans.iter_mut().enumerate() {
            let row = self.before.lans.get(at);
            let row = row.filter(|row| row.fabric == lan.fabric);
            if !lan.dhcp {
                lan.primary = row.and_then(|row| row.primary);
                lan.secondary = row.and_then(|row| row.secondary);
            }
        }
    }

    /// A subnet of a plane.
    pub(crate) fn net(&self, dice: &mut Dice) -> Option<usize> {
        let nets: Vec<usize> = (0..self.cloud.nets.len())
            .filter(|net| self.cloud.is_declared(*net))
            .collect();
        dice.pick(&nets).copied()
    }

    /// A VLAN of a plane.
    pub(crate) fn lan(&self, dice: &mut Dice) -> Option<usize> {
        let lans: Vec<usize> = (0..self.cloud.lans.len())
            .filter(|lan| self.cloud.lans[*lan].declared)
            .collect();
        dice.pick(&lans).copied()
    }

    /// Takes hold of things that have not been moved yet.
    pub(crate) fn hold(&mut self, things: impl IntoIterator<Item = Thing>) -> Option<()> {
        for thing in things {
            if !self.moved.insert(thing) && !self.wild {
                return None;
            }
        }
        Some(())
    }

    /// Everything on a VLAN, and the VLAN.
    pub(crate) fn with_nets(&self, lan: usize) -> Vec<Thing> {
        let nets = self.cloud.nets_on(lan).map(Thing::Net);
        nets.chain([Thing::Lan(lan)]).collect()
    }

    pub(crate) fn is_free(&self, thing: Thing) -> bool {
        self.wild || !self.moved.contains(&thing)
    }

    /// Whether something on the VLAN stays where it was, so that the VLAN is recognised by it.
    pub(crate) fn is_anchored(&self, lan: usize) -> bool {
        self.wild
            || self.cloud.nets_on(lan).any(|net| {
                self.before
                    .nets
                    .get(net)
                    .is_some_and(|old| old.cidr == self.cloud.nets[net].cidr && old.lan == lan)
            })
    }
}
