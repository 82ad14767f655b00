//! VLANs: new ones, those that change before the subnets come, and those that wait until their ranges stand.
//!
//! Who serves DHCP or relays it changes when its dynamic range is there. An untagged VLAN carries the tagged ones of its
//! fabric: its MTU goes up before theirs and down after them, or frames are lost in between; where one of them has to wait,
//! all MTUs of that fabric wait. Must not know why a VLAN is wanted.

use std::collections::{BTreeMap, BTreeSet};

use topology::object::{Object, Vlan};
use topology::port::Write;

use super::stand::stood;
use super::target::made;
use super::{Drafting, Note};
use crate::network::Broken;
use crate::step::Phase;

impl<'a> Drafting<'a> {
    /// New VLANs, and changes that need not wait.
    pub(super) fn make_vlans(&mut self) {
        self.mtus_wait = self.fabrics_whose_mtus_wait();
        for (plane, wanted) in self.carriers_first() {
            let Some(now) = self.vlan_there(wanted) else {
                self.make_vlan(plane, wanted);
                continue;
            };
            let (after, why) = if self.waits(&now, wanted) {
                // The place must change before the subnets come, even where the rest has to wait.
                let moved = Vlan {
                    at: wanted.at.clone(),
                    ..now.clone()
                };
                (moved, "to its other place; the row stays")
            } else {
                (self.but_mtu(&now, wanted), "as declared")
            };
            self.note(Note {
                phase: Phase::Create,
                plane: Some(plane.clone()),
                before: Some(Object::Vlan(now)),
                after: Some(Object::Vlan(after)),
                why: why.to_owned(),
            });
        }
    }

    fn make_vlan(&mut self, plane: &str, wanted: &Vlan) {
        let bare = Vlan {
            dhcp_on: false,
            primary_rack: None,
            secondary_rack: None,
            relay: None,
            ..wanted.clone()
        };
        self.note(made(Some(plane), Object::Vlan(bare), "declared"));
    }

    /// VLANs with DHCP or a relay, when their ranges are there. Relays after what they lead to, and those first that
    /// nothing is relayed to. Then the MTUs that waited.
    pub(super) fn set_waiting_vlans(&mut self) {
        let (mut relayed, served): (Vec<_>, Vec<_>) = self
            .wanted
            .vlans
            .values()
            .partition(|(_, wanted)| wanted.relay.is_some());
        for (plane, wanted) in served {
            self.set_vlan(plane, wanted);
        }
        while !relayed.is_empty() {
            let may_go = relayed.iter().position(|(_, wanted)| {
                let now = self.vlan_there(wanted);
                now.is_none_or(|now| {
                    let write = change(&now, &self.but_mtu(&now, wanted));
                    self.network.allows(&write).is_ok()
                })
            });
            let (plane, wanted) = relayed.remove(may_go.unwrap_or_default());
            self.set_vlan(plane, wanted);
        }
        for (plane, wanted) in self.carriers_first() {
            if let Some(now) = self.vlan_there(wanted) {
                let (before, after) = (Object::Vlan(now), Object::Vlan(wanted.clone()));
                let why = "its MTU, in the order in which no frame is too long";
                self.note(stood(Some(plane), Some(before), after, why));
            }
        }
    }

    fn set_vlan(&mut self, plane: &str, wanted: &Vlan) {
        let Some(mut now) = self.vlan_there(wanted) else {
            return;
        };
        let wanted = self.but_mtu(&now, wanted);
        if matches!(
            self.network.allows(&change(&now, &wanted)),
            Err(Broken::Racks(_))
        ) {
            let alone = |vlan: &Vlan| Vlan {
                secondary_rack: None,
                ..vlan.clone()
            };
            for between in [alone(&now), alone(&wanted)] {
                let why = "a rack goes from one place to the other only by way of none";
                let (before, after) = (Object::Vlan(now), Object::Vlan(between.clone()));
                self.note(stood(Some(plane), Some(before), after, why));
                now = between;
            }
        }
        let (before, after) = (Object::Vlan(now), Object::Vlan(wanted));
        self.note(stood(Some(plane), Some(before), after, "as declared"));
    }

    /// The VLAN's row as it is now on paper: fabrics are renamed by now, VIDs perhaps not.
    pub(super) fn vlan_there(&self, wanted: &Vlan) -> Option<Vlan> {
        self.network
            .vlan(&wanted.at)
            .or_else(|| {
                self.network
                    .vlans()
                    .find(|vlan| self.pairing.place(&vlan.at) == wanted.at)
            })
            .cloned()
    }

    /// Whether a change has to wait for the ranges: it is about DHCP, or MAAS refuses every change until they are there.
    fn waits(&self, now: &Vlan, wanted: &Vlan) -> bool {
        let serves = |vlan: &Vlan| {
            (
                vlan.dhcp_on,
                vlan.primary_rack.clone(),
                vlan.secondary_rack.clone(),
                vlan.relay.clone(),
            )
        };
        serves(now) != serves(wanted) || self.network.allows(&change(now, wanted)).is_err()
    }

    /// Fabrics in which one of several MTUs that change has to wait.
    fn fabrics_whose_mtus_wait(&self) -> BTreeSet<String> {
        let mut changing: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
        for (_, wanted) in self.wanted.vlans.values() {
            let now = self.vlan_there(wanted).filter(|now| now.mtu != wanted.mtu);
            if let Some(now) = now {
                changing
                    .entry(&wanted.at.fabric)
                    .or_default()
                    .push(self.waits(&now, wanted));
            }
        }
        changing
            .into_iter()
            .filter(|(_, waits)| waits.len() > 1 && waits.contains(&true))
            .map(|(fabric, _)| fabric.to_owned())
            .collect()
    }

    /// What is wanted, with the MTU that is there where MTUs wait.
    fn but_mtu(&self, now: &Vlan, wanted: &Vlan) -> Vlan {
        let mtu = if self.mtus_wait.contains(&wanted.at.fabric) {
            now.mtu
        } else {
            wanted.mtu
        };
        Vlan {
            mtu,
            ..wanted.clone()
        }
    }

    /// In an order in which a carrier's MTU is never below what it carries: whoever carries no more goes first, whoever
    /// begins to, or carries less, comes last.
    fn carriers_first(&self) -> Vec<&'a (String, Vlan)> {
        let mut vlans: Vec<&(String, Vlan)> = self.wanted.vlans.values().collect();
        vlans.sort_by_key(|(_, wanted)| {
            let now = self.vlan_there(wanted);
            let carries = wanted.at.vid == 0;
            let carried = now.as_ref().is_some_and(|now| now.at.vid == 0);
            let shrinks = now.is_some_and(|now| now.mtu > wanted.mtu);
            let turn = match (carried, carries) {
                (true, false) => Turn::First,
                (false, true) => Turn::Last,
                (true, true) if shrinks => Turn::Last,
                (true, true) | (false, false) => Turn::InOrder,
            };
            (&wanted.at.fabric, turn, &wanted.at)
        });
        vlans
    }
}

/// When a VLAN's MTU changes among those of its fabric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    First,
    InOrder,
    Last,
}

fn change(now: &Vlan, after: &Vlan) -> Write {
    Write::Update(
        Box::new(Object::Vlan(now.clone())),
        Box::new(Object::Vlan(after.clone())),
    )
}
