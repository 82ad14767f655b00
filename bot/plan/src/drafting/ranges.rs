//! Ranges: those that go, those that move, those that come, those that only change their comment.
//!
//! A range's comment is its name. A range of one kind that is declared under the same name on the same subnet with other
//! addresses keeps its row and is moved by one PUT, so what it promises is never free in between and DHCP goes on serving.
//! A kind is never changed in place: the API documents addresses and comment only (3.5.9 `maasserver/api/ip_ranges.py`). Must
//! not know why a subnet moves.

use std::collections::BTreeMap;

use topology::object::{IpRange, Key, Object, RangeKind};
use topology::observed::{Holder, Observed};

use super::remove::going_because;
use super::stand::stood;
use super::{Drafting, Note};
use crate::refusal::{Code, Refusal};
use crate::step::Phase;
use crate::wanted::{Wanted, WantedSubnet};

/// Ranges that keep their row: as they are and as they shall be, in an order in which none meets another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Moves(Vec<(IpRange, IpRange)>);

impl Moves {
    /// Those of every subnet that stays where it is.
    pub(super) fn of(observed: &Observed, wanted: &Wanted) -> Self {
        let staying = wanted
            .subnets
            .values()
            .filter(|subnet| subnet.old == Some(subnet.row.cidr));
        Self(
            staying
                .flat_map(|subnet| {
                    let managed = observed
                        .subnet(&subnet.row.cidr)
                        .is_some_and(|row| row.flags.managed);
                    let there: Vec<&IpRange> = observed.ranges_of(subnet.row.cidr).collect();
                    let named = same_names(&there, subnet.ranges.as_deref().unwrap_or_default());
                    // MAAS takes no dynamic range on an unmanaged subnet (seen on 3.5.12 and 3.7.3).
                    in_order(
                        named
                            .into_iter()
                            .filter(|(old, _)| managed || old.kind == RangeKind::Reserved)
                            .collect(),
                    )
                })
                .collect(),
        )
    }

    fn takes(&self, range: &IpRange) -> bool {
        self.0.iter().any(|(old, _)| old == range)
    }
}

/// Ranges that leave their addresses, with the one of the same kind and name that comes, where both are the only one.
fn same_names(there: &[&IpRange], wanted: &[IpRange]) -> Vec<(IpRange, IpRange)> {
    let going = only_ones(
        there
            .iter()
            .copied()
            .filter(|range| !stays(range, Some(wanted))),
    );
    let is_there = |range: &IpRange| there.iter().any(|old| is_row_of(old, range));
    let coming = only_ones(wanted.iter().filter(|range| !is_there(range)));
    going
        .into_iter()
        .filter_map(|(name, old)| Some((old.clone(), (*coming.get(&name)?).clone())))
        .collect()
}

/// Ranges by kind and comment, without those that share both.
fn only_ones<'a>(
    ranges: impl Iterator<Item = &'a IpRange>,
) -> BTreeMap<(RangeKind, &'a str), &'a IpRange> {
    let mut named: BTreeMap<_, Vec<&IpRange>> = BTreeMap::new();
    for range in ranges {
        named
            .entry((range.kind, range.comment.as_str()))
            .or_default()
            .push(range);
    }
    named
        .into_iter()
        .filter_map(|(name, ranges)| match ranges.as_slice() {
            [one] => Some((name, *one)),
            _ => None,
        })
        .collect()
}

/// Each move when the addresses it wants are free. Where they wait for each other in a circle, one of them is no move: it
/// goes and comes again, a dynamic one (the last) before a reserved one, whose addresses MAAS could give away meanwhile.
fn in_order(mut waiting: Vec<(IpRange, IpRange)>) -> Vec<(IpRange, IpRange)> {
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let free = waiting.iter().position(|(own, new)| {
            waiting
                .iter()
                .all(|(other, _)| other == own || !other.range.overlaps(&new.range))
        });
        match free {
            Some(next) => ordered.push(waiting.remove(next)),
            None => drop(waiting.pop()),
        }
    }
    ordered
}

impl Drafting<'_> {
    /// Dynamic ranges first: with DHCP on they are what holds a subnet on every release.
    pub(super) fn remove_ranges(&mut self) {
        for kind in [RangeKind::Dynamic, RangeKind::Reserved] {
            for subnet in self.wanted.subnets.values() {
                for range in self.going_ranges(subnet, kind) {
                    self.remove_range(subnet, range);
                }
            }
        }
    }

    /// Ranges of that kind whose row goes.
    pub(super) fn going_ranges(&self, subnet: &WantedSubnet, kind: RangeKind) -> Vec<IpRange> {
        let Some(old) = subnet.old else {
            return Vec::new();
        };
        self.network
            .ranges_of(old)
            .filter(|range| range.kind == kind)
            .filter(|range| subnet.moves() || !stays(range, subnet.ranges.as_deref()))
            .filter(|range| !self.moving_ranges.takes(range))
            .cloned()
            .collect()
    }

    fn remove_range(&mut self, subnet: &WantedSubnet, range: IpRange) {
        let serves = range.kind == RangeKind::Dynamic
            && self
                .network
                .subnet(&range.subnet)
                .and_then(|row| self.network.vlan(&row.vlan))
                .is_some_and(|vlan| vlan.dhcp_on);
        let because = going_because(subnet.moves());
        let why = if serves {
            format!("{because}; PXE and DHCP are down on this plane until its new range is there")
        } else {
            because.to_owned()
        };
        self.note(Note {
            phase: Phase::Delete,
            plane: Some(subnet.plane.clone()),
            before: Some(Object::Range(range)),
            after: None,
            why,
        });
    }

    /// What is promised moves before anything new comes.
    pub(super) fn move_ranges(&mut self) {
        for (old, new) in std::mem::take(&mut self.moving_ranges.0) {
            let Some(subnet) = self.wanted.subnets.get(&new.subnet) else {
                continue;
            };
            self.stand_range(
                subnet,
                Some(old),
                &new,
                "its addresses change; the row stays",
            );
        }
    }

    pub(super) fn make_ranges(&mut self, kind: RangeKind) {
        for subnet in self.wanted.subnets.values() {
            let ranges = subnet.ranges.iter().flatten();
            for range in ranges.filter(|range| range.kind == kind) {
                if self
                    .network
                    .get(&Key::Range(range.subnet, range.range))
                    .is_none()
                {
                    self.stand_range(subnet, None, range, "declared");
                }
            }
        }
    }

    fn stand_range(
        &mut self,
        subnet: &WantedSubnet,
        before: Option<IpRange>,
        after: &IpRange,
        why: &str,
    ) {
        let steps = self.steps.len();
        self.note(stood(
            Some(&subnet.plane),
            before.map(Object::Range),
            Object::Range(after.clone()),
            why,
        ));
        // Where the rules refuse it already, who lives there does not matter.
        if self.steps.len() > steps {
            self.refuse_taken(subnet, after);
        }
    }

    /// A dynamic range may cover no address that somebody has (3.5.9 maasserver/models/subnet.py:623-631). A subnet that
    /// goes is emptied first; one that comes takes up the addresses that MAAS keeps without a subnet.
    fn refuse_taken(&mut self, subnet: &WantedSubnet, range: &IpRange) {
        if range.kind == RangeKind::Reserved {
            return;
        }
        let stays = subnet.old == Some(subnet.row.cidr);
        let living = self.observed.occupants.get(&range.subnet);
        if stays && living.is_none() {
            self.refusals.push(
                Refusal::new(
                    Code::Unseen,
                    format!(
                        "nobody asked MAAS who lives on {}, which gets a dynamic range.",
                        range.subnet
                    ),
                    "Plan again.",
                )
                .of(&subnet.plane),
            );
            return;
        }
        let living = living.filter(|_| stays).into_iter().flatten();
        let apart = self.observed.elsewhere.iter().flatten();
        let taken = living.chain(apart).find_map(|occupant| {
            let ip = occupant.ip.filter(|ip| range.range.contains(*ip))?;
            (occupant.holder != Holder::Passing).then_some((ip, &occupant.holder))
        });
        if let Some((ip, holder)) = taken {
            self.refusals.push(
                Refusal::new(
                    Code::MaasRefuses,
                    format!(
                        "the dynamic range {} would cover {ip}, which {} has.",
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
        for subnet in self.wanted.subnets.values() {
            for range in subnet.ranges.iter().flatten() {
                let now = self.object(&Key::Range(range.subnet, range.range));
                if let Some(now) = now {
                    self.note(stood(
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

/// Whether a range keeps its row where it is.
fn stays(range: &IpRange, wanted: Option<&[IpRange]>) -> bool {
    wanted.is_none_or(|wanted| wanted.iter().any(|kept| is_row_of(range, kept)))
}

/// Whether the row of a range stays where it shall be, with whatever comment. A comment is never taken away: an empty one is
/// no change to MAAS, which reads it as nothing sent (3.6.5 maasserver/forms/__init__.py:201-234).
fn is_row_of(range: &IpRange, wanted: &IpRange) -> bool {
    let may_stay = range.comment.is_empty() || !wanted.comment.is_empty();
    range.range == wanted.range && range.kind == wanted.kind && may_stay
}

/// Who has an address, in words.
pub(crate) fn called(holder: &Holder) -> String {
    match holder {
        Holder::Node { host, .. } => format!("`{host}`"),
        Holder::Bmc { host } => format!("the BMC of `{host}`"),
        Holder::Dns { names } => format!("the name `{}`", names.join("`, `")),
        Holder::User { user } => format!("the user `{user}`"),
        Holder::Passing => "a passing host".to_owned(),
        Holder::Unknown(what) => what.clone(),
    }
}
