//! Ranges that keep their row and change their addresses, in an order in which none overlaps another.
//!
//! Must not know steps.

use std::collections::BTreeMap;

use topology::address::Cidr;
use topology::object::{IpRange, Object, RangeKind};
use topology::observed::Observed;

use crate::desired::{Desired, DesiredSubnet};

/// Ranges that keep their row, as observed and as desired, in an order in which none overlaps another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RangeMoves {
    /// Those that move once their subnet has its new CIDR.
    pub(super) late: Vec<(IpRange, IpRange)>,
    /// Those of subnets that shrink, which move before: MAAS then refuses no range that lies outside.
    pub(super) early: Vec<(IpRange, IpRange)>,
}

impl RangeMoves {
    /// The range moves of every subnet that keeps its CIDR, grows or shrinks in place.
    pub(super) fn of(observed: &Observed, desired: &Desired) -> Self {
        let mut moves = Self::default();
        for subnet in desired.subnets.values() {
            let Some(old) = subnet.old else { continue };
            let new = subnet.row.cidr;
            if old == new || (subnet.keeps_content && new.encloses(&old)) {
                moves.late.extend(moves_of(subnet, (old, new), observed));
            } else if subnet.keeps_content {
                let early = moves_of(subnet, (old, old), observed);
                let fitting = early
                    .into_iter()
                    .filter(|(_, new)| may_be_early(old, new, observed));
                moves.early.extend(fitting);
            }
        }
        moves
    }

    /// Whether a range of what becomes that subnet is moved.
    pub(super) fn takes(&self, subnet: &DesiredSubnet, range: &IpRange) -> bool {
        let then = IpRange {
            subnet: subnet.row.cidr,
            ..range.clone()
        };
        let mut early = self.early.iter();
        early.any(|(old, _)| old == range) || self.late.iter().any(|(old, _)| *old == then)
    }
}

/// The moves of one subnet's ranges, in order, while it has the CIDR `then`.
fn moves_of(
    subnet: &DesiredSubnet,
    (old, then): (Cidr, Cidr),
    observed: &Observed,
) -> Vec<(IpRange, IpRange)> {
    let managed = observed.subnet(&old).is_some_and(|row| row.flags.managed);
    let on_it = |range: &IpRange| IpRange {
        subnet: then,
        ..range.clone()
    };
    let there: Vec<IpRange> = observed.ranges_of(old).map(on_it).collect();
    let there: Vec<&IpRange> = there.iter().collect();
    let desired: Vec<IpRange> = subnet.ranges.iter().flatten().map(on_it).collect();
    // MAAS refuses a dynamic range on an unmanaged subnet (seen on 3.5.12 and 3.7.3).
    in_order(
        same_names(&there, &desired)
            .into_iter()
            .filter(|(old, _)| managed || old.kind == RangeKind::Reserved)
            .collect(),
    )
}

/// Whether a range may have its new addresses while its subnet still has the old CIDR, gateway and resolvers: MAAS allows no
/// dynamic range that contains one.
fn may_be_early(old: Cidr, new: &IpRange, observed: &Observed) -> bool {
    let row = observed.subnet(&old);
    let used = row
        .into_iter()
        .flat_map(|row| row.gateway.iter().chain(&row.dns).copied());
    let routes = observed.routes().filter(|route| route.source == old);
    let reserved = observed
        .all()
        .filter_map(Object::as_reserved_ip)
        .filter(|reserved| reserved.subnet == old);
    let mut taken = used
        .chain(routes.map(|route| route.gateway))
        .chain(reserved.map(|reserved| reserved.ip));
    new.kind == RangeKind::Reserved || !taken.any(|ip| new.range.contains(ip))
}

/// Pairs of a range that loses its addresses and a new one of the same kind and name, if both are unique.
fn same_names(there: &[&IpRange], desired: &[IpRange]) -> Vec<(IpRange, IpRange)> {
    let removed = only_ones(
        there
            .iter()
            .copied()
            .filter(|range| !stays(range, Some(desired))),
    );
    let is_there = |range: &IpRange| there.iter().any(|old| is_row_of(old, range));
    let coming = only_ones(desired.iter().filter(|range| !is_there(range)));
    removed
        .into_iter()
        .filter_map(|(name, old)| Some((old.clone(), (*coming.get(&name)?).clone())))
        .collect()
}

/// Ranges by kind and comment; those that share both are left out.
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

/// Orders the moves so that the new addresses of each are free. If they wait for each other in a cycle, one of them is
/// deleted and recreated instead of moved: preferably a dynamic one (the last), because MAAS could allocate a reserved
/// range's addresses in between.
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

/// Whether a range keeps its row and its addresses.
pub(super) fn stays(range: &IpRange, desired: Option<&[IpRange]>) -> bool {
    desired.is_none_or(|desired| desired.iter().any(|kept| is_row_of(range, kept)))
}

/// Whether a range's row can be the desired one, apart from its comment. A comment cannot be cleared: MAAS treats an empty
/// one as not sent (3.6.5 maasserver/forms/__init__.py:201-234).
fn is_row_of(range: &IpRange, desired: &IpRange) -> bool {
    let may_stay = range.comment.is_empty() || !desired.comment.is_empty();
    range.range == desired.range && range.kind == desired.kind && may_stay
}
