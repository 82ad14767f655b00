//! A cloud as one would draw it on a wall: things point to each other by place in a list, addresses are offsets, so
//! that whatever is renamed or moved stays what it is. Must not know how a plan gets from one cloud to another.

use std::collections::BTreeSet;
use std::net::IpAddr;

use topology::Cidr;
use topology::address::Range;
use topology::object::{RangeKind, SubnetFlags};
use topology::plane::Strategy;

pub(crate) const RACKS: [&str; 2] = ["rack-a", "rack-b"];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cloud {
    /// Of the MAAS.
    pub(crate) version: &'static str,
    pub(crate) fabrics: Vec<String>,
    pub(crate) spaces: Vec<String>,
    pub(crate) lans: Vec<Lan>,
    pub(crate) nets: Vec<Net>,
    /// Names and blocks of addresses that nobody has had yet are made from this.
    pub(crate) fresh: usize,
}

/// A VLAN.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is asked of the dice for itself"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lan {
    pub(crate) fabric: usize,
    pub(crate) vid: u16,
    /// Its fabric's own VLAN, which has no name that MAAS shows.
    pub(crate) default: bool,
    pub(crate) name: Option<String>,
    pub(crate) mtu: u32,
    pub(crate) space: Option<usize>,
    pub(crate) dhcp: bool,
    pub(crate) primary: Option<usize>,
    pub(crate) secondary: Option<usize>,
    pub(crate) relay: Option<usize>,
    /// Whether a plane declares it.
    pub(crate) declared: bool,
    /// How its plane says that a CIDR changes.
    pub(crate) strategy: Option<Strategy>,
    /// Whether the racks have an interface on it.
    pub(crate) racked: bool,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Net {
    pub(crate) lan: usize,
    pub(crate) cidr: Cidr,
    pub(crate) name: String,
    pub(crate) gateway: Option<Gateway>,
    pub(crate) dns: Vec<Resolver>,
    pub(crate) flags: SubnetFlags,
    pub(crate) description: String,
    pub(crate) architectures: BTreeSet<String>,
    pub(crate) bands: Vec<Band>,
    pub(crate) routes: Vec<Way>,
    pub(crate) kept: Vec<Kept>,
    pub(crate) guest: Option<Guest>,
    /// No declaration says these.
    pub(crate) hung: Vec<Hung>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gateway {
    At(u128),
    LinkLocal(IpAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolver {
    /// An address of that subnet; it goes where the subnet goes.
    Of(usize, u128),
    Elsewhere(IpAddr),
}

/// A range: offsets, ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Band {
    pub(crate) from: u128,
    pub(crate) to: u128,
    pub(crate) kind: RangeKind,
    pub(crate) comment: String,
}

/// A static route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) to: usize,
    pub(crate) via: u128,
    pub(crate) metric: u32,
}

/// A reserved IP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) at: u128,
    pub(crate) mac: String,
    pub(crate) comment: String,
}

/// A DHCP snippet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hung {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) enabled: bool,
}

/// A machine that lives on a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guest {
    pub(crate) host: String,
    /// At a fixed address, or at one that MAAS picks.
    pub(crate) at: Option<u128>,
}

impl Net {
    /// The lowest offset that a range may have: MAAS keeps the low end of an IPv6 /64 for itself.
    pub(crate) fn first(&self) -> u128 {
        if self.cidr.is_v6() && self.cidr.prefix() == 64 {
            1 << 32
        } else {
            1
        }
    }

    /// The highest offset that is used here.
    pub(crate) fn last(&self) -> u128 {
        let width = if self.cidr.is_v6() { 128 } else { 32 };
        let size = 1_u128 << u32::from((width - self.cidr.prefix()).min(40));
        if self.cidr.is_v6() {
            (size - 1).min(self.first() + (1 << 20))
        } else {
            size.saturating_sub(2).max(1)
        }
    }

    pub(crate) fn ip(&self, offset: u128) -> IpAddr {
        self.cidr.at(offset).unwrap_or(self.cidr.network())
    }

    pub(crate) fn range(&self, band: &Band) -> Option<Range> {
        Range::new(self.cidr.at(band.from)?, self.cidr.at(band.to)?)
    }

    /// An offset in the lower half, where gateways and resolvers are.
    pub(crate) fn low(&self, nth: usize) -> u128 {
        let room = self.last().min(12);
        1 + u128::try_from(nth).unwrap() % room.max(1)
    }
}

impl Cloud {
    pub(crate) fn number(&mut self) -> usize {
        self.fresh += 1;
        self.fresh
    }

    /// Reserved IPs are new in 3.6.
    pub(crate) fn has_reserved_ips(&self) -> bool {
        matches!(self.version.get(..3), Some("3.6" | "3.7"))
    }

    /// Boot architectures of subnets are new in 3.0.
    pub(crate) fn has_architectures(&self) -> bool {
        self.version.starts_with('3')
    }

    pub(crate) fn nets_on(&self, lan: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.nets.len()).filter(move |net| self.nets[*net].lan == lan)
    }

    pub(crate) fn is_declared(&self, net: usize) -> bool {
        self.lans[self.nets[net].lan].declared
    }

    /// Whether MAAS could hold this and a declaration could say it.
    pub(crate) fn is_sound(&self) -> bool {
        self.names_are_sound()
            && (0..self.lans.len()).all(|lan| self.lan_is_sound(lan))
            && (0..self.nets.len()).all(|net| self.net_is_sound(net))
    }

    fn names_are_sound(&self) -> bool {
        let places: BTreeSet<(usize, u16)> =
            self.lans.iter().map(|lan| (lan.fabric, lan.vid)).collect();
        let fabrics: BTreeSet<&String> = self.fabrics.iter().collect();
        let spaces: BTreeSet<&String> = self.spaces.iter().collect();
        places.len() == self.lans.len()
            && fabrics.len() == self.fabrics.len()
            && spaces.len() == self.spaces.len()
    }

    fn lan_is_sound(&self, at: usize) -> bool {
        let lan = &self.lans[at];
        let served = self
            .nets_on(at)
            .flat_map(|net| &self.nets[net].bands)
            .any(|band| band.kind == RangeKind::Dynamic);
        let seen = self
            .lans
            .iter()
            .any(|other| other.racked && other.vid == lan.vid);
        let dhcp = !lan.dhcp || (served && lan.primary.is_some() && lan.relay.is_none() && seen);
        let racks =
            lan.secondary.is_none() || (lan.primary.is_some() && lan.primary != lan.secondary);
        let relay = lan.relay.is_none_or(|to| {
            let relayed_to = self.lans.iter().any(|other| other.relay == Some(at));
            to != at && self.lans[to].relay.is_none() && !relayed_to
        });
        dhcp && racks && relay && lan.vid <= 4094 && (552..=65535).contains(&lan.mtu)
    }

    fn net_is_sound(&self, at: usize) -> bool {
        let net = &self.nets[at];
        let wide = net.cidr.prefix() < if net.cidr.is_v6() { 128 } else { 32 };
        let apart = (0..at).all(|other| !self.nets[other].cidr.overlaps(&net.cidr));
        let own = |offset: u128| (1..=net.last()).contains(&offset);
        let gateway = match net.gateway {
            Some(Gateway::At(offset)) => own(offset),
            Some(Gateway::LinkLocal(_)) => net.cidr.is_v6(),
            None => true,
        };
        let resolvers = net.dns.iter().all(|resolver| match resolver {
            Resolver::Of(other, offset) => (1..=self.nets[*other].last()).contains(offset),
            Resolver::Elsewhere(_) => true,
        });
        let ways: BTreeSet<(usize, u128)> =
            net.routes.iter().map(|way| (way.to, way.via)).collect();
        let routes = ways.len() == net.routes.len()
            && net.routes.iter().all(|way| {
                let to = &self.nets[way.to];
                way.to != at
                    && own(way.via)
                    && to.cidr.is_v6() == net.cidr.is_v6()
                    && !net.serves(way.via)
            });
        let kept: BTreeSet<u128> = net.kept.iter().map(|kept| kept.at).collect();
        let reserved = kept.len() == net.kept.len()
            && kept.iter().all(|offset| {
                own(*offset) && !net.serves(*offset) && net.ip(*offset) != net.cidr.last()
            });
        let guest = net.guest.as_ref().and_then(|guest| guest.at);
        let lives = guest.is_none_or(|offset| own(offset) && !net.serves(offset));
        let alone = apart && wide && lives;
        alone && gateway && resolvers && routes && reserved && net.bands_are_sound()
    }
}

impl Net {
    /// Whether a dynamic range covers that address.
    pub(crate) fn serves(&self, offset: u128) -> bool {
        self.bands
            .iter()
            .any(|band| band.kind == RangeKind::Dynamic && (band.from..=band.to).contains(&offset))
    }

    fn bands_are_sound(&self) -> bool {
        let (first, last) = (self.first(), self.last());
        let fits = |band: &Band| {
            let wide = !self.cidr.is_v6()
                || band.kind == RangeKind::Reserved
                || band.to.saturating_sub(band.from) >= 255;
            first <= band.from && band.from <= band.to && band.to <= last && wide
        };
        let apart = |(place, band): (usize, &Band)| {
            self.bands[..place]
                .iter()
                .all(|other| other.to < band.from || band.to < other.from)
        };
        self.bands.iter().all(fits) && self.bands.iter().enumerate().all(apart)
    }
}
