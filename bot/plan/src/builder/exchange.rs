//! VLANs that exchange their places: each moves once its VID is free, and one of a circle goes by way of a free VID.
//!
//! MAAS refuses a VID that another VLAN of the fabric has (400, seen on 3.5.12 and 3.7.3), and keeps everything with the row.
//! Must not know which VLANs exchange (see `pairing`).

use topology::object::{Object, Vlan, VlanAt};

use super::draft::{PlanBuilder, StepDraft};
use crate::refusal::{Refusal, RefusalCode};
use crate::step::Phase;

impl PlanBuilder<'_> {
    /// Notes where the rows are that change their fabric or VID.
    pub(super) fn find_vlan_rows(&mut self) {
        self.vlan_rows = self
            .pairing
            .vlans
            .iter()
            .filter(|(old, _)| self.network.vlan(old).is_some())
            .map(|(old, new)| (new.clone(), old.clone()))
            .collect();
    }

    /// The row has its place: from now on it is found there.
    pub(super) fn has_arrived(&mut self, desired: &Vlan) {
        let moves = self.vlan_rows.contains_key(&desired.at);
        if moves && self.network.vlan(&self.vlan_rows[&desired.at]).is_none() {
            self.vlan_rows.remove(&desired.at);
        }
    }

    /// Whether no other VLAN is where this one goes.
    pub(super) fn is_place_free(&self, desired: &Vlan) -> bool {
        if self.vlan_rows.contains_key(&desired.at) {
            self.network.vlan(&desired.at).is_none()
        } else {
            !self.vlan_rows.values().any(|at| *at == desired.at)
        }
    }

    /// Breaks a circle: gives one of its VLANs a free VID for the time being. Returns false if there is none.
    pub(super) fn put_one_aside(&mut self, waiting: &[&(String, Vlan)]) -> bool {
        let next = waiting.iter().find_map(|(plane, desired)| {
            let at = self.vlan_rows.get(&desired.at)?;
            // One that is aside already is in nobody's way.
            let in_the_way = waiting.iter().any(|(_, other)| other.at == *at);
            let now = self.network.vlan(at).filter(|_| in_the_way)?;
            Some((plane.clone(), desired.at.clone(), now.clone()))
        });
        let Some((plane, goal, now)) = next else {
            return false;
        };
        let Some(vid) = self.free_vid(&now.at.fabric) else {
            let why = format!(
                "vlan {} would get VID {} from a VLAN that waits for its own, and no VID of fabric `{}` is free in between.",
                now.at, goal.vid, now.at.fabric
            );
            let help = "Remove a VLAN that nobody uses, or make the change in two.";
            self.refusals
                .push(Refusal::new(RefusalCode::Circle, why, help).of(&plane));
            return false;
        };
        let aside = VlanAt {
            fabric: now.at.fabric.clone(),
            vid,
        };
        let after = Vlan {
            at: aside.clone(),
            ..now.clone()
        };
        self.add_step(StepDraft {
            phase: Phase::Create,
            plane: Some(plane),
            before: Some(Object::Vlan(now)),
            after: Some(Object::Vlan(after)),
            why: "aside for a moment, on a free VID: the VIDs change places in a circle".to_owned(),
        });
        if self.network.vlan(&aside).is_none() {
            return false;
        }
        self.vlan_rows.insert(goal, aside);
        true
    }

    /// The highest VID that neither MAAS has nor a plane declares in that fabric.
    fn free_vid(&self, fabric: &str) -> Option<u16> {
        let taken = |vid: u16| {
            let at = VlanAt {
                fabric: fabric.to_owned(),
                vid,
            };
            self.network.vlan(&at).is_some() || self.desired.vlans.contains_key(&at)
        };
        (1..=VID_MAX).rev().find(|vid| !taken(*vid))
    }
}

/// The highest VID of IEEE 802.1Q that MAAS takes.
const VID_MAX: u16 = 4094;
