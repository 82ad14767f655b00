//! A cloud as MAAS tells it, and as files declare it. Must not know plans.

use std::collections::{BTreeMap, BTreeSet};

use topology::object::{
    Fabric, Interface, InterfaceKind, IpRange, Key, Link, Mode, Object, RangeKind, ReservedIp,
    Snippet, Space, StaticRoute, Subnet, Vlan, VlanAt,
};
use topology::observed::{Holder, Node, NodeKind, Observed, Occupant, Seen, Timestamp};
use topology::plane::{
    Dhcp, HostReservation, Plane, PlaneSubnet, Purpose, Reservation, Route, Topology,
};
use topology::version::MaasVersion;

use super::cloud::{Band, Cloud, Gateway, Guest, Lan, Net, RACKS, Resolver};
use super::dice::Dice;

impl Cloud {
    pub(crate) fn at(&self, lan: usize) -> VlanAt {
        let row = &self.lans[lan];
        VlanAt {
            fabric: self.fabrics[row.fabric].clone(),
            vid: row.vid,
        }
    }

    /// Everything that MAAS would list.
    pub(crate) fn objects(&self) -> Vec<Object> {
        let fabrics = self.fabrics.iter().cloned();
        let spaces = self.spaces.iter().cloned();
        let mut objects: Vec<Object> = fabrics
            .map(|name| Object::Fabric(Fabric { name }))
            .chain(spaces.map(|name| Object::Space(Space { name })))
            .collect();
        for (at, lan) in self.lans.iter().enumerate() {
            objects.push(Object::Vlan(self.vlan(at, lan)));
        }
        for net in &self.nets {
            objects.push(Object::Subnet(self.subnet(net)));
            objects.extend(net.bands.iter().filter_map(|band| {
                Some(Object::Range(IpRange {
                    subnet: net.cidr,
                    range: net.range(band)?,
                    kind: band.kind,
                    comment: band.comment.clone(),
                }))
            }));
            objects.extend(net.routes.iter().map(|way| {
                Object::Route(StaticRoute {
                    source: net.cidr,
                    destination: self.nets[way.to].cidr,
                    gateway: net.ip(way.via),
                    metric: way.metric,
                })
            }));
            objects.extend(net.kept.iter().map(|kept| {
                Object::ReservedIp(ReservedIp {
                    ip: net.ip(kept.at),
                    mac: kept.mac.clone(),
                    subnet: net.cidr,
                    comment: kept.comment.clone(),
                })
            }));
            objects.extend(net.hung.iter().map(|hung| {
                Object::Snippet(Snippet {
                    subnet: net.cidr,
                    name: hung.name.clone(),
                    value: hung.value.clone(),
                    description: String::new(),
                    enabled: hung.enabled,
                })
            }));
        }
        objects
    }

    fn vlan(&self, at: usize, lan: &Lan) -> Vlan {
        let rack = |rack: usize| system_id(RACKS[rack]);
        Vlan {
            at: self.at(at),
            name: lan.name.clone(),
            mtu: lan.mtu,
            space: lan.space.map(|space| self.spaces[space].clone()),
            dhcp_on: lan.dhcp,
            primary_rack: lan.primary.map(rack),
            secondary_rack: lan.secondary.map(rack),
            relay: lan.relay.map(|to| self.at(to)),
        }
    }

    fn subnet(&self, net: &Net) -> Subnet {
        Subnet {
            cidr: net.cidr,
            name: net.name.clone(),
            vlan: self.at(net.lan),
            gateway: net.gateway.map(|gateway| match gateway {
                Gateway::At(offset) => net.ip(offset),
                Gateway::LinkLocal(ip) => ip,
            }),
            dns: net
                .dns
                .iter()
                .map(|resolver| self.resolver(*resolver))
                .collect(),
            flags: net.flags,
            description: net.description.clone(),
            disabled_boot_architectures: net.architectures.iter().cloned().collect(),
        }
    }

    fn resolver(&self, resolver: Resolver) -> std::net::IpAddr {
        match resolver {
            Resolver::Of(net, offset) => self.nets[net].ip(offset),
            Resolver::Elsewhere(ip) => ip,
        }
    }

    /// What a MAAS that holds it says.
    pub(crate) fn observed(&self) -> Observed {
        let mut objects = self.objects();
        let mut observed = Observed {
            at: Timestamp(0),
            version: MaasVersion::read(self.version),
            objects: BTreeMap::new(),
            default_vlans: Vec::new(),
            nodes: BTreeMap::new(),
            all_nodes: true,
            occupants: self.nets.iter().map(|net| (net.cidr, Vec::new())).collect(),
            loose_snippets: Some(Vec::new()),
            elsewhere: Some(Vec::new()),
            settings: Some(Vec::new()),
            all_spaces: true,
            blind: Vec::new(),
        };
        for (at, lan) in self.lans.iter().enumerate() {
            if lan.default {
                observed.default_vlans.push(self.at(at));
            }
            for rack in RACKS.iter().filter(|_| lan.racked) {
                objects.push(nic(rack, &format!("eth{at}"), self.at(at)));
            }
        }
        for rack in RACKS {
            observed
                .nodes
                .extend([node(rack, NodeKind::Controller, "Deployed")]);
        }
        for net in &self.nets {
            if let Some(guest) = &net.guest {
                let status = if guest.at.is_some() {
                    "Deployed"
                } else {
                    "Ready"
                };
                observed
                    .nodes
                    .extend([node(&guest.host, NodeKind::Machine, status)]);
                objects.push(nic(&guest.host, "eth0", self.at(net.lan)));
                objects.push(link(net, guest));
                observed
                    .occupants
                    .insert(net.cidr, vec![occupant(net, guest)]);
            }
        }
        observed.objects = numbered(objects);
        observed
    }

    /// The declaration that leads from `before` to this. What both have alike is sometimes left alone.
    pub(crate) fn declared(&self, before: &Self, dice: &mut Dice) -> Topology {
        let mut topology = Topology {
            tree: "tree".to_owned(),
            spaces: self.spaces.iter().cloned().collect(),
            ..Topology::default()
        };
        for (at, lan) in self.lans.iter().enumerate() {
            if lan.declared {
                let plane = self.plane(before, at, dice);
                topology.planes.insert(plane.key.clone(), plane);
            }
        }
        topology
    }

    fn plane(&self, before: &Self, at: usize, dice: &mut Dice) -> Plane {
        let lan = &self.lans[at];
        let old = before.lans.get(at);
        let host = |rack: usize| RACKS[rack].to_owned();
        let dhcp = match (lan.relay, lan.dhcp) {
            (Some(to), _) => Dhcp::Relay(self.at(to)),
            (None, false) => Dhcp::Off,
            (None, true) => Dhcp::On {
                primary: lan.primary.map(host),
                secondary: lan.secondary.map(host),
            },
        };
        let stays = old.is_some_and(|old| self.at(at) == before.at(at) && old == lan);
        let alone = |dice: &mut Dice| stays && dice.chance(20);
        // What a relay leads to is told by its networks; where it has none and goes elsewhere, nobody can know.
        let leads_there = lan.relay.is_none_or(|to| {
            let known = to < before.lans.len();
            known && (self.at(to) == before.at(to) || before.nets_on(to).next().is_some())
        });
        let key = format!("plane-{at}");
        Plane {
            description: String::new(),
            vlan: self.at(at),
            vlan_name: lan.name.clone().filter(|_| !alone(dice)),
            space: Some(lan.space.map(|space| self.spaces[space].clone()))
                .filter(|_| self.spaces != before.spaces || !alone(dice)),
            mtu: Some(lan.mtu).filter(|_| !alone(dice)),
            dhcp: Some(dhcp).filter(|_| !(alone(dice) && leads_there)),
            strategy: lan.strategy,
            subnets: self
                .nets_on(at)
                .map(|net| self.plane_subnet(before, net, dice))
                .collect(),
            key,
        }
    }

    fn plane_subnet(&self, before: &Self, at: usize, dice: &mut Dice) -> PlaneSubnet {
        let net = &self.nets[at];
        let row = self.subnet(net);
        let old = before.nets.get(at);
        let same = old.is_some_and(|old| before.subnet(old) == row);
        let alone = |dice: &mut Dice| same && dice.chance(15);
        let reservations = net.bands.iter().filter_map(|band| {
            Some(Reservation {
                name: band.comment.clone(),
                purpose: purpose(band),
                range: net.range(band)?,
            })
        });
        let routes = net.routes.iter().map(|way| Route {
            destination: self.nets[way.to].cidr,
            gateway: net.ip(way.via),
            metric: way.metric,
        });
        let kept = net.kept.iter().map(|kept| HostReservation {
            ip: net.ip(kept.at),
            mac: kept.mac.clone(),
            comment: kept.comment.clone(),
        });
        PlaneSubnet {
            cidr: row.cidr,
            name: row.name.clone(),
            gateway: Some(row.gateway).filter(|_| !alone(dice)),
            dns: Some(row.dns.clone()).filter(|_| !alone(dice)),
            reservations: Some(reservations.collect()),
            routes: Some(routes.collect()),
            reserved_ips: self.has_reserved_ips().then(|| kept.collect()),
            managed: Some(row.flags.managed).filter(|_| !alone(dice)),
            allow_dns: Some(row.flags.allow_dns).filter(|_| !alone(dice)),
            allow_proxy: Some(row.flags.allow_proxy).filter(|_| !alone(dice)),
            active_discovery: Some(row.flags.active_discovery).filter(|_| !alone(dice)),
            rdns_mode: Some(row.flags.rdns_mode).filter(|_| !alone(dice)),
            description: Some(row.description.clone()).filter(|_| !alone(dice)),
            disabled_boot_architectures: self
                .has_architectures()
                .then_some(row.disabled_boot_architectures),
        }
    }
}

fn purpose(band: &Band) -> Purpose {
    match band.kind {
        RangeKind::Dynamic => Purpose::Dynamic,
        RangeKind::Reserved => Purpose::Vip,
    }
}

pub(crate) fn system_id(rack: &str) -> String {
    rack.replace('-', "1")
}

fn node(host: &str, kind: NodeKind, status: &str) -> (String, Node) {
    let node = Node {
        system_id: system_id(host),
        host: host.to_owned(),
        kind,
        is_rack: kind == NodeKind::Controller,
        status: status.to_owned(),
        boot: None,
    };
    (host.to_owned(), node)
}

fn nic(host: &str, name: &str, vlan: VlanAt) -> Object {
    Object::Interface(Interface {
        host: host.to_owned(),
        name: name.to_owned(),
        kind: InterfaceKind::Physical,
        parents: BTreeSet::new(),
        vlan: Some(vlan),
    })
}

fn link(net: &Net, guest: &Guest) -> Object {
    Object::Link(Link {
        host: guest.host.clone(),
        interface: "eth0".to_owned(),
        subnet: net.cidr,
        mode: guest.at.map_or(Mode::Auto, |at| Mode::Static(net.ip(at))),
    })
}

fn occupant(net: &Net, guest: &Guest) -> Occupant {
    Occupant {
        ip: guest.at.map(|at| net.ip(at)),
        holder: Holder::Node {
            host: guest.host.clone(),
            kind: NodeKind::Machine,
            interface: Some("eth0".to_owned()),
        },
    }
}

/// Row numbers in the order of the list.
pub(crate) fn numbered(objects: Vec<Object>) -> BTreeMap<Key, Seen> {
    let rows = objects.into_iter().zip(1..);
    rows.map(|(object, id)| (object.key(), Seen { id, object }))
        .collect()
}
