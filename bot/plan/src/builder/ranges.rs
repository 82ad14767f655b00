//! Ranges: removed, moved, created, or only with a new comment.
//!
//! A range's comment is its name. If a range of the same kind and name is declared on the same subnet with other addresses,
//! the range keeps its row and is moved by one PUT, so its addresses are never free in between and DHCP keeps serving. A
//! kind is never changed in place: the API documents only addresses and comment (3.5.9 `maasserver/api/ip_ranges.py`). Must
//! not know why a subnet moves.

use topology::object::{IpRange, Key, Object, RangeKind};
use topology::observed::{Holder, Occupant};

use super::draft::{PlanBuilder, StepDraft};
use super::moves::stays;
use super::remove::removal_reason;
use super::stand::stand_up_step;
use crate::desired::DesiredSubnet;
use crate::refusal::{Refusal, RefusalCode};
use crate::step::Phase;

/// What a step says that deletes a range from which MAAS serves DHCP; the comment's caution goes by it.
pub(crate) const DHCP_PAUSES: &str = "PXE and DHCP are down on this plane";

impl PlanBuilder<'_> {
    /// Dynamic ranges first: with DHCP on, every release refuses to delete their subnet.
    pub(super) fn remove_ranges(&mut self) {
        for kind in [RangeKind::Dynamic, RangeKind::Reserved] {
            for subnet in self.desired.subnets.values() {
                for range in self.removed_ranges(subnet, kind) {
                    self.remove_range(subnet, range);
                }
            }
        }
    }

    /// Ranges of that kind whose row is deleted.
    pub(super) fn removed_ranges(&self, subnet: &DesiredSubnet, kind: RangeKind) -> Vec<IpRange> {
        let Some(old) = subnet.old else {
            return Vec::new();
        };
        self.network
            .ranges_of(old)
            .filter(|range| range.kind == kind)
            .filter(|range| subnet.relocates() || !stays(range, subnet.ranges.as_deref()))
            .filter(|range| !self.moving_ranges.takes(subnet, range))
            .cloned()
            .collect()
    }

    fn remove_range(&mut self, subnet: &DesiredSubnet, range: IpRange) {
        let serves = range.kind == RangeKind::Dynamic
            && self
                .network
                .subnet(&range.subnet)
                .and_then(|row| self.network.vlan(&row.vlan))
                .is_some_and(|vlan| vlan.dhcp_on);
        let reason = removal_reason(subnet.relocates());
        let why = if serves {
            format!("{reason}; {DHCP_PAUSES} until its new range is there")
        } else {
            reason.to_owned()
        };
        self.add_step(StepDraft {
            phase: Phase::Delete,
            plane: Some(subnet.plane.clone()),
            before: Some(Object::Range(range)),
            after: None,
            why,
        });
    }

    /// Existing ranges move before new ones are created.
    pub(super) fn move_ranges(&mut self) {
        for (old, new) in std::mem::take(&mut self.moving_ranges.late) {
            let Some(subnet) = self.desired.subnets.get(&new.subnet) else {
                continue;
            };
            let why = "its addresses change; the row stays";
            self.put_range(
                subnet,
                stand_up_step(None, Some(Object::Range(old)), Object::Range(new), why),
            );
        }
    }

    /// The ranges of a subnet that shrinks move into what is left of it, so that DHCP goes on.
    pub(super) fn move_ranges_inside(&mut self) {
        for (old, new) in std::mem::take(&mut self.moving_ranges.early) {
            let Some(subnet) = self.becomes(&new.subnet) else {
                continue;
            };
            let step = StepDraft {
                phase: Phase::Delete,
                plane: None,
                before: Some(Object::Range(old)),
                after: Some(Object::Range(new)),
                why: "into what is left of its network; the row stays".to_owned(),
            };
            self.put_range(subnet, step);
        }
    }

    pub(super) fn make_ranges(&mut self, kind: RangeKind) {
        for subnet in self.desired.subnets.values() {
            let ranges = subnet.ranges.iter().flatten();
            for range in ranges.filter(|range| range.kind == kind) {
                if self
                    .network
                    .get(&Key::Range(range.subnet, range.range))
                    .is_none()
                {
                    let range = Object::Range(range.clone());
                    self.put_range(subnet, stand_up_step(None, None, range, "declared"));
                }
            }
        }
    }

    /// Adds a write of a range of that subnet.
    fn put_range(&mut self, subnet: &DesiredSubnet, step: StepDraft) {
        let steps = self.steps.len();
        let after = step.after.as_ref().and_then(Object::as_range).cloned();
        self.add_step(StepDraft {
            plane: Some(subnet.plane.clone()),
            ..step
        });
        // If a rule has refused it already, addresses in use do not matter.
        if let Some(after) = after.filter(|_| self.steps.len() > steps) {
            self.refuse_taken(subnet, &after);
        }
    }

    /// A dynamic range may not include an address in use (3.5.9 maasserver/models/subnet.py:623-631). A subnet that is
    /// deleted is emptied first; a new one takes over the addresses that MAAS keeps without a subnet.
    fn refuse_taken(&mut self, subnet: &DesiredSubnet, range: &IpRange) {
        if range.kind == RangeKind::Reserved {
            return;
        }
        let stays = subnet.old == Some(subnet.row.cidr) || subnet.keeps_content;
        let occupants = subnet.old.and_then(|old| self.observed.occupants.get(&old));
        if stays && occupants.is_none() {
            self.refusals.push(
                Refusal::new(
                    RefusalCode::Unseen,
                    format!(
                        "the addresses in use on {}, which gets a dynamic range, were not read.",
                        range.subnet
                    ),
                    "Plan again.",
                )
                .of(&subnet.plane),
            );
            return;
        }
        let departures = self.departures();
        let leaves = |occupant: &Occupant| {
            let old = subnet.old.filter(|_| subnet.keeps_content);
            old.is_some_and(|old| departures.take(&old, occupant.ip))
        };
        let occupants = occupants.filter(|_| stays).into_iter().flatten();
        let occupants = occupants.filter(|occupant| !leaves(occupant));
        let apart = self.observed.elsewhere.iter().flatten();
        let taken = occupants.chain(apart).find_map(|occupant| {
            let ip = occupant.ip.filter(|ip| range.range.contains(*ip))?;
            (occupant.holder != Holder::Passing).then_some((ip, &occupant.holder))
        });
        if let Some((ip, holder)) = taken {
            self.refusals.push(
                Refusal::new(
                    RefusalCode::MaasRefuses,
                    format!(
                        "the dynamic range {} would include {ip}, which {} uses.",
                        range.range,
                        called(holder)
                    ),
                    "Shorten the range, or move that address first.",
                )
                .of(&subnet.plane),
            );
        }
    }

    pub(super) fn rename_ranges(&mut self) {
        for subnet in self.desired.subnets.values() {
            for range in subnet.ranges.iter().flatten() {
                let now = self.object(&Key::Range(range.subnet, range.range));
                if let Some(now) = now {
                    self.add_step(stand_up_step(
                        Some(&subnet.plane),
                        Some(now),
                        Object::Range(range.clone()),
                        "its comment changes",
                    ));
                }
            }
        }
    }
}

/// Describes who uses an address.
pub(crate) fn called(holder: &Holder) -> String {
    match holder {
        Holder::Node { host, .. } => format!("`{host}`"),
        Holder::Bmc { host } => format!("the BMC of `{host}`"),
        Holder::Dns { names } => format!("the name `{}`", names.join("`, `")),
        Holder::User { user } => format!("the user `{user}`"),
        Holder::Passing => "an unknown host".to_owned(),
        Holder::Unknown(what) => what.clone(),
    }
}
