//! Ranges that keep their row and change their addresses, in an order in which none overlaps another.
//!
//! Must not know steps.

use std::collections::BTreeMap;

use topology::object::{IpRange, RangeKind};
use topology::observed::Observed;

use crate::desired::{Desired, DesiredSubnet};

/// Ranges that keep their row, as observed and as desired, in an order in which none overlaps another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RangeMoves(pub(super) Vec<(IpRange, IpRange)>);

impl RangeMoves {
    /// The range moves of every subnet that keeps its CIDR or grows. When a subnet shrinks, MAAS has the CIDR first, and
    /// then refuses a range that lies outside of it.
    pub(super) fn of(observed: &Observed, desired: &Desired) -> Self {
        let staying = desired
            .subnets
            .values()
            .filter_map(|subnet| Some((subnet.old?, subnet)))
            .filter(|(old, subnet)| {
                let cidr = subnet.row.cidr;
                *old == cidr || (subnet.keeps_content && cidr.encloses(old))
            });
        Self(
            staying
                .flat_map(|(old, subnet)| {
                    let managed = observed.subnet(&old).is_some_and(|row| row.flags.managed);
                    // By then their subnet has its new CIDR.
                    let there: Vec<IpRange> = observed
                        .ranges_of(old)
                        .map(|range| IpRange {
                            subnet: subnet.row.cidr,
                            ..range.clone()
                        })
                        .collect();
                    let there: Vec<&IpRange> = there.iter().collect();
                    let named = same_names(&there, subnet.ranges.as_deref().unwrap_or_default());
                    // MAAS refuses a dynamic range on an unmanaged subnet (seen on 3.5.12 and 3.7.3).
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

    /// Whether a range of what becomes that subnet is moved.
    pub(super) fn takes(&self, subnet: &DesiredSubnet, range: &IpRange) -> bool {
        self.0.iter().any(|(old, _)| {
            let then = IpRange {
                subnet: subnet.row.cidr,
                ..range.clone()
            };
            *old == then
        })
    }
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
