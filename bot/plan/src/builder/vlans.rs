//! VLANs: new ones, those that change before the subnets, and those that wait for their ranges.
//!
//! DHCP and relays change only once the dynamic range exists. An untagged VLAN carries the tagged VLANs of its fabric: its
//! MTU must be raised before theirs and lowered after theirs, or frames are lost in between. If one of them has to wait, all
//! MTUs of that fabric wait. Must not know why a VLAN is desired.

use std::collections::{BTreeMap, BTreeSet};

use topology::object::{Object, Vlan};
use topology::port::Write;

use super::draft::{PlanBuilder, StepDraft};
use super::stand::stand_up_step;
use super::target::creation_step;
use crate::network::RuleViolation;
use crate::step::Phase;

impl<'a> PlanBuilder<'a> {
    /// New VLANs, and changes that need not wait. A VLAN that takes over another's VID comes once that one has left it.
    /// Returns false if some wait for each other and none can be put aside.
    pub(super) fn make_vlans(&mut self) -> bool {
        self.find_vlan_rows();
        self.deferred_mtus = self.fabrics_whose_mtus_wait();
        let mut waiting = self.carriers_first();
        while !waiting.is_empty() {
            let next = waiting
                .iter()
                .position(|(_, desired)| self.is_place_free(desired));
            if let Some(next) = next {
                let (plane, desired) = waiting.remove(next);
                self.put_vlan(plane, desired);
            } else if !self.refusals.is_empty() || !self.put_one_aside(&waiting) {
                return false;
            }
        }
        true
    }

    fn put_vlan(&mut self, plane: &str, desired: &Vlan) {
        let Some(now) = self.vlan_there(desired) else {
            self.make_vlan(plane, desired);
            return;
        };
        let (after, why) = if self.waits(&now, desired) {
            // The fabric and VID must change before the subnets, even if the rest has to wait.
            let moved = Vlan {
                at: desired.at.clone(),
                ..now.clone()
            };
            (moved, "to its other place; the row stays")
        } else {
            (self.but_mtu(&now, desired), "as declared")
        };
        self.add_step(StepDraft {
            phase: Phase::Create,
            plane: Some(plane.to_owned()),
            before: Some(Object::Vlan(now)),
            after: Some(Object::Vlan(after)),
            why: why.to_owned(),
        });
        self.has_arrived(desired);
    }

    fn make_vlan(&mut self, plane: &str, desired: &Vlan) {
        let bare = Vlan {
            dhcp_on: false,
            primary_rack: None,
            secondary_rack: None,
            relay: None,
            ..desired.clone()
        };
        self.add_step(creation_step(Some(plane), Object::Vlan(bare), "declared"));
    }

    /// Changes VLANs with DHCP or a relay, once their ranges exist. Relays come after their targets. Then the deferred MTUs.
    pub(super) fn set_waiting_vlans(&mut self) {
        let (mut relayed, served): (Vec<_>, Vec<_>) = self
            .desired
            .vlans
            .values()
            .partition(|(_, desired)| desired.relay.is_some());
        for (plane, desired) in served {
            self.set_vlan(plane, desired);
        }
        while !relayed.is_empty() {
            let next = relayed.iter().position(|(_, desired)| {
                let now = self.vlan_there(desired);
                now.is_none_or(|now| {
                    let write = change(&now, &self.but_mtu(&now, desired));
                    self.network.allows(&write).is_ok()
                })
            });
            let (plane, desired) = relayed.remove(next.unwrap_or_default());
            self.set_vlan(plane, desired);
        }
        for (plane, desired) in self.carriers_first() {
            if let Some(now) = self.vlan_there(desired) {
                let (before, after) = (Object::Vlan(now), Object::Vlan(desired.clone()));
                let why = "its MTU, in the order in which no frame is too long";
                self.add_step(stand_up_step(Some(plane), Some(before), after, why));
            }
        }
    }

    fn set_vlan(&mut self, plane: &str, desired: &Vlan) {
        let Some(mut now) = self.vlan_there(desired) else {
            return;
        };
        let desired = self.but_mtu(&now, desired);
        if matches!(
            self.network.allows(&change(&now, &desired)),
            Err(RuleViolation::Racks(_))
        ) {
            let alone = |vlan: &Vlan| Vlan {
                secondary_rack: None,
                ..vlan.clone()
            };
            for between in [alone(&now), alone(&desired)] {
                let why = "a rack goes from one place to the other only by way of none";
                let (before, after) = (Object::Vlan(now), Object::Vlan(between.clone()));
                self.add_step(stand_up_step(Some(plane), Some(before), after, why));
                now = between;
            }
        }
        let (before, after) = (Object::Vlan(now), Object::Vlan(desired));
        self.add_step(stand_up_step(
            Some(plane),
            Some(before),
            after,
            "as declared",
        ));
    }

    /// The VLAN's row in the model. Fabrics are renamed by now, but VIDs may not have changed yet.
    pub(super) fn vlan_there(&self, desired: &Vlan) -> Option<Vlan> {
        let at = self.vlan_rows.get(&desired.at).unwrap_or(&desired.at);
        self.network.vlan(at).cloned()
    }

    /// Whether a change has to wait for the ranges: it changes DHCP, or MAAS refuses every change until they exist.
    fn waits(&self, now: &Vlan, desired: &Vlan) -> bool {
        let serves = |vlan: &Vlan| {
            (
                vlan.dhcp_on,
                vlan.primary_rack.clone(),
                vlan.secondary_rack.clone(),
                vlan.relay.clone(),
            )
        };
        serves(now) != serves(desired) || self.network.allows(&change(now, desired)).is_err()
    }

    /// Fabrics in which several MTUs change and one of them has to wait.
    fn fabrics_whose_mtus_wait(&self) -> BTreeSet<String> {
        let mut changing: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
        for (_, desired) in self.desired.vlans.values() {
            let now = self
                .vlan_there(desired)
                .filter(|now| now.mtu != desired.mtu);
            if let Some(now) = now {
                changing
                    .entry(&desired.at.fabric)
                    .or_default()
                    .push(self.waits(&now, desired));
            }
        }
        changing
            .into_iter()
            .filter(|(_, waits)| waits.len() > 1 && waits.contains(&true))
            .map(|(fabric, _)| fabric.to_owned())
            .collect()
    }

    /// The desired VLAN, with the current MTU if MTUs are deferred.
    fn but_mtu(&self, now: &Vlan, desired: &Vlan) -> Vlan {
        let mtu = if self.deferred_mtus.contains(&desired.at.fabric) {
            now.mtu
        } else {
            desired.mtu
        };
        Vlan {
            mtu,
            ..desired.clone()
        }
    }

    /// Ordered so that an untagged VLAN's MTU is never below that of the tagged VLANs: one that stops being untagged comes
    /// first; one that becomes untagged, or whose MTU shrinks, comes last.
    fn carriers_first(&self) -> Vec<&'a (String, Vlan)> {
        let mut vlans: Vec<&(String, Vlan)> = self.desired.vlans.values().collect();
        vlans.sort_by_key(|(_, desired)| {
            let now = self.vlan_there(desired);
            let carries = desired.at.vid == 0;
            let carried = now.as_ref().is_some_and(|now| now.at.vid == 0);
            let shrinks = now.is_some_and(|now| now.mtu > desired.mtu);
            let order = match (carried, carries) {
                (true, false) => MtuOrder::First,
                (false, true) => MtuOrder::Last,
                (true, true) if shrinks => MtuOrder::Last,
                (true, true) | (false, false) => MtuOrder::InOrder,
            };
            (&desired.at.fabric, order, &desired.at)
        });
        vlans
    }
}

/// When a VLAN's MTU changes, relative to the others of its fabric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum MtuOrder {
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
