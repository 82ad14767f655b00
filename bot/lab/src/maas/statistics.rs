//! The usage statistics of a subnet and MAAS's suggestions (3.5.9 provisioningserver/utils/network.py).

use std::net::IpAddr;

use serde_json::{Value, json};

use super::answer::flag;
use super::free::{TakenFilter, TakenRun, at, count, number, size, unused, whole_number};
use super::store::LabMaas;
use crate::wire::{LabRequest, LabResponse};

impl LabMaas {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share in per cent"
    )]
    pub(crate) fn show_statistics(
        &self,
        subnet: u64,
        request: &LabRequest,
    ) -> Result<Value, LabResponse> {
        let asks = |name: &str| flag(request.param(name), name, false);
        let ranges_too = asks("include_ranges")?;
        let suggestions_too = asks("include_suggestions")?;
        let cidr = self.subnets[&subnet].cidr;
        let taken = self.taken(subnet, TakenFilter::default());
        let gaps = unused(cidr, &taken, self.version.clips_free_ranges());
        let sizes = || gaps.iter().map(|(start, end)| count(*start, *end));
        let (free, largest) = (sizes().sum::<u128>(), sizes().max().unwrap_or(0));
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
        let percent = (usage * 100.0).round() as u32;
        let full = whole(&taken, &gaps);
        let first = full.first().map(|(start, ..)| *start);
        let last = full.last().map(|(_, end, _)| *end);
        let mut shown = json!({
            "num_available": whole_number(free), "largest_available": whole_number(largest), "num_unavailable": whole_number(used),
            "total_addresses": whole_number(all), "usage": usage, "usage_string": format!("{percent}%"),
            "available_string": format!("{}%", 100 - percent), "first_address": first, "last_address": last,
            "ip_version": if cidr.addr().is_ipv4() { 4 } else { 6 },
        });
        if ranges_too {
            let ranges = full.iter().map(|(start, end, purposes)| {
                json!({"start": start, "end": end, "num_addresses": size(*start, *end), "purpose": purposes})
            });
            shown["ranges"] = ranges.collect();
        }
        if suggestions_too {
            let gateway = suggested_gateway(&full, &gaps, all);
            shown["suggested_gateway"] = json!(gateway);
            shown["suggested_dynamic_range"] = suggested_range(&full, &gaps, gateway, (all, free));
        }
        Ok(shown)
    }
}

/// Runs in use and unused runs in one sorted list.
fn whole(taken: &[TakenRun], gaps: &[(IpAddr, IpAddr)]) -> Vec<TakenRun> {
    let unused = gaps
        .iter()
        .map(|(start, end)| (*start, *end, vec!["unused"]));
    let mut full: Vec<TakenRun> = taken.iter().cloned().chain(unused).collect();
    full.sort_by_key(|(start, ..)| number(*start));
    full
}

/// The first address, else the last, else the first unused one; none if there is a gateway. For IPv6, the address before
/// the first one in the list, which MAAS takes for the subnet-router anycast address.
fn suggested_gateway(full: &[TakenRun], gaps: &[(IpAddr, IpAddr)], all: u128) -> Option<IpAddr> {
    if full.iter().any(|(_, _, why)| why.contains(&"gateway-ip")) {
        return None;
    }
    let first = full.first().map(|(start, ..)| *start)?;
    let last = full.last().map(|(_, end, _)| *end)?;
    if first.is_ipv6() {
        return (all > 2).then(|| at(number(first).wrapping_sub(1), first));
    }
    let free = |ip: &IpAddr| gaps.iter().any(|(start, end)| start <= ip && ip <= end);
    let lowest = || gaps.first().map(|(start, _)| *start);
    [first, last].into_iter().find(free).or_else(lowest)
}

/// The end of the largest unused run: at most a quarter of the subnet and half of the free addresses.
fn suggested_range(
    full: &[TakenRun],
    gaps: &[(IpAddr, IpAddr)],
    gateway: Option<IpAddr>,
    (all, free): (u128, u128),
) -> Value {
    let largest = gaps.iter().max_by_key(|(start, end)| count(*start, *end));
    if all <= 2 && gateway.is_none() {
        // MAAS suggests no range if there is no address for a gateway.
        return Value::Null;
    }
    let served = full.iter().any(|(_, _, why)| why.contains(&"dynamic"));
    let Some((start, end)) = largest.filter(|_| !served) else {
        return Value::Null;
    };
    let (mut first, mut last) = (number(*start), number(*end));
    if let Some(gateway) = gateway.map(number) {
        first += u128::from(gateway == first);
        last -= u128::from(gateway == last && last > 0);
    }
    if first > last {
        return Value::Null;
    }
    let room = last - first + 1;
    if room > all >> 2 {
        first = first.max(last - (all >> 2));
    } else if room >= free >> 1 {
        first = first.max(last + 1 - (free >> 1).max(1));
    }
    let (start, end) = (at(first, *start), at(last, *end));
    json!({"start": start, "end": end, "num_addresses": size(start, end), "purpose": ["proposed-dynamic"]})
}
