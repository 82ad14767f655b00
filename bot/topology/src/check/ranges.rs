//! Reservations of one subnet: each where MAAS allows it, and none overlapping another.
//!
//! The rules are 3.5.9 maasserver/models/iprange.py:156-277 and models/subnet.py:549-631.

use std::net::{IpAddr, Ipv6Addr};

use crate::address::{Cidr, Range};
use crate::draft::{AddressRef, Located, RangeRef, ReservationDraft};
use crate::finding::{FilePosition, Findings, codes, shown};
use crate::plane::{Purpose, Reservation};

use super::index::PlaneIndex;
use super::names;

/// The size of the smallest IPv6 dynamic range that MAAS accepts.
const V6_DYNAMIC_MIN: u128 = 256;

/// Checks a subnet's reservations. Returns the valid ones, in the order of the file.
pub(super) fn check(
    draft: &[ReservationDraft],
    cidr: Cidr,
    index: &PlaneIndex,
    findings: &mut Findings<'_>,
) -> Vec<Reservation> {
    let mut checked: Vec<(Reservation, FilePosition)> = Vec::new();
    for draft in draft {
        let name = draft
            .name
            .as_ref()
            .map_or(Some(String::new()), |draft| names::text(draft, findings));
        let purpose = draft
            .purpose
            .as_ref()
            .map_or(Some(Purpose::Reserved), |draft| draft.value);
        let Some(range) = resolve(&draft.range, cidr, index, findings) else {
            continue;
        };
        rules(range, purpose, cidr, draft.range.place, findings);
        let (Some(name), Some(purpose)) = (name, purpose) else {
            continue;
        };
        checked.push((
            Reservation {
                name,
                purpose,
                range,
            },
            draft.range.place,
        ));
    }
    refuse_overlaps(&checked, findings);
    checked
        .into_iter()
        .map(|(reservation, _)| reservation)
        .collect()
}

pub(super) fn resolve(
    draft: &Located<RangeRef>,
    cidr: Cidr,
    index: &PlaneIndex,
    findings: &mut Findings<'_>,
) -> Option<Range> {
    let value = draft.value.as_ref()?;
    let mut end_of = |at: &AddressRef| {
        let draft = Located {
            value: Some(at.clone()),
            place: draft.place,
        };
        index.resolve(&draft, cidr, findings)
    };
    let (start, end) = (end_of(&value.start)?, end_of(&value.end)?);
    let Some(range) = Range::new(start, end) else {
        let (code, message) = if start.is_ipv4() == end.is_ipv4() {
            (
                codes::RANGE_ORDER,
                format!("`{end}` comes before `{start}`"),
            )
        } else {
            (
                codes::ADDRESS_FAMILY,
                format!("`{start}` and `{end}` are of different address families"),
            )
        };
        findings.add(
            code,
            draft.place,
            message,
            "write two addresses of the same family, the lower one first",
        );
        return None;
    };
    if !range.within(&cidr) {
        let message = format!("`{range}` is not inside `{cidr}`");
        let help = "write offsets such as `+10..+99`: they stay valid when the subnet moves";
        findings.add(codes::RANGE_OUTSIDE, draft.place, message, help);
        return None;
    }
    Some(range)
}

fn rules(
    range: Range,
    purpose: Option<Purpose>,
    cidr: Cidr,
    place: FilePosition,
    findings: &mut Findings<'_>,
) {
    if range.start() == cidr.network() {
        let message = format!("`{range}` starts at the network address");
        findings.add(
            codes::RANGE_NETWORK,
            place,
            message,
            "start at `+1` or later",
        );
    }
    // A /31 has no broadcast address (seen on 3.5.12 and 3.7.3).
    if !cidr.is_v6() && cidr.prefix() < 31 && range.end() == cidr.last() {
        let message = format!("`{range}` ends at the broadcast address");
        let last = cidr
            .offset_of(cidr.last())
            .unwrap_or_default()
            .saturating_sub(1);
        findings.add(
            codes::RANGE_BROADCAST,
            place,
            message,
            format!("end at `+{last}` or earlier"),
        );
    }
    if cidr.is_v6() && purpose == Some(Purpose::Dynamic) && range.count() < V6_DYNAMIC_MIN {
        let message = format!("`{range}` has {} addresses", range.count());
        let help = "MAAS requires 256 or more in an IPv6 dynamic range";
        findings.add(codes::RANGE_SMALL, place, message, help);
    }
    if implicit(cidr).is_some_and(|low| low.overlaps(&range)) {
        let message = format!(
            "`{range}` overlaps `::1` to `::ffff:ffff` of a /64, which MAAS reserves for itself"
        );
        findings.add(
            codes::RANGE_IMPLICIT,
            place,
            message,
            "start at `+::1:0:0` or later",
        );
    }
}

/// The addresses that MAAS reserves in every IPv6 /64 (3.5.9 maasserver/models/subnet.py:549-569).
pub(crate) fn implicit(cidr: Cidr) -> Option<Range> {
    let IpAddr::V6(network) = cidr.network() else {
        return None;
    };
    let at = |n: u128| IpAddr::V6(Ipv6Addr::from(u128::from(network) + n));
    Range::new(at(1), at(0xffff_ffff)).filter(|_| cidr.prefix() == 64)
}

fn refuse_overlaps(checked: &[(Reservation, FilePosition)], findings: &mut Findings<'_>) {
    let mut sorted: Vec<&(Reservation, FilePosition)> = checked.iter().collect();
    sorted.sort_by_key(|(reservation, place)| (reservation.range, *place));
    let mut widest: Option<&(Reservation, FilePosition)> = None;
    for entry in sorted {
        let (reservation, place) = entry;
        if let Some((other, other_place)) =
            widest.filter(|(w, _)| w.range.overlaps(&reservation.range))
        {
            let (first, second) = if place > other_place {
                (other, reservation)
            } else {
                (reservation, other)
            };
            let message = format!(
                "`{}`{} and `{}`{} share addresses",
                second.range,
                called(second),
                first.range,
                called(first)
            );
            let at = *place.max(other_place);
            findings.add(
                codes::OVERLAP_RESERVED,
                at,
                message,
                "move or shorten one of them",
            );
        }
        if widest.is_none_or(|(w, _)| w.range.end() < reservation.range.end()) {
            widest = Some(entry);
        }
    }
}

fn called(reservation: &Reservation) -> String {
    if reservation.name.is_empty() {
        return String::new();
    }
    format!(" ({})", shown(&reservation.name))
}

/// Reports a fixed address inside a dynamic range, which MAAS refuses (maasserver/forms and models, all releases).
pub(super) fn refuse_dynamic(
    ip: IpAddr,
    reservations: &[Reservation],
    place: FilePosition,
    findings: &mut Findings<'_>,
) {
    let dynamic = reservations
        .iter()
        .find(|r| r.purpose == Purpose::Dynamic && r.range.contains(ip));
    if let Some(reservation) = dynamic {
        let message = format!("`{ip}` is inside the dynamic range `{}`", reservation.range);
        findings.add(
            codes::ADDRESS_DYNAMIC,
            place,
            message,
            "choose an address outside it",
        );
    }
}
