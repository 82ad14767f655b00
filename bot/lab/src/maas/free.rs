//! Which addresses of a subnet are in use, for which purpose, and which are free.
//!
//! 3.5.9 `maasserver/models/subnet.py` (`get_ipranges_in_use`, `get_ipranges_not_in_use`); 3.7.3
//! `maasservicelayer/db/repositories/subnet_utilization.py`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde_json::{Value, json};

use super::answer::plain;
use super::store::{AllocType, LabMaas, RangeType, StoredRange};
use super::subnet::conflict;
use crate::wire::LabResponse;

/// A run of addresses in use, with MAAS's word for the purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PurposeRun {
    pub(crate) start: IpAddr,
    pub(crate) end: IpAddr,
    pub(crate) purpose: &'static str,
}

/// A run of addresses in use with all its purposes.
pub(crate) type TakenRun = (IpAddr, IpAddr, Vec<&'static str>);

/// What counts as in use.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each leaves one kind out")]
pub(crate) struct TakenFilter {
    /// Ranges only: no gateway, resolver, route or address.
    pub(crate) ranges_only: bool,
    pub(crate) no_reserved: bool,
    pub(crate) no_dynamic: bool,
    pub(crate) no_discovered: bool,
    /// A range to ignore: the one that is being changed.
    pub(crate) but: Option<u64>,
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

/// The number of addresses from `start` to `end`.
pub(crate) fn count(start: IpAddr, end: IpAddr) -> u128 {
    (number(end) - number(start)).saturating_add(1)
}

/// The same as JSON.
pub(crate) fn size(start: IpAddr, end: IpAddr) -> Value {
    whole_number(count(start, end))
}

/// Marks a number that `serde_json` cannot write; [`write_large_numbers`] puts it into the text.
const LARGE: &str = "large number ";

/// A whole number of any size, as IPv6 networks need it.
pub(crate) fn whole_number(number: u128) -> Value {
    match u64::try_from(number) {
        Ok(number) => json!(number),
        Err(_) => json!(format!("{LARGE}{number}")),
    }
}

/// Writes numbers beyond 64 bits as numbers.
pub(crate) fn write_large_numbers(mut response: LabResponse) -> LabResponse {
    let text = String::from_utf8_lossy(&response.body);
    let mark = format!("\"{LARGE}");
    let mut pieces = text.split(&mark);
    let mut written = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        written.push_str(&piece.replacen('"', "", 1));
    }
    response.body = written.into_bytes();
    response
}

fn one(ip: IpAddr, purpose: &'static str) -> PurposeRun {
    PurposeRun {
        start: ip,
        end: ip,
        purpose,
    }
}

impl LabMaas {
    /// The addresses in use in a subnet, merged and sorted.
    pub(crate) fn taken(&self, subnet: u64, ask: TakenFilter) -> Vec<TakenRun> {
        let mut pieces = self.taken_by_ranges(subnet, ask);
        pieces.extend(taken_by_ipv6(self.subnets[&subnet].cidr));
        if !ask.ranges_only {
            self.take_addresses(subnet, ask, &mut pieces);
        }
        merge(pieces)
    }

    fn taken_by_ranges(&self, subnet: u64, ask: TakenFilter) -> Vec<PurposeRun> {
        let counts = |range: &&StoredRange| {
            let left_out = match range.kind {
                RangeType::Reserved => ask.no_reserved,
                RangeType::Dynamic => ask.no_dynamic,
            };
            range.subnet == subnet && Some(range.id) != ask.but && !left_out
        };
        let piece = |range: &StoredRange| PurposeRun {
            start: range.start,
            end: range.end,
            purpose: match range.kind {
                RangeType::Reserved => "reserved",
                RangeType::Dynamic => "dynamic",
            },
        };
        self.ranges.values().filter(counts).map(piece).collect()
    }

    fn take_addresses(&self, subnet: u64, ask: TakenFilter, pieces: &mut Vec<PurposeRun>) {
        let row = &self.subnets[&subnet];
        // 3.5 drops allocated addresses outside the CIDR, 3.7 routes' gateways outside.
        let clips = self.version.clips_free_ranges();
        let inside = |ip: &IpAddr| row.cidr.contains(ip);
        let gateway = row.gateway.filter(|ip| clips || inside(ip));
        pieces.extend(gateway.map(|ip| one(ip, "gateway-ip")));
        let servers = row.dns.iter().filter(|ip| inside(ip));
        pieces.extend(servers.map(|ip| one(*ip, "dns-server")));
        let routes = self.routes.values().filter(|route| route.source == subnet);
        let gateways = routes.map(|route| route.gateway);
        pieces.extend(
            gateways
                .filter(|ip| !clips || inside(ip))
                .map(|ip| one(ip, "gateway-ip")),
        );
        let rows = self.addresses.values().filter(|row| {
            row.subnet == Some(subnet) && !(ask.no_discovered && row.alloc == AllocType::Discovered)
        });
        pieces.extend(
            rows.filter_map(|row| row.ip)
                .filter(|ip| clips || inside(ip))
                .map(|ip| one(ip, "assigned-ip")),
        );
    }

    pub(crate) fn show_taken(&self, subnet: u64) -> Value {
        self.taken(subnet, TakenFilter::default())
            .into_iter()
            .map(|(start, end, purposes)| {
                json!({"start": start, "end": end, "num_addresses": size(start, end), "purpose": purposes})
            })
            .collect()
    }

    /// The free runs. In an unmanaged subnet these lie only inside reserved ranges, except for new ranges.
    pub(crate) fn gaps(&self, subnet: u64, ask: TakenFilter) -> Vec<(IpAddr, IpAddr)> {
        let row = &self.subnets[&subnet];
        let clips = self.version.clips_free_ranges();
        if row.managed {
            return unused(row.cidr, &self.taken(subnet, ask), clips);
        }
        if ask.ranges_only {
            // 3.7 allows a reserved range to overlap dynamic ranges there.
            let no_dynamic = clips;
            return unused(
                row.cidr,
                &self.taken(subnet, TakenFilter { no_dynamic, ..ask }),
                clips,
            );
        }
        let but = if clips { None } else { ask.but };
        let reserved = self.taken_by_ranges(
            subnet,
            TakenFilter {
                no_dynamic: true,
                but,
                ..TakenFilter::default()
            },
        );
        let others = self.taken(
            subnet,
            TakenFilter {
                no_reserved: true,
                ..ask
            },
        );
        let free = unused(row.cidr, &others, clips);
        let mut gaps = Vec::new();
        for (start, end, _) in merge(reserved) {
            let both = |gap: &(IpAddr, IpAddr)| (gap.0.max(start), gap.1.min(end));
            gaps.extend(free.iter().map(both).filter(|(start, end)| start <= end));
        }
        gaps.sort_unstable();
        gaps
    }

    pub(crate) fn show_free(&self, subnet: u64) -> Value {
        self.gaps(subnet, TakenFilter::default())
            .into_iter()
            .map(|(start, end)| json!({"start": start, "end": end, "num_addresses": size(start, end)}))
            .collect()
    }

    /// The address that MAAS picks: the lowest one of the *smallest* free run. On 3.5 it can lie outside the CIDR, if a range
    /// remained below it; then every attempt fails (seen on 3.5.12).
    pub(crate) fn pick_free(&self, subnet: u64) -> Result<IpAddr, LabResponse> {
        let cidr = self.subnets[&subnet].cidr;
        let kept: Vec<IpAddr> = self
            .reserved
            .values()
            .filter(|kept| kept.subnet == subnet)
            .map(|kept| kept.ip)
            .collect();
        let mut runs = Vec::new();
        for (start, end) in self.gaps(subnet, TakenFilter::default()) {
            let pieces = kept.iter().map(|ip| one(*ip, "excluded")).collect();
            let mut next = number(start);
            for (ip, _, _) in merge(pieces) {
                if start <= ip && ip <= end {
                    runs.push((next, number(ip)));
                    next = number(ip) + 1;
                }
            }
            runs.push((next, number(end).saturating_add(1)));
        }
        let best = runs
            .into_iter()
            .filter(|(start, end)| start < end)
            .min_by_key(|(start, end)| (end - start, *start));
        let Some((first, _)) = best else {
            return Err(plain(
                503,
                format!("No more IPs available in subnet: {cidr}."),
            ));
        };
        let ip = at(first, cidr.network());
        if cidr.contains(&ip) {
            Ok(ip)
        } else {
            Err(conflict())
        }
    }

    /// The same, or `None`.
    pub(crate) fn free_address(&self, subnet: u64) -> Option<IpAddr> {
        self.pick_free(subnet).ok()
    }

    /// An address that a person configures manually, independent of what MAAS would pick: the lowest unused one; the gateway's
    /// or a DNS server's only if there is no other.
    pub(crate) fn manual_address(&self, subnet: u64) -> Option<IpAddr> {
        let row = &self.subnets[&subnet];
        let (first, last) = usable(row.cidr);
        let had = |ip: &IpAddr| self.addresses.values().any(|other| other.ip == Some(*ip));
        let named = |ip: &IpAddr| row.gateway == Some(*ip) || row.dns.contains(ip);
        let mut all = (first..=last).map(|number| at(number, row.cidr.network()));
        let mut again = all.clone();
        all.find(|ip| !had(ip) && !named(ip))
            .or_else(|| again.find(|ip| !had(ip)))
    }
}

/// The low end of an IPv6 /64, which MAAS reserves, and the subnet-router anycast address (RFC 4291 section 2.6.1).
fn taken_by_ipv6(cidr: IpNet) -> Vec<PurposeRun> {
    let first = cidr.network();
    let mut pieces = Vec::new();
    if first.is_ipv6() && cidr.prefix_len() == 64 {
        pieces.push(PurposeRun {
            start: at(number(first) + 1, first),
            end: at(number(first) + 0xffff_ffff, first),
            purpose: "reserved",
        });
    }
    if first.is_ipv6() && cidr.prefix_len() < 127 {
        pieces.push(one(first, "rfc-4291-2.6.1"));
    }
    pieces
}

/// The usable addresses of a network: without the network address and the broadcast address.
fn usable(cidr: IpNet) -> (u128, u128) {
    let (first, last) = (number(cidr.network()), number(cidr.broadcast()));
    match (cidr.addr().is_ipv4(), cidr.prefix_len()) {
        (true, 31 | 32) | (false, 127 | 128) => (first, last),
        (true, _) => (first + 1, last - 1),
        (false, _) => (first + 1, last),
    }
}

/// The gaps between the runs in use. Without `clips` (before 3.7) runs outside the network shift the ends.
pub(crate) fn unused(cidr: IpNet, taken: &[TakenRun], clips: bool) -> Vec<(IpAddr, IpAddr)> {
    let (first, last) = usable(cidr);
    let like = cidr.network();
    let mut gaps = Vec::new();
    let mut next = first;
    for (start, end, _) in taken {
        let (start, end) = (number(*start), number(*end));
        let until = if clips {
            start.min(last.saturating_add(1))
        } else {
            start
        };
        if until > next {
            gaps.push((at(next, like), at(until - 1, like)));
        }
        let after = end.saturating_add(1);
        next = if clips { next.max(after) } else { after };
    }
    if next <= last {
        gaps.push((at(next, like), at(last, like)));
    }
    gaps
}

/// Joins overlapping pieces, and adjacent pieces with the same purpose.
fn merge(mut pieces: Vec<PurposeRun>) -> Vec<TakenRun> {
    pieces.sort_by_key(|piece| (number(piece.start), number(piece.end), piece.purpose));
    let mut merged: Vec<TakenRun> = Vec::new();
    for piece in pieces {
        let word = piece.purpose;
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
