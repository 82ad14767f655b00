//! Clouds that nobody drew by hand. Must not know what becomes of them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use topology::Cidr;
use topology::object::{RangeKind, SubnetFlags};

use super::cloud::{Band, Cloud, Gateway, Guest, Hung, Kept, Lan, Net, RACKS, Resolver, Way};
use super::dice::Dice;

/// A cloud with a stranger's network in it, that nobody declares.
pub(crate) fn cloud(dice: &mut Dice, version: &'static str) -> Cloud {
    let mut cloud = Cloud {
        version,
        ..Cloud::default()
    };
    for _ in 0..=dice.below(3) {
        fabric(&mut cloud);
    }
    for _ in 0..=dice.below(3) {
        space(&mut cloud);
    }
    for _ in 0..2 + dice.below(4) {
        plane(dice, &mut cloud);
    }
    stranger(dice, &mut cloud);
    attempt(dice, &mut cloud, 6, tie);
    // What hangs on networks is drawn beside, so that it changes nothing else.
    let mut beside = dice.clone();
    for net in &mut cloud.nets {
        hang(&mut beside, net);
    }
    cloud
}

/// Tries so many times, and keeps what is sound.
pub(crate) fn attempt(
    dice: &mut Dice,
    cloud: &mut Cloud,
    times: usize,
    change: impl Fn(&mut Dice, &mut Cloud),
) {
    for _ in 0..times {
        let mut tried = cloud.clone();
        change(dice, &mut tried);
        if tried.is_sound() {
            *cloud = tried;
        }
    }
}

/// A fabric with the VLAN that MAAS makes with it.
pub(crate) fn fabric(cloud: &mut Cloud) -> usize {
    let number = cloud.number();
    cloud.fabrics.push(format!("yard{number}"));
    let fabric = cloud.fabrics.len() - 1;
    cloud.lans.push(Lan {
        default: true,
        declared: false,
        ..lan(fabric, 0)
    });
    fabric
}

pub(crate) fn space(cloud: &mut Cloud) -> usize {
    let number = cloud.number();
    cloud.spaces.push(format!("zone{number}"));
    cloud.spaces.len() - 1
}

pub(crate) fn lan(fabric: usize, vid: u16) -> Lan {
    Lan {
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

/// A VLAN that a plane declares, new or its fabric's own, and what is on it.
fn plane(dice: &mut Dice, cloud: &mut Cloud) {
    let fabric = dice.below(cloud.fabrics.len());
    let own = cloud
        .lans
        .iter()
        .position(|lan| lan.default && lan.fabric == fabric && !lan.declared);
    let at = match own.filter(|_| dice.chance(40)) {
        Some(own) => own,
        None => tagged(dice, cloud, fabric),
    };
    let lan = &mut cloud.lans[at];
    lan.declared = true;
    lan.mtu = *dice.pick(&[1500, 1500, 1500, 9000, 1400]).unwrap();
    lan.space = dice.chance(75).then(|| dice.below(cloud.spaces.len()));
    for _ in 0..*dice.pick(&[1, 1, 1, 1, 2, 2, 0]).unwrap() {
        let v6 = dice.chance(30);
        net(dice, cloud, at, v6);
    }
    let served = cloud
        .nets_on(at)
        .flat_map(|net| &cloud.nets[net].bands)
        .any(|band| band.kind == RangeKind::Dynamic);
    let lan = &mut cloud.lans[at];
    lan.dhcp = served && dice.chance(80);
    if lan.dhcp || dice.chance(10) {
        let primary = dice.below(RACKS.len());
        lan.primary = Some(primary);
        lan.secondary = dice.chance(40).then_some(1 - primary);
    }
    for net in cloud.nets_on(at).collect::<Vec<_>>() {
        furnish(dice, cloud, net);
    }
}

pub(crate) fn tagged(dice: &mut Dice, cloud: &mut Cloud, fabric: usize) -> usize {
    let vid = u16::try_from(10 + cloud.number()).unwrap();
    let name = dice.chance(85).then(|| format!("lan{vid}"));
    cloud.lans.push(Lan {
        name,
        ..lan(fabric, vid)
    });
    cloud.lans.len() - 1
}

/// A subnet with ranges.
pub(crate) fn net(dice: &mut Dice, cloud: &mut Cloud, lan: usize, v6: bool) -> usize {
    let number = cloud.number();
    let prefix = if v6 {
        *dice.pick(&[64, 64, 64, 112, 120, 56]).unwrap()
    } else {
        *dice.pick(&[24, 24, 24, 22, 20, 26, 28, 30, 31]).unwrap()
    };
    cloud.nets.push(Net {
        lan,
        cidr: block(number, prefix, v6),
        name: format!("net{number}"),
        gateway: None,
        dns: Vec::new(),
        flags: SubnetFlags::default(),
        description: String::new(),
        architectures: BTreeSet::new(),
        bands: Vec::new(),
        routes: Vec::new(),
        kept: Vec::new(),
        guest: None,
        hung: Vec::new(),
    });
    let net = cloud.nets.len() - 1;
    let bands = dice.below(4);
    attempt(dice, cloud, bands, |dice, cloud| add_band(dice, cloud, net));
    net
}

/// The first network of a block that no other number has.
pub(crate) fn block(number: usize, prefix: u8, v6: bool) -> Cidr {
    let text = if v6 {
        format!("fd00:{number:x}::/{prefix}")
    } else {
        format!("10.{number}.64.0/{prefix}")
    };
    text.parse().unwrap()
}

pub(crate) fn add_band(dice: &mut Dice, cloud: &mut Cloud, net: usize) {
    let number = cloud.number();
    let (from, to) = place(dice, &cloud.nets[net]);
    let dynamic = dice.chance(45);
    cloud.nets[net].bands.push(Band {
        from,
        to,
        kind: if dynamic {
            RangeKind::Dynamic
        } else {
            RangeKind::Reserved
        },
        comment: if dice.chance(90) {
            format!("band{number}")
        } else {
            String::new()
        },
    });
}

/// Somewhere in the subnet: one to five sixteenths of it.
pub(crate) fn place(dice: &mut Dice, net: &Net) -> (u128, u128) {
    let room = net.last().saturating_sub(net.first()) + 1;
    let sixteenth = (room / 16).max(1);
    let from = net.first() + u128::try_from(dice.below(16)).unwrap() * sixteenth;
    let wide = u128::try_from(1 + dice.below(5)).unwrap() * sixteenth;
    (from, from + wide - 1)
}

/// Everything else that a subnet may have, each if it is sound.
fn furnish(dice: &mut Dice, cloud: &mut Cloud, net: usize) {
    let flags = &mut cloud.nets[net].flags;
    flags.managed = dice.chance(85);
    flags.allow_dns = dice.chance(80);
    flags.allow_proxy = dice.chance(80);
    flags.active_discovery = dice.chance(30);
    flags.rdns_mode = *dice.pick(&[2, 2, 2, 1, 0]).unwrap();
    if dice.chance(30) {
        cloud.nets[net].description = format!("about net {net}");
    }
    let room = cloud.nets[net].last() > 8;
    attempt(dice, cloud, 2, |dice, cloud| set_gateway(dice, cloud, net));
    if room {
        attempt(dice, cloud, 1, |dice, cloud| settle(dice, cloud, net));
    }
    if cloud.has_reserved_ips() {
        attempt(dice, cloud, 1, |dice, cloud| keep(dice, cloud, net));
    }
    if cloud.has_architectures() && dice.chance(20) {
        cloud.nets[net].architectures.insert("pxe".to_owned());
    }
}

/// DHCP snippets, which name an address of their network or none.
fn hang(dice: &mut Dice, net: &mut Net) {
    for nth in 0..*dice.pick(&[0, 0, 1, 2]).unwrap() {
        let value = if dice.chance(50) {
            format!("next-server {};", net.ip(net.low(nth)))
        } else {
            format!("max-lease-time {nth};")
        };
        net.hung.push(Hung {
            name: format!("note{nth} of {}", net.name),
            value,
            enabled: dice.chance(80),
        });
    }
}

pub(crate) fn set_gateway(dice: &mut Dice, cloud: &mut Cloud, at: usize) {
    let net = &mut cloud.nets[at];
    let low = net.low(dice.below(12));
    net.gateway = match dice.below(8) {
        0 => None,
        1 => Some(Gateway::At(net.last())),
        2 if net.cidr.is_v6() => {
            let tail = 1 + dice.below(200);
            Some(Gateway::LinkLocal(
                format!("fe80::{tail:x}").parse().unwrap(),
            ))
        }
        3 => Some(Gateway::At(low)),
        _ => Some(Gateway::At(1)),
    };
}

fn settle(dice: &mut Dice, cloud: &mut Cloud, at: usize) {
    let number = cloud.number();
    let net = &mut cloud.nets[at];
    let fixed = net.low(3 + dice.below(8));
    net.guest = dice.chance(35).then(|| Guest {
        host: format!("host{number}"),
        at: dice.chance(50).then_some(fixed),
    });
}

pub(crate) fn keep(dice: &mut Dice, cloud: &mut Cloud, at: usize) {
    let number = cloud.number();
    let net = &mut cloud.nets[at];
    let offset = net.low(dice.below(12));
    // MAAS keeps no network's last address, and a /31 has no other.
    if net.ip(offset) == net.cidr.last() {
        return;
    }
    net.kept.push(Kept {
        at: offset,
        mac: format!("02:00:00:00:{:02x}:{:02x}", number / 256, number % 256),
        comment: if dice.chance(70) {
            format!("kept{number}")
        } else {
            String::new()
        },
    });
}

/// A network that nobody declares, on a VLAN of its own.
fn stranger(dice: &mut Dice, cloud: &mut Cloud) {
    let fabric = dice.below(cloud.fabrics.len());
    let lan = tagged(dice, cloud, fabric);
    cloud.lans[lan].declared = false;
    net(dice, cloud, lan, false);
}

/// What leads from one plane to another: resolvers, routes, relays.
pub(crate) fn tie(dice: &mut Dice, cloud: &mut Cloud) {
    let (nets, lans) = (cloud.nets.len(), cloud.lans.len());
    let (at, to) = (dice.below(nets), dice.below(nets));
    if nets == 0 || !cloud.is_declared(at) {
        return;
    }
    match dice.below(4) {
        0 => {
            let (from, to) = (dice.below(lans), dice.below(lans));
            let both = cloud.lans[from].declared && cloud.lans[to].declared;
            if both && !cloud.lans[from].dhcp {
                cloud.lans[from].relay = Some(to);
            }
        }
        1 | 2 => {
            let via = cloud.nets[at].low(4 + dice.below(8));
            let metric = u32::try_from(dice.below(3)).unwrap();
            cloud.nets[at].routes.push(Way { to, via, metric });
        }
        _ => resolve(dice, cloud, at, to),
    }
}

pub(crate) fn resolve(dice: &mut Dice, cloud: &mut Cloud, at: usize, to: usize) {
    let offset = cloud.nets[to].low(1 + dice.below(3));
    let elsewhere: IpAddr = if cloud.nets[at].cidr.is_v6() {
        format!("2001:db8::{}", 1 + dice.below(9)).parse().unwrap()
    } else {
        format!("192.0.2.{}", 1 + dice.below(9)).parse().unwrap()
    };
    let same_family = cloud.nets[at].cidr.is_v6() == cloud.nets[to].cidr.is_v6();
    let resolver = match dice.below(3) {
        0 => Resolver::Elsewhere(elsewhere),
        1 if same_family && cloud.is_declared(to) => Resolver::Of(to, offset),
        _ => Resolver::Of(at, cloud.nets[at].low(1 + dice.below(3))),
    };
    let dns = &mut cloud.nets[at].dns;
    if !dns.contains(&resolver) {
        dns.push(resolver);
    }
}
