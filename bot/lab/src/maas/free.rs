//! Which addresses of a subnet are taken, for what, and which are free.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

use super::store::{Alloc, Maas, RangeType};
use crate::wire::Request;

/// What a piece is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    Assigned,
    Dns,
    Dynamic,
    Gateway,
    /// The low end of an IPv6 /64 (3.5.9 maasserver/models/subnet.py:549-569).
    Rfc4291,
    Reserved,
    ReservedIp,
    RouteGateway,
    Gap,
}

impl Purpose {
    fn word(self) -> &'static str {
        match self {
            Self::Assigned => "assigned-ip",
            Self::Dns => "dns-server",
            Self::Dynamic => "dynamic",
            Self::Gateway => "gateway-ip",
            Self::Rfc4291 => "rfc-4291-2.6.1",
            Self::Reserved => "reserved",
            Self::ReservedIp => "reserved-ip",
            Self::RouteGateway => "gateway-ip",
            Self::Gap => "unmanaged",
        }
    }
}

/// A run of taken addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) start: IpAddr,
    pub(crate) end: IpAddr,
    pub(crate) purpose: Purpose,
}

pub(crate) fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

pub(crate) fn at(number: u128, like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX))),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(number)),
    }
}

/// How many addresses from `start` to `end`.
pub(crate) fn count(start: IpAddr, end: IpAddr) -> u128 {
    (number(end) - number(start)).saturating_add(1)
}

impl Maas {
    /// Everything taken in a subnet, unmerged; `but` leaves one range out.
    pub(crate) fn taken(&self, subnet: u64, but: Option<u64>) -> Vec<Piece> {
        let row = &self.subnets[&subnet];
        let one = |ip: IpAddr, purpose| Piece {
            start: ip,
            end: ip,
            purpose,
        };
        let mut pieces = Vec::new();
        for range in self
            .ranges
            .values()
            .filter(|range| range.subnet == subnet && Some(range.id) != but)
        {
            let purpose = match range.kind {
                RangeType::Reserved => Purpose::Reserved,
                RangeType::Dynamic => Purpose::Dynamic,
            };
            pieces.push(Piece {
                start: range.start,
                end: range.end,
                purpose,
            });
        }
        pieces.extend(
            row.gateway_ip()
                .filter(|ip| row.cidr.contains(ip))
                .map(|ip| one(ip, Purpose::Gateway)),
        );
        pieces.extend(
            row.dns
                .iter()
                .filter(|ip| row.cidr.contains(*ip))
                .map(|ip| one(*ip, Purpose::Dns)),
        );
        for route in self.routes.values().filter(|route| route.source == subnet) {
            pieces.push(one(route.gateway, Purpose::RouteGateway));
        }
        for kept in self.reserved.values().filter(|kept| kept.subnet == subnet) {
            pieces.push(one(kept.ip, Purpose::ReservedIp));
        }
        for address in self
            .addresses
            .values()
            .filter(|row| row.subnet == Some(subnet) && row.alloc != Alloc::Discovered)
        {
            pieces.extend(address.ip.map(|ip| one(ip, Purpose::Assigned)));
        }
        if row.cidr.prefix_len() == 64 && row.cidr.addr().is_ipv6() {
            let network = number(row.cidr.network());
            pieces.push(Piece {
                start: at(network + 1, row.cidr.network()),
                end: at(network + 0xffff_ffff, row.cidr.network()),
                purpose: Purpose::Rfc4291,
            });
        }
        pieces
    }

    pub(crate) fn show_taken(&self, subnet: u64) -> Value {
        let merged = merge(self.taken(subnet, None));
        merged
            .into_iter()
            .map(|(start, end, purposes)| {
                json!({"start": start, "end": end, "num_addresses": count(start, end), "purpose": purposes})
            })
            .collect()
    }

    fn gaps(&self, subnet: u64) -> Vec<(IpAddr, IpAddr)> {
        let cidr = self.subnets[&subnet].cidr;
        let like = cidr.network();
        let wide = if cidr.addr().is_ipv4() {
            cidr.prefix_len() < 31
        } else {
            cidr.prefix_len() < 127
        };
        let first = number(cidr.network()) + u128::from(wide);
        let last = number(cidr.broadcast()) - u128::from(wide && cidr.addr().is_ipv4());
        let mut gaps = Vec::new();
        let mut next = first;
        for (start, end, _) in merge(self.taken(subnet, None)) {
            let (start, end) = (number(start), number(end));
            if start > next && next <= last {
                gaps.push((at(next, like), at((start - 1).min(last), like)));
            }
            next = next.max(end.saturating_add(1));
        }
        if next <= last {
            gaps.push((at(next, like), at(last, like)));
        }
        gaps
    }

    pub(crate) fn show_free(&self, subnet: u64) -> Value {
        self.gaps(subnet)
            .into_iter()
            .map(|(start, end)| json!({"start": start, "end": end, "num_addresses": count(start, end)}))
            .collect()
    }

    /// The lowest free address.
    pub(crate) fn lowest_free(&self, subnet: u64) -> Option<IpAddr> {
        self.gaps(subnet).first().map(|(start, _)| *start)
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share in per cent"
    )]
    pub(crate) fn show_statistics(&self, subnet: u64, request: &Request) -> Value {
        let cidr = self.subnets[&subnet].cidr;
        let gaps = self.gaps(subnet);
        let taken = merge(self.taken(subnet, None));
        let free: u128 = gaps.iter().map(|(start, end)| count(*start, *end)).sum();
        let largest = gaps
            .iter()
            .map(|(start, end)| count(*start, *end))
            .max()
            .unwrap_or(0);
        let used: u128 = taken
            .iter()
            .map(|(start, end, _)| count(*start, *end))
            .sum();
        let all = free + used;
        let usage = if all == 0 {
            0.0
        } else {
            used as f64 / all as f64
        };
        let starts = gaps
            .iter()
            .map(|(start, _)| *start)
            .chain(taken.iter().map(|(start, ..)| *start));
        let ends = gaps
            .iter()
            .map(|(_, end)| *end)
            .chain(taken.iter().map(|(_, end, _)| *end));
        let percent = (usage * 100.0).round() as u32;
        let mut shown = json!({
            "num_available": u64::try_from(free).unwrap_or(u64::MAX), "largest_available": u64::try_from(largest).unwrap_or(u64::MAX),
            "num_unavailable": u64::try_from(used).unwrap_or(u64::MAX), "total_addresses": u64::try_from(all).unwrap_or(u64::MAX),
            "usage": usage, "usage_string": format!("{percent}%"), "available_string": format!("{}%", 100 - percent),
            "first_address": starts.min(), "last_address": ends.max(), "ip_version": if cidr.addr().is_ipv4() { 4 } else { 6 },
        });
        if request
            .param("include_ranges")
            .is_some_and(|flag| flag != "0")
        {
            shown["ranges"] = self.show_taken(subnet);
        }
        if request
            .param("include_suggestions")
            .is_some_and(|flag| flag != "0")
        {
            shown["suggested_gateway"] = json!(at(number(cidr.network()) + 1, cidr.network()));
            shown["suggested_dynamic_range"] = Value::Null;
        }
        shown
    }
}

/// Adjacent or overlapping pieces of the same purposes as one; overlapping ones of several purposes too.
fn merge(mut pieces: Vec<Piece>) -> Vec<(IpAddr, IpAddr, Vec<&'static str>)> {
    pieces.sort_by_key(|piece| (number(piece.start), number(piece.end), piece.purpose));
    let mut merged: Vec<(IpAddr, IpAddr, Vec<&'static str>)> = Vec::new();
    for piece in pieces {
        let word = piece.purpose.word();
        if let Some((_, end, purposes)) = merged.last_mut() {
            let overlaps = number(piece.start) <= number(*end);
            let touches = number(piece.start) == number(*end) + 1 && purposes.as_slice() == [word];
            if overlaps || touches {
                if !purposes.contains(&word) {
                    purposes.push(word);
                    purposes.sort_unstable();
                }
                if piece.end > *end {
                    *end = piece.end;
                }
                continue;
            }
        }
        merged.push((piece.start, piece.end, vec![word]));
    }
    merged
}
