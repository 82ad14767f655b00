//! Generates random networks. Must not know what changes afterwards.

use std::collections::BTreeSet;
use std::net::IpAddr;

use topology::Cidr;
use topology::object::{RangeKind, SubnetFlags};

use super::cloud::{
    Cloud, CloudMachine, CloudRange, CloudReservedIp, CloudRoute, CloudSnippet, CloudSubnet,
    CloudVlan, Gateway, RACKS, Resolver,
};
use super::rng::SeededRng;

/// A network that includes one undeclared subnet.
pub fn cloud(rng: &mut SeededRng, version: &'static str) -> Cloud {
    let mut cloud = Cloud {
        version,
        ..Cloud::default()
    };
    for _ in 0..=rng.below(3) {
        fabric(&mut cloud);
    }
    for _ in 0..=rng.below(3) {
        space(&mut cloud);
    }
    for _ in 0..2 + rng.below(4) {
        plane(rng, &mut cloud);
    }
    undeclared_subnet(rng, &mut cloud);
    attempt(rng, &mut cloud, 6, link_planes);
    // Snippets come from a cloned generator, so that they change nothing else.
    let mut beside = rng.clone();
    for subnet in &mut cloud.subnets {
        add_snippets(&mut beside, subnet);
    }
    cloud
}

/// Tries a change several times, and keeps only valid results.
pub fn attempt(
    rng: &mut SeededRng,
    cloud: &mut Cloud,
    times: usize,
    change: impl Fn(&mut SeededRng, &mut Cloud),
) {
    for _ in 0..times {
        let mut tried = cloud.clone();
        change(rng, &mut tried);
        if tried.is_sound() {
            *cloud = tried;
        }
    }
}

/// A fabric with the default VLAN that MAAS creates with it.
pub fn fabric(cloud: &mut Cloud) -> usize {
    let number = cloud.next_number();
    cloud.fabrics.push(format!("yard{number}"));
    let fabric = cloud.fabrics.len() - 1;
    cloud.vlans.push(CloudVlan {
        default: true,
        declared: false,
        ..vlan(fabric, 0)
    });
    fabric
}

pub fn space(cloud: &mut Cloud) -> usize {
    let number = cloud.next_number();
    cloud.spaces.push(format!("zone{number}"));
    cloud.spaces.len() - 1
}

pub fn vlan(fabric: usize, vid: u16) -> CloudVlan {
    CloudVlan {
        fabric,
        vid,
        default: false,
        name: None,
        mtu: 1500,
        space: None,
        dhcp: false,
        primary: None,
        secondary: None,
        relay: None,
        declared: true,
        strategy: None,
        racked: true,
    }
}

/// A declared VLAN, new or the fabric's default, with its subnets.
fn plane(rng: &mut SeededRng, cloud: &mut Cloud) {
    let fabric = rng.below(cloud.fabrics.len());
    let own = cloud
        .vlans
        .iter()
        .position(|vlan| vlan.default && vlan.fabric == fabric && !vlan.declared);
    let at = match own.filter(|_| rng.chance(40)) {
        Some(own) => own,
        None => tagged(rng, cloud, fabric),
    };
    let vlan = &mut cloud.vlans[at];
    vlan.declared = true;
    vlan.mtu = *rng.pick(&[1500, 1500, 1500, 9000, 1400]).unwrap();
    vlan.space = rng.chance(75).then(|| rng.below(cloud.spaces.len()));
    for _ in 0..*rng.pick(&[1, 1, 1, 1, 2, 2, 0]).unwrap() {
        let v6 = rng.chance(30);
        subnet(rng, cloud, at, v6);
    }
    let served = cloud
        .subnets_on(at)
        .flat_map(|subnet| &cloud.subnets[subnet].ranges)
        .any(|range| range.kind == RangeKind::Dynamic);
    let vlan = &mut cloud.vlans[at];
    vlan.dhcp = served && rng.chance(80);
    if vlan.dhcp || rng.chance(10) {
        let primary = rng.below(RACKS.len());
        vlan.primary = Some(primary);
        vlan.secondary = rng.chance(40).then_some(1 - primary);
    }
    for subnet in cloud.subnets_on(at).collect::<Vec<_>>() {
        fill_in(rng, cloud, subnet);
    }
}

pub fn tagged(rng: &mut SeededRng, cloud: &mut Cloud, fabric: usize) -> usize {
    let vid = u16::try_from(10 + cloud.next_number()).unwrap();
    let name = rng.chance(85).then(|| format!("lan{vid}"));
    cloud.vlans.push(CloudVlan {
        name,
        ..vlan(fabric, vid)
    });
    cloud.vlans.len() - 1
}

/// A subnet with ranges.
pub fn subnet(rng: &mut SeededRng, cloud: &mut Cloud, vlan: usize, v6: bool) -> usize {
    let number = cloud.next_number();
    let prefix = if v6 {
        *rng.pick(&[64, 64, 64, 112, 120, 56]).unwrap()
    } else {
        *rng.pick(&[24, 24, 24, 22, 20, 26, 28, 30, 31]).unwrap()
    };
    cloud.subnets.push(CloudSubnet {
        vlan,
        cidr: block(number, prefix, v6),
        name: format!("net{number}"),
        gateway: None,
        dns: Vec::new(),
        flags: SubnetFlags::default(),
        description: String::new(),
        architectures: BTreeSet::new(),
        ranges: Vec::new(),
        routes: Vec::new(),
        reserved: Vec::new(),
        machine: None,
        snippets: Vec::new(),
    });
    let subnet = cloud.subnets.len() - 1;
    let ranges = rng.below(4);
    attempt(rng, cloud, ranges, |rng, cloud| {
        add_range(rng, cloud, subnet);
    });
    subnet
}

/// The first network of a block that is unique to `number`.
pub fn block(number: usize, prefix: u8, v6: bool) -> Cidr {
    let text = if v6 {
        format!("fd00:{number:x}::/{prefix}")
    } else {
        format!("10.{number}.64.0/{prefix}")
    };
    text.parse().unwrap()
}

pub fn add_range(rng: &mut SeededRng, cloud: &mut Cloud, subnet: usize) {
    let number = cloud.next_number();
    let (from, to) = place(rng, &cloud.subnets[subnet]);
    let dynamic = rng.chance(45);
    cloud.subnets[subnet].ranges.push(CloudRange {
        from,
        to,
        kind: if dynamic {
            RangeKind::Dynamic
        } else {
            RangeKind::Reserved
        },
        comment: if rng.chance(90) {
            format!("band{number}")
        } else {
            String::new()
        },
    });
}

/// A random part of the subnet: one to five sixteenths of it.
pub fn place(rng: &mut SeededRng, subnet: &CloudSubnet) -> (u128, u128) {
    let room = subnet.last().saturating_sub(subnet.first()) + 1;
    let sixteenth = (room / 16).max(1);
    let from = subnet.first() + u128::try_from(rng.below(16)).unwrap() * sixteenth;
    let wide = u128::try_from(1 + rng.below(5)).unwrap() * sixteenth;
    (from, from + wide - 1)
}

/// Everything else that a subnet may have, if it is valid.
fn fill_in(rng: &mut SeededRng, cloud: &mut Cloud, subnet: usize) {
    let flags = &mut cloud.subnets[subnet].flags;
    flags.managed = rng.chance(85);
    flags.allow_dns = rng.chance(80);
    flags.allow_proxy = rng.chance(80);
    flags.active_discovery = rng.chance(30);
    flags.rdns_mode = *rng.pick(&[2, 2, 2, 1, 0]).unwrap();
    if rng.chance(30) {
        cloud.subnets[subnet].description = format!("about net {subnet}");
    }
    let room = cloud.subnets[subnet].last() > 8;
    attempt(rng, cloud, 2, |rng, cloud| set_gateway(rng, cloud, subnet));
    if room {
        attempt(rng, cloud, 1, |rng, cloud| add_machine(rng, cloud, subnet));
    }
    if cloud.has_reserved_ips() {
        attempt(rng, cloud, 1, |rng, cloud| reserve_ip(rng, cloud, subnet));
    }
    if cloud.has_architectures() && rng.chance(20) {
        cloud.subnets[subnet].architectures.insert("pxe".to_owned());
    }
}

/// DHCP snippets, with or without an address of their subnet.
fn add_snippets(rng: &mut SeededRng, subnet: &mut CloudSubnet) {
    for nth in 0..*rng.pick(&[0, 0, 1, 2]).unwrap() {
        let value = if rng.chance(50) {
            format!("next-server {};", subnet.ip(subnet.low(nth)))
        } else {
            format!("max-lease-time {nth};")
        };
        subnet.snippets.push(CloudSnippet {
            name: format!("note{nth} of {}", subnet.name),
            value,
            enabled: rng.chance(80),
        });
    }
}

pub fn set_gateway(rng: &mut SeededRng, cloud: &mut Cloud, at: usize) {
    let subnet = &mut cloud.subnets[at];
    let low = subnet.low(rng.below(12));
    subnet.gateway = match rng.below(8) {
        0 => None,
        1 => Some(Gateway::At(subnet.last())),
        2 if subnet.cidr.is_v6() => {
            let tail = 1 + rng.below(200);
            Some(Gateway::LinkLocal(
                format!("fe80::{tail:x}").parse().unwrap(),
            ))
        }
        3 => Some(Gateway::At(low)),
        _ => Some(Gateway::At(1)),
    };
}

fn add_machine(rng: &mut SeededRng, cloud: &mut Cloud, at: usize) {
    let number = cloud.next_number();
    let subnet = &mut cloud.subnets[at];
    let fixed = subnet.low(3 + rng.below(8));
    subnet.machine = rng.chance(35).then(|| CloudMachine {
        host: format!("host{number}"),
        at: rng.chance(50).then_some(fixed),
    });
}

pub fn reserve_ip(rng: &mut SeededRng, cloud: &mut Cloud, at: usize) {
    let number = cloud.next_number();
    let subnet = &mut cloud.subnets[at];
    let offset = subnet.low(rng.below(12));
    // MAAS does not reserve a network's last address, and a /31 has no other.
    if subnet.ip(offset) == subnet.cidr.last() {
        return;
    }
    subnet.reserved.push(CloudReservedIp {
        at: offset,
        mac: format!("02:00:00:00:{:02x}:{:02x}", number / 256, number % 256),
        comment: if rng.chance(70) {
            format!("kept{number}")
        } else {
            String::new()
        },
    });
}

/// An undeclared subnet on its own VLAN.
fn undeclared_subnet(rng: &mut SeededRng, cloud: &mut Cloud) {
    let fabric = rng.below(cloud.fabrics.len());
    let vlan = tagged(rng, cloud, fabric);
    cloud.vlans[vlan].declared = false;
    subnet(rng, cloud, vlan, false);
}

/// References between planes: resolvers, routes, relays.
pub fn link_planes(rng: &mut SeededRng, cloud: &mut Cloud) {
    let (subnets, vlans) = (cloud.subnets.len(), cloud.vlans.len());
    let (at, to) = (rng.below(subnets), rng.below(subnets));
    if subnets == 0 || !cloud.is_declared(at) {
        return;
    }
    match rng.below(4) {
        0 => {
            let (from, to) = (rng.below(vlans), rng.below(vlans));
            let both = cloud.vlans[from].declared && cloud.vlans[to].declared;
            if both && !cloud.vlans[from].dhcp {
                cloud.vlans[from].relay = Some(to);
            }
        }
        1 | 2 => {
            let via = cloud.subnets[at].low(4 + rng.below(8));
            let metric = u32::try_from(rng.below(3)).unwrap();
            cloud.subnets[at]
                .routes
                .push(CloudRoute { to, via, metric });
        }
        _ => resolve(rng, cloud, at, to),
    }
}

pub fn resolve(rng: &mut SeededRng, cloud: &mut Cloud, at: usize, to: usize) {
    let offset = cloud.subnets[to].low(1 + rng.below(3));
    let elsewhere: IpAddr = if cloud.subnets[at].cidr.is_v6() {
        format!("2001:db8::{}", 1 + rng.below(9)).parse().unwrap()
    } else {
        format!("192.0.2.{}", 1 + rng.below(9)).parse().unwrap()
    };
    let same_family = cloud.subnets[at].cidr.is_v6() == cloud.subnets[to].cidr.is_v6();
    let resolver = match rng.below(3) {
        0 => Resolver::Elsewhere(elsewhere),
        1 if same_family && cloud.is_declared(to) => Resolver::Of(to, offset),
        _ => Resolver::Of(at, cloud.subnets[at].low(1 + rng.below(3))),
    };
    let dns = &mut cloud.subnets[at].dns;
    if !dns.contains(&resolver) {
        dns.push(resolver);
    }
}
