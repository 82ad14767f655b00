//! Mutations of subnets and of what belongs to them.

use topology::Cidr;
use topology::object::RangeKind;
use topology::plane::Strategy;

use super::super::cloud::CloudRoute;
use super::super::generate;
use super::super::rng::SeededRng;
use super::{Mutator, Target};

pub(super) fn move_cidr(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let subnet = movable(rng, mutator)?;
    let number = mutator.cloud.next_number();
    let old = mutator.cloud.subnets[subnet].cidr;
    mutator.cloud.subnets[subnet].cidr = generate::block(number, old.prefix(), old.is_v6());
    Some(())
}

/// A subnet whose CIDR may change, because nothing else that identifies it did.
fn movable(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<usize> {
    let subnet = mutator.subnet(rng)?;
    let vlan = mutator.cloud.subnets[subnet].vlan;
    if !mutator.is_free(Target::CloudVlan(vlan)) {
        return None;
    }
    mutator.claim([Target::CloudSubnet(subnet)])?;
    // The VLAN can no longer be recognised by this subnet.
    mutator.claimed.insert(Target::CloudVlan(vlan));
    let routes = [None, Some(Strategy::InPlace), Some(Strategy::Recreate)];
    mutator.cloud.vlans[vlan].strategy = routes[rng.below(routes.len())];
    Some(subnet)
}

pub(super) fn swap_cidrs(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let one = movable(rng, mutator)?;
    let two = movable(rng, mutator)?;
    let (first, second) = (
        mutator.cloud.subnets[one].cidr,
        mutator.cloud.subnets[two].cidr,
    );
    if one == two || first.is_v6() != second.is_v6() {
        return None;
    }
    mutator.cloud.subnets[one].cidr = second;
    mutator.cloud.subnets[two].cidr = first;
    Some(())
}

/// One subnet takes the other's CIDR, which moves to a new one.
pub(super) fn chain_cidrs(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let one = movable(rng, mutator)?;
    let two = movable(rng, mutator)?;
    let (first, second) = (
        mutator.cloud.subnets[one].cidr,
        mutator.cloud.subnets[two].cidr,
    );
    if one == two || first.is_v6() != second.is_v6() {
        return None;
    }
    let number = mutator.cloud.next_number();
    mutator.cloud.subnets[one].cidr = second;
    mutator.cloud.subnets[two].cidr = generate::block(number, second.prefix(), second.is_v6());
    Some(())
}

pub(super) fn resize_cidr(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let subnet = movable(rng, mutator)?;
    let old = mutator.cloud.subnets[subnet].cidr;
    let prefix = if rng.chance(50) {
        old.prefix() - 1
    } else {
        old.prefix() + 1
    };
    let resized: Cidr = format!("{}/{prefix}", old.network()).parse().ok()?;
    let row = &mut mutator.cloud.subnets[subnet];
    row.cidr = resized;
    let last = row.last();
    row.ranges.retain(|range| range.to <= last);
    Some(())
}

pub(super) fn rename(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let subnet = mutator.subnet(rng)?;
    mutator.claim([Target::CloudSubnet(subnet)])?;
    let number = mutator.cloud.next_number();
    mutator.cloud.subnets[subnet].name = format!("web{number}");
    Some(())
}

pub(super) fn change_vlan(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let (subnet, to) = (mutator.subnet(rng)?, mutator.vlan(rng)?);
    let from = mutator.cloud.subnets[subnet].vlan;
    let free = [from, to]
        .into_iter()
        .all(|vlan| mutator.is_free(Target::CloudVlan(vlan)));
    if from == to || !free || subnet >= mutator.before.subnets.len() {
        return None;
    }
    mutator.claim([Target::CloudSubnet(subnet)])?;
    mutator
        .claimed
        .extend([Target::CloudVlan(from), Target::CloudVlan(to)]);
    mutator.cloud.subnets[subnet].vlan = to;
    Some(())
}

pub(super) fn add(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let vlan = mutator.vlan(rng)?;
    // A subnet that is the only one left on both sides would be matched with the new one.
    mutator.claim([Target::CloudVlan(vlan)])?;
    let v6 = rng.chance(60);
    let subnet = generate::subnet(rng, &mut mutator.cloud, vlan, v6);
    generate::set_gateway(rng, &mut mutator.cloud, subnet);
    mutator.cloud.subnets[subnet].flags.managed = rng.chance(80);
    Some(())
}

pub(super) fn change_gateway(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let subnet = mutator.subnet(rng)?;
    generate::set_gateway(rng, &mut mutator.cloud, subnet);
    Some(())
}

pub(super) fn change_dns(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let (subnet, to) = (mutator.subnet(rng)?, mutator.subnet(rng)?);
    let dns = &mut mutator.cloud.subnets[subnet].dns;
    match rng.below(4) {
        0 => dns.clear(),
        1 => dns.reverse(),
        _ => generate::resolve(rng, &mut mutator.cloud, subnet, to),
    }
    Some(())
}

pub(super) fn change_flag(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let subnet = mutator.subnet(rng)?;
    let flags = &mut mutator.cloud.subnets[subnet].flags;
    match rng.below(6) {
        0 | 1 => flags.managed = !flags.managed,
        2 => flags.allow_dns = !flags.allow_dns,
        3 => flags.allow_proxy = !flags.allow_proxy,
        4 => flags.active_discovery = !flags.active_discovery,
        _ => flags.rdns_mode = (flags.rdns_mode + 1) % 3,
    }
    Some(())
}

pub(super) fn change_description(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let subnet = mutator.subnet(rng)?;
    let number = mutator.cloud.next_number();
    let architectures = mutator.cloud.has_architectures();
    let row = &mut mutator.cloud.subnets[subnet];
    if architectures && rng.chance(50) {
        let one = (*rng.pick(&["pxe", "uefi_amd64_tftp", "uefi_arm64_tftp"])?).to_owned();
        if !row.architectures.remove(&one) {
            row.architectures.insert(one);
        }
    } else if rng.chance(70) {
        row.description = format!("words {number}: \"quoted\" & more");
    } else {
        row.description.clear();
    }
    Some(())
}

pub(super) fn add_range(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let subnet = mutator.subnet(rng)?;
    generate::add_range(rng, &mut mutator.cloud, subnet);
    Some(())
}

/// A subnet and one of its ranges.
fn range(rng: &mut SeededRng, mutator: &Mutator) -> Option<(usize, usize)> {
    let subnet = mutator.subnet(rng)?;
    let ranges = mutator.cloud.subnets[subnet].ranges.len();
    (ranges > 0).then(|| (subnet, rng.below(ranges)))
}

pub(super) fn remove_range(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let (subnet, range) = range(rng, mutator)?;
    mutator.cloud.subnets[subnet].ranges.remove(range);
    Some(())
}

pub(super) fn move_range(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let (subnet, range) = range(rng, mutator)?;
    let row = &mut mutator.cloud.subnets[subnet];
    let (from, to) = generate::place(rng, row);
    row.ranges[range].from = from;
    row.ranges[range].to = to;
    Some(())
}

/// Each shifts by less than its width, so it overlaps its old position.
pub(super) fn shift_ranges(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let (subnet, _) = range(rng, mutator)?;
    let by = u128::try_from(1 + rng.below(9)).unwrap();
    let up = rng.chance(50);
    for range in &mut mutator.cloud.subnets[subnet].ranges {
        let shifted = |at: u128| {
            if up {
                Some(at + by)
            } else {
                at.checked_sub(by)
            }
        };
        (range.from, range.to) = (shifted(range.from)?, shifted(range.to)?);
    }
    Some(())
}

pub(super) fn swap_ranges(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let (subnet, one) = range(rng, mutator)?;
    let ranges = &mut mutator.cloud.subnets[subnet].ranges;
    let two = rng.below(ranges.len());
    if one == two {
        return None;
    }
    let place = |at: usize| (ranges[at].from, ranges[at].to);
    let (first, second) = (place(one), place(two));
    (ranges[one].from, ranges[one].to) = second;
    (ranges[two].from, ranges[two].to) = first;
    Some(())
}

pub(super) fn change_range(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let (subnet, at) = range(rng, mutator)?;
    let number = mutator.cloud.next_number();
    let range = &mut mutator.cloud.subnets[subnet].ranges[at];
    if rng.chance(60) {
        range.comment = format!("stripe{number}");
    } else {
        range.kind = match range.kind {
            RangeKind::Reserved => RangeKind::Dynamic,
            RangeKind::Dynamic => RangeKind::Reserved,
        };
    }
    Some(())
}

pub(super) fn change_routes(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    let (subnet, to) = (mutator.subnet(rng)?, mutator.subnet(rng)?);
    let via = mutator.cloud.subnets[subnet].low(4 + rng.below(8));
    let routes = &mut mutator.cloud.subnets[subnet].routes;
    let metric = u32::try_from(rng.below(5)).unwrap();
    match rng.below(4) {
        0 => drop(routes.pop()),
        1 => routes.first_mut()?.metric = metric,
        2 => routes.first_mut()?.via = via,
        _ => routes.push(CloudRoute { to, via, metric }),
    }
    Some(())
}

pub(super) fn change_reserved_ips(rng: &mut SeededRng, mutator: &mut Mutator) -> Option<()> {
    if !mutator.cloud.has_reserved_ips() {
        return None;
    }
    let subnet = mutator.subnet(rng)?;
    let number = mutator.cloud.next_number();
    let reserved = &mut mutator.cloud.subnets[subnet].reserved;
    match rng.below(4) {
        0 => drop(reserved.pop()?),
        1 => reserved.first_mut()?.comment = format!("promised{number}"),
        2 => {
            reserved.first_mut()?.mac = format!("02:00:00:01:00:{number:02x}");
        }
        _ => generate::reserve_ip(rng, &mut mutator.cloud, subnet),
    }
    Some(())
}
