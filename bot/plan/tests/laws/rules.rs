//! MAAS's rules, implemented a second time: nothing here is shared with the planner's model. Read in MAAS's source and seen
//! on 3.5.12 and 3.7.3; where releases differ, each has its own rule. Must not know why a write is planned.

use std::net::IpAddr;

use plan::network::NetworkModel;
use topology::Cidr;
use topology::object::{IpRange, Mode, Object, RangeKind, ReservedIp, StaticRoute, Subnet, Vlan};
use topology::port::Write;

/// The rule that `write` violates on a MAAS of `version` that is `before` and would become `after`.
pub(crate) fn violation(
    (before, after): (&NetworkModel, &NetworkModel),
    write: &Write,
    version: &str,
) -> Option<String> {
    let why = match write {
        Write::Create(object) => written(before, None, object, version),
        Write::Update(old, new) => written(before, Some(old), new, version),
        Write::Delete(object) => deleted(before, object, version),
    };
    why.or_else(|| overlap(after))
}

/// Refused since 3.7; in earlier releases DNS breaks.
fn overlap(network: &NetworkModel) -> Option<String> {
    let all: Vec<Cidr> = network.subnets().map(|subnet| subnet.cidr).collect();
    all.iter().enumerate().find_map(|(at, one)| {
        let other = all[..at].iter().find(|other| other.overlaps(one))?;
        Some(format!("{one} overlaps {other}"))
    })
}

fn written(
    network: &NetworkModel,
    old: Option<&Object>,
    new: &Object,
    version: &str,
) -> Option<String> {
    match (old, new) {
        (None, Object::Space(space)) => generated(&space.name),
        (None, Object::Fabric(fabric)) => generated(&fabric.name),
        (old, Object::Vlan(vlan)) => vlan_written(network, old.and_then(Object::as_vlan), vlan),
        (old, Object::Subnet(subnet)) => {
            let old = old.and_then(Object::as_subnet);
            subnet_written(network, old, subnet, version)
        }
        (old, Object::Range(range)) => {
            range_written(network, old.and_then(Object::as_range), range)
        }
        (_, Object::Route(route)) => route_written(network, route),
        (old, Object::ReservedIp(reserved)) => {
            let old = old.and_then(Object::as_reserved_ip);
            reserved_written(network, old, reserved, version)
        }
        (_, Object::Snippet(snippet)) => {
            let home = network.subnet(&snippet.subnet);
            home.is_none()
                .then(|| format!("no {} for `{}`", snippet.subnet, snippet.name))
        }
        (_, Object::Space(_) | Object::Fabric(_) | Object::Interface(_) | Object::Link(_)) => None,
    }
}

fn generated(name: &str) -> Option<String> {
    let (stem, number) = name.split_once('-')?;
    let all_digits = number.bytes().all(|digit| digit.is_ascii_digit());
    (matches!(stem, "fabric" | "space") && all_digits)
        .then(|| format!("`{name}` is MAAS's to give"))
}

fn vlan_written(network: &NetworkModel, old: Option<&Vlan>, new: &Vlan) -> Option<String> {
    let Some(old) = old else {
        let bare = !new.dhcp_on && new.relay.is_none();
        return (!bare).then(|| format!("{} cannot be made with DHCP", new.at));
    };
    let moved = old.at != new.at && network.vlan(&new.at).is_some();
    if moved {
        return Some(format!("{} is there already", new.at));
    }
    let racks = [&new.primary_rack, &new.secondary_rack];
    if new.primary_rack.is_some() && new.primary_rack == new.secondary_rack {
        return Some(format!("{} has one rack twice", new.at));
    }
    let given = racks.into_iter().flatten().filter(|rack| {
        Some(*rack) != old.primary_rack.as_ref() && Some(*rack) != old.secondary_rack.as_ref()
    });
    for rack in given {
        let seen = network.all().filter_map(Object::as_interface).any(|nic| {
            let vid = nic.vlan.as_ref().map(|at| at.vid);
            test_support::pairs::views::system_id(&nic.host) == *rack
                && (vid == Some(new.at.vid) || vid == Some(old.at.vid))
        });
        if !seen {
            return Some(format!("{rack} does not see {}", new.at));
        }
    }
    if let Some(relay) = new
        .relay
        .as_ref()
        .filter(|to| old.relay.as_ref() != Some(to))
    {
        let relayed = network.vlan(relay).is_none_or(|to| to.relay.is_some());
        let target = network
            .vlans()
            .any(|vlan| vlan.relay.as_ref() == Some(&old.at));
        if relayed || target || *relay == old.at || new.dhcp_on {
            return Some(format!("{} cannot be relayed to {relay}", new.at));
        }
    }
    let mut served = network
        .subnets()
        .filter(|subnet| subnet.vlan == old.at)
        .flat_map(|subnet| network.ranges_of(subnet.cidr));
    let dynamic = served.any(|range| range.kind == RangeKind::Dynamic);
    (new.dhcp_on && !(dynamic && new.primary_rack.is_some()))
        .then(|| format!("{} has DHCP on without a range or a rack", new.at))
}

fn subnet_written(
    network: &NetworkModel,
    old: Option<&Subnet>,
    new: &Subnet,
    version: &str,
) -> Option<String> {
    if network.vlan(&new.vlan).is_none() {
        return Some(format!("{} is on no VLAN", new.cidr));
    }
    let link_local = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let outside = |ip: &IpAddr| !new.cidr.contains(*ip) && !link_local(ip);
    if new.gateway.as_ref().is_some_and(outside) {
        return Some(format!("{} has its gateway outside", new.cidr));
    }
    if !new.disabled_boot_architectures.is_empty() && version.starts_with('2') {
        return Some("MAAS 2 has no boot architectures of subnets".to_owned());
    }
    let old = old.filter(|old| old.cidr != new.cidr)?;
    let mut kept = network.all().filter_map(Object::as_reserved_ip);
    let left = kept.find(|kept| kept.subnet == old.cidr && !new.cidr.contains(kept.ip));
    let stale = network
        .ranges_of(old.cidr)
        .find(|range| !range.range.within(&new.cidr));
    left.map(|kept| format!("{} would be outside {}", kept.ip, new.cidr))
        .or_else(|| stale.map(|range| format!("{} would be outside {}", range.range, new.cidr)))
}

fn range_written(network: &NetworkModel, old: Option<&IpRange>, new: &IpRange) -> Option<String> {
    let says = |what: &str| Some(format!("range {} {what}", new.range));
    let Some(subnet) = network.subnet(&new.subnet) else {
        return says("has no subnet");
    };
    let cidr = subnet.cidr;
    if old.is_some_and(|old| old.kind != new.kind) {
        return says("changes its kind");
    }
    if old.is_some_and(|old| !old.comment.is_empty() && new.comment.is_empty()) {
        return says("loses its comment");
    }
    if new.kind == RangeKind::Dynamic && !subnet.flags.managed {
        return says("is dynamic where MAAS does not manage");
    }
    let broadcast = !cidr.is_v6() && cidr.prefix() < 31 && new.range.end() == cidr.last();
    if !new.range.within(&cidr) || new.range.start() == cidr.network() || broadcast {
        return says("does not fit");
    }
    let low = cidr.is_v6()
        && cidr.prefix() == 64
        && cidr
            .offset_of(new.range.start())
            .is_some_and(|at| at < 1 << 32);
    if low {
        return says("is in the low end of a /64");
    }
    let mut others = network
        .ranges_of(cidr)
        .filter(|other| old.is_none_or(|old| old.range != other.range));
    if others.any(|other| other.range.overlaps(&new.range)) {
        return says("meets another");
    }
    if new.kind == RangeKind::Reserved {
        return None;
    }
    if cidr.is_v6() && new.range.count() < 256 {
        return says("is too small");
    }
    let mut taken: Vec<IpAddr> = subnet.gateway.iter().chain(&subnet.dns).copied().collect();
    taken.extend(
        network
            .routes()
            .filter(|route| route.source == cidr)
            .map(|route| route.gateway),
    );
    taken.extend(
        network
            .all()
            .filter_map(Object::as_reserved_ip)
            .map(|kept| kept.ip),
    );
    taken.extend(network.links().filter_map(|link| match link.mode {
        Mode::Static(ip) => Some(ip),
        Mode::Auto | Mode::Dhcp | Mode::LinkUp => None,
    }));
    let met = taken.iter().find(|ip| new.range.contains(**ip))?;
    says(&format!("covers {met}"))
}

fn route_written(network: &NetworkModel, route: &StaticRoute) -> Option<String> {
    let there = [&route.source, &route.destination]
        .into_iter()
        .all(|cidr| network.subnet(cidr).is_some());
    let apart = route.source != route.destination;
    let family = route.source.is_v6() == route.destination.is_v6();
    (!(there && apart && family && route.source.contains(route.gateway)))
        .then(|| format!("no route from {} to {}", route.source, route.destination))
}

fn reserved_written(
    network: &NetworkModel,
    old: Option<&ReservedIp>,
    new: &ReservedIp,
    version: &str,
) -> Option<String> {
    let says = |what: &str| Some(format!("reserved IP {} {what}", new.ip));
    if !matches!(version.get(..3), Some("3.6" | "3.7")) {
        return says("is unknown to this release");
    }
    if let Some(old) = old {
        return (old.ip != new.ip || old.mac != new.mac).then(|| format!("{} changes", old.ip));
    }
    let an_end = new.ip == new.subnet.network() || new.ip == new.subnet.last();
    if !new.subnet.contains(new.ip) || an_end {
        return says("is outside its subnet");
    }
    let served = network
        .ranges_of(new.subnet)
        .any(|range| range.kind == RangeKind::Dynamic && range.range.contains(new.ip));
    served.then(|| format!("{} is in a dynamic range", new.ip))
}

fn deleted(network: &NetworkModel, object: &Object, version: &str) -> Option<String> {
    match object {
        Object::Subnet(subnet) => subnet_deleted(network, subnet, version),
        Object::Space(_) | Object::Fabric(_) | Object::Vlan(_) => {
            Some(format!("{} is never deleted", object.key()))
        }
        Object::Range(_)
        | Object::Route(_)
        | Object::ReservedIp(_)
        | Object::Interface(_)
        | Object::Link(_)
        | Object::Snippet(_) => None,
    }
}

/// What MAAS refuses, and what it would silently delete.
fn subnet_deleted(network: &NetworkModel, subnet: &Subnet, version: &str) -> Option<String> {
    let cidr = subnet.cidr;
    let dhcp = network.vlan(&subnet.vlan).is_some_and(|vlan| vlan.dhcp_on);
    let mut ranges = network.ranges_of(cidr);
    if dhcp && ranges.any(|range| range.kind == RangeKind::Dynamic) {
        return Some(format!("{cidr} serves"));
    }
    let lost = network.all().find(|object| match object {
        Object::Range(range) => range.subnet == cidr,
        Object::Route(route) => route.source == cidr || route.destination == cidr,
        Object::ReservedIp(kept) => kept.subnet == cidr,
        Object::Link(link) => link.subnet == cidr,
        Object::Snippet(snippet) => snippet.subnet == cidr,
        Object::Space(_)
        | Object::Fabric(_)
        | Object::Vlan(_)
        | Object::Subnet(_)
        | Object::Interface(_) => false,
    });
    lost.map(|object| format!("{} goes with {cidr} on {version}", object.key()))
}
