//! An abstract network: objects refer to each other by index and addresses are offsets, so that a renamed or moved object
//! keeps its identity. Must not know plans.

use std::collections::BTreeSet;
use std::net::IpAddr;

use topology::Cidr;
use topology::address::Range;
use topology::object::{RangeKind, SubnetFlags};
use topology::plane::Strategy;

pub const RACKS: [&str; 2] = ["rack-a", "rack-b"];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cloud {
    /// The MAAS release.
    pub version: &'static str,
    pub fabrics: Vec<String>,
    pub spaces: Vec<String>,
    pub vlans: Vec<CloudVlan>,
    pub subnets: Vec<CloudSubnet>,
    /// A counter for unused names and address blocks.
    pub fresh: usize,
}

/// A VLAN.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is chosen independently"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudVlan {
    pub fabric: usize,
    pub vid: u16,
    /// Whether it is its fabric's default VLAN, whose name MAAS does not show.
    pub default: bool,
    pub name: Option<String>,
    pub mtu: u32,
    pub space: Option<usize>,
    pub dhcp: bool,
    pub primary: Option<usize>,
    pub secondary: Option<usize>,
    pub relay: Option<usize>,
    /// Whether a plane declares it.
    pub declared: bool,
    /// The strategy that its plane declares.
    pub strategy: Option<Strategy>,
    /// Whether the racks have an interface on it.
    pub racked: bool,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudSubnet {
    pub vlan: usize,
    pub cidr: Cidr,
    pub name: String,
    pub gateway: Option<Gateway>,
    pub dns: Vec<Resolver>,
    pub flags: SubnetFlags,
    pub description: String,
    pub architectures: BTreeSet<String>,
    pub ranges: Vec<CloudRange>,
    pub routes: Vec<CloudRoute>,
    pub reserved: Vec<CloudReservedIp>,
    pub machine: Option<CloudMachine>,
    /// Never declared.
    pub snippets: Vec<CloudSnippet>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gateway {
    At(u128),
    LinkLocal(IpAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// An address of that subnet, which moves with the subnet.
    Of(usize, u128),
    Elsewhere(IpAddr),
}

/// A range of offsets, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudRange {
    pub from: u128,
    pub to: u128,
    pub kind: RangeKind,
    pub comment: String,
}

/// A static route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudRoute {
    pub to: usize,
    pub via: u128,
    pub metric: u32,
}

/// A reserved IP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudReservedIp {
    pub at: u128,
    pub mac: String,
    pub comment: String,
}

/// A DHCP snippet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudSnippet {
    pub name: String,
    pub value: String,
    pub enabled: bool,
}

/// A machine with a link to a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudMachine {
    pub host: String,
    /// The offset of its static address; `None` for an address that MAAS picks.
    pub at: Option<u128>,
}

impl CloudSubnet {
    /// The lowest offset that a range may have: MAAS reserves the low end of an IPv6 /64.
    pub fn first(&self) -> u128 {
        if self.cidr.is_v6() && self.cidr.prefix() == 64 {
            1 << 32
        } else {
            1
        }
    }

    /// The highest offset that is used here.
    pub fn last(&self) -> u128 {
        let width = if self.cidr.is_v6() { 128 } else { 32 };
        let size = 1_u128 << u32::from((width - self.cidr.prefix()).min(40));
        if self.cidr.is_v6() {
            (size - 1).min(self.first() + (1 << 20))
        } else {
            size.saturating_sub(2).max(1)
        }
    }

    pub fn ip(&self, offset: u128) -> IpAddr {
        self.cidr.at(offset).unwrap_or(self.cidr.network())
    }

    pub fn range(&self, range: &CloudRange) -> Option<Range> {
        Range::new(self.cidr.at(range.from)?, self.cidr.at(range.to)?)
    }

    /// A low offset, where gateways and resolvers are.
    pub fn low(&self, nth: usize) -> u128 {
        let room = self.last().min(12);
        1 + u128::try_from(nth).unwrap() % room.max(1)
    }
}

impl Cloud {
    pub fn next_number(&mut self) -> usize {
        self.fresh += 1;
        self.fresh
    }

    /// Reserved IPs exist since 3.6.
    pub fn has_reserved_ips(&self) -> bool {
        matches!(self.version.get(..3), Some("3.6" | "3.7"))
    }

    /// Boot architectures of subnets exist since 3.0.
    pub fn has_architectures(&self) -> bool {
        self.version.starts_with('3')
    }

    pub fn subnets_on(&self, vlan: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.subnets.len()).filter(move |subnet| self.subnets[*subnet].vlan == vlan)
    }

    pub fn is_declared(&self, subnet: usize) -> bool {
        self.vlans[self.subnets[subnet].vlan].declared
    }

    /// Whether MAAS could have this and a declaration could express it.
    pub fn is_sound(&self) -> bool {
        self.names_are_sound()
            && (0..self.vlans.len()).all(|vlan| self.vlan_is_sound(vlan))
            && (0..self.subnets.len()).all(|subnet| self.subnet_is_sound(subnet))
    }

    fn names_are_sound(&self) -> bool {
        let places: BTreeSet<(usize, u16)> = self
            .vlans
            .iter()
            .map(|vlan| (vlan.fabric, vlan.vid))
            .collect();
        let fabrics: BTreeSet<&String> = self.fabrics.iter().collect();
        let spaces: BTreeSet<&String> = self.spaces.iter().collect();
        places.len() == self.vlans.len()
            && fabrics.len() == self.fabrics.len()
            && spaces.len() == self.spaces.len()
    }

    fn vlan_is_sound(&self, at: usize) -> bool {
        let vlan = &self.vlans[at];
        let served = self
            .subnets_on(at)
            .flat_map(|subnet| &self.subnets[subnet].ranges)
            .any(|range| range.kind == RangeKind::Dynamic);
        let seen = self
            .vlans
            .iter()
            .any(|other| other.racked && other.vid == vlan.vid);
        let dhcp = !vlan.dhcp || (served && vlan.primary.is_some() && vlan.relay.is_none() && seen);
        let racks =
            vlan.secondary.is_none() || (vlan.primary.is_some() && vlan.primary != vlan.secondary);
        let relay = vlan.relay.is_none_or(|to| {
            let relayed_to = self.vlans.iter().any(|other| other.relay == Some(at));
            to != at && self.vlans[to].relay.is_none() && !relayed_to
        });
        dhcp && racks && relay && vlan.vid <= 4094 && (552..=65535).contains(&vlan.mtu)
    }

    fn subnet_is_sound(&self, at: usize) -> bool {
        let subnet = &self.subnets[at];
        let wide = subnet.cidr.prefix() < if subnet.cidr.is_v6() { 128 } else { 32 };
        let apart = (0..at).all(|other| !self.subnets[other].cidr.overlaps(&subnet.cidr));
        let own = |offset: u128| (1..=subnet.last()).contains(&offset);
        let gateway = match subnet.gateway {
            Some(Gateway::At(offset)) => own(offset),
            Some(Gateway::LinkLocal(_)) => subnet.cidr.is_v6(),
            None => true,
        };
        let resolvers = subnet.dns.iter().all(|resolver| match resolver {
            Resolver::Of(other, offset) => (1..=self.subnets[*other].last()).contains(offset),
            Resolver::Elsewhere(_) => true,
        });
        let routes: BTreeSet<(usize, u128)> = subnet
            .routes
            .iter()
            .map(|route| (route.to, route.via))
            .collect();
        let routes = routes.len() == subnet.routes.len()
            && subnet.routes.iter().all(|route| {
                let to = &self.subnets[route.to];
                route.to != at
                    && own(route.via)
                    && to.cidr.is_v6() == subnet.cidr.is_v6()
                    && !subnet.serves(route.via)
            });
        let reserved: BTreeSet<u128> = subnet.reserved.iter().map(|reserved| reserved.at).collect();
        let reserved = reserved.len() == subnet.reserved.len()
            && reserved.iter().all(|offset| {
                own(*offset) && !subnet.serves(*offset) && subnet.ip(*offset) != subnet.cidr.last()
            });
        let machine = subnet.machine.as_ref().and_then(|machine| machine.at);
        let machine_fits = machine.is_none_or(|offset| own(offset) && !subnet.serves(offset));
        let alone = apart && wide && machine_fits;
        alone && gateway && resolvers && routes && reserved && subnet.ranges_are_sound()
    }
}

impl CloudSubnet {
    /// Whether a dynamic range includes that address.
    pub fn serves(&self, offset: u128) -> bool {
        self.ranges.iter().any(|range| {
            range.kind == RangeKind::Dynamic && (range.from..=range.to).contains(&offset)
        })
    }

    fn ranges_are_sound(&self) -> bool {
        let (first, last) = (self.first(), self.last());
        let fits = |range: &CloudRange| {
            let wide = !self.cidr.is_v6()
                || range.kind == RangeKind::Reserved
                || range.to.saturating_sub(range.from) >= 255;
            first <= range.from && range.from <= range.to && range.to <= last && wide
        };
        let apart = |(place, range): (usize, &CloudRange)| {
            self.ranges[..place]
                .iter()
                .all(|other| other.to < range.from || range.to < other.from)
        };
        self.ranges.iter().all(fits) && self.ranges.iter().enumerate().all(apart)
    }
}
