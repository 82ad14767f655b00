//! Views of a network: as MAAS shows it, and as files declare it. Must not know plans.

use std::collections::{BTreeMap, BTreeSet};

use topology::object::{
    Fabric, Interface, InterfaceKind, InterfaceSettings, IpRange, Key, Link, Mode, Object,
    RangeKind, ReservedIp, Snippet, Space, StaticRoute, Subnet, Vlan, VlanAt,
};
use topology::observed::{Holder, Node, NodeKind, Observed, Occupant, Seen, Timestamp};
use topology::plane::{
    Dhcp, HostReservation, Plane, PlaneSubnet, Purpose, Reservation, Route, Topology,
};
use topology::version::MaasVersion;

use super::cloud::{
    Cloud, CloudMachine, CloudRange, CloudSubnet, CloudVlan, Gateway, RACKS, Resolver,
};
use super::rng::SeededRng;

impl Cloud {
    pub fn at(&self, vlan: usize) -> VlanAt {
        let row = &self.vlans[vlan];
        VlanAt {
            fabric: self.fabrics[row.fabric].clone(),
            vid: row.vid,
        }
    }

    /// Every object that MAAS would list.
    pub fn objects(&self) -> Vec<Object> {
        let fabrics = self.fabrics.iter().cloned();
        let spaces = self.spaces.iter().cloned();
        let mut objects: Vec<Object> = fabrics
            .map(|name| Object::Fabric(Fabric { name }))
            .chain(spaces.map(|name| Object::Space(Space { name })))
            .collect();
        for (at, vlan) in self.vlans.iter().enumerate() {
            objects.push(Object::Vlan(self.vlan(at, vlan)));
        }
        for subnet in &self.subnets {
            objects.push(Object::Subnet(self.subnet(subnet)));
            objects.extend(subnet.ranges.iter().filter_map(|range| {
                Some(Object::Range(IpRange {
                    subnet: subnet.cidr,
                    range: subnet.range(range)?,
                    kind: range.kind,
                    comment: range.comment.clone(),
                }))
            }));
            objects.extend(subnet.routes.iter().map(|route| {
                Object::Route(StaticRoute {
                    source: subnet.cidr,
                    destination: self.subnets[route.to].cidr,
                    gateway: subnet.ip(route.via),
                    metric: route.metric,
                })
            }));
            objects.extend(subnet.reserved.iter().map(|reserved| {
                Object::ReservedIp(ReservedIp {
                    ip: subnet.ip(reserved.at),
                    mac: reserved.mac.clone(),
                    subnet: subnet.cidr,
                    comment: reserved.comment.clone(),
                })
            }));
            objects.extend(subnet.snippets.iter().map(|snippet| {
                Object::Snippet(Snippet {
                    subnet: subnet.cidr,
                    name: snippet.name.clone(),
                    value: snippet.value.clone(),
                    description: String::new(),
                    enabled: snippet.enabled,
                })
            }));
        }
        objects
    }

    fn vlan(&self, at: usize, vlan: &CloudVlan) -> Vlan {
        let rack = |rack: usize| system_id(RACKS[rack]);
        Vlan {
            at: self.at(at),
            name: vlan.name.clone(),
            mtu: vlan.mtu,
            space: vlan.space.map(|space| self.spaces[space].clone()),
            dhcp_on: vlan.dhcp,
            primary_rack: vlan.primary.map(rack),
            secondary_rack: vlan.secondary.map(rack),
            relay: vlan.relay.map(|to| self.at(to)),
        }
    }

    fn subnet(&self, subnet: &CloudSubnet) -> Subnet {
        Subnet {
            cidr: subnet.cidr,
            name: subnet.name.clone(),
            vlan: self.at(subnet.vlan),
            gateway: subnet.gateway.map(|gateway| match gateway {
                Gateway::At(offset) => subnet.ip(offset),
                Gateway::LinkLocal(ip) => ip,
            }),
            dns: subnet
                .dns
                .iter()
                .map(|resolver| self.resolver(*resolver))
                .collect(),
            flags: subnet.flags,
            description: subnet.description.clone(),
            disabled_boot_architectures: subnet.architectures.iter().cloned().collect(),
        }
    }

    fn resolver(&self, resolver: Resolver) -> std::net::IpAddr {
        match resolver {
            Resolver::Of(subnet, offset) => self.subnets[subnet].ip(offset),
            Resolver::Elsewhere(ip) => ip,
        }
    }

    /// The network as read from MAAS.
    pub fn observed(&self) -> Observed {
        let mut objects = self.objects();
        let mut observed = Observed {
            at: Timestamp(0),
            version: MaasVersion::read(self.version),
            objects: BTreeMap::new(),
            default_vlans: Vec::new(),
            nodes: BTreeMap::new(),
            all_nodes: true,
            occupants: self
                .subnets
                .iter()
                .map(|subnet| (subnet.cidr, Vec::new()))
                .collect(),
            loose_snippets: Some(Vec::new()),
            elsewhere: Some(Vec::new()),
            settings: Some(Vec::new()),
            all_spaces: true,
            blind: Vec::new(),
        };
        for (at, vlan) in self.vlans.iter().enumerate() {
            if vlan.default {
                observed.default_vlans.push(self.at(at));
            }
            for rack in RACKS.iter().filter(|_| vlan.racked) {
                objects.push(nic(rack, &format!("eth{at}"), self.at(at)));
            }
        }
        for rack in RACKS {
            observed
                .nodes
                .extend([node(rack, NodeKind::Controller, "Deployed")]);
        }
        for subnet in &self.subnets {
            if let Some(machine) = &subnet.machine {
                let status = if machine.at.is_some() {
                    "Deployed"
                } else {
                    "Ready"
                };
                observed
                    .nodes
                    .extend([node(&machine.host, NodeKind::Machine, status)]);
                objects.push(nic(&machine.host, "eth0", self.at(subnet.vlan)));
                objects.push(link(subnet, machine));
                observed
                    .occupants
                    .insert(subnet.cidr, vec![occupant(subnet, machine)]);
            }
        }
        observed.objects = numbered(objects);
        observed
    }

    /// The declaration that changes `before` into this. Unchanged fields are sometimes left alone.
    pub fn declared(&self, before: &Self, rng: &mut SeededRng) -> Topology {
        let mut topology = Topology {
            tree: "tree".to_owned(),
            spaces: self.spaces.iter().cloned().collect(),
            ..Topology::default()
        };
        for (at, vlan) in self.vlans.iter().enumerate() {
            if vlan.declared {
                let plane = self.plane(before, at, rng);
                topology.planes.insert(plane.key.clone(), plane);
            }
        }
        topology
    }

    fn plane(&self, before: &Self, at: usize, rng: &mut SeededRng) -> Plane {
        let vlan = &self.vlans[at];
        let old = before.vlans.get(at);
        let host = |rack: usize| RACKS[rack].to_owned();
        let dhcp = match (vlan.relay, vlan.dhcp) {
            (Some(to), _) => Dhcp::Relay(self.at(to)),
            (None, false) => Dhcp::Off,
            (None, true) => Dhcp::On {
                primary: vlan.primary.map(host),
                secondary: vlan.secondary.map(host),
            },
        };
        let stays = old.is_some_and(|old| self.at(at) == before.at(at) && old == vlan);
        let alone = |rng: &mut SeededRng| stays && rng.chance(20);
        // A relay's target is recognised by its subnets; if it has none and moves, it cannot be recognised.
        let leads_there = vlan.relay.is_none_or(|to| {
            let known = to < before.vlans.len();
            known && (self.at(to) == before.at(to) || before.subnets_on(to).next().is_some())
        });
        let key = format!("plane-{at}");
        Plane {
            description: String::new(),
            vlan: self.at(at),
            vlan_name: vlan.name.clone().filter(|_| !alone(rng)),
            space: Some(vlan.space.map(|space| self.spaces[space].clone()))
                .filter(|_| self.spaces != before.spaces || !alone(rng)),
            mtu: Some(vlan.mtu).filter(|_| !alone(rng)),
            dhcp: Some(dhcp).filter(|_| !(alone(rng) && leads_there)),
            strategy: vlan.strategy,
            adopt: false,
            subnets: self
                .subnets_on(at)
                .map(|subnet| self.plane_subnet(before, subnet, rng))
                .collect(),
            key,
        }
    }

    fn plane_subnet(&self, before: &Self, at: usize, rng: &mut SeededRng) -> PlaneSubnet {
        let subnet = &self.subnets[at];
        let row = self.subnet(subnet);
        let old = before.subnets.get(at);
        let same = old.is_some_and(|old| before.subnet(old) == row);
        let alone = |rng: &mut SeededRng| same && rng.chance(15);
        let reservations = subnet.ranges.iter().filter_map(|range| {
            Some(Reservation {
                name: range.comment.clone(),
                purpose: purpose(range),
                range: subnet.range(range)?,
            })
        });
        let routes = subnet.routes.iter().map(|route| Route {
            destination: self.subnets[route.to].cidr,
            gateway: subnet.ip(route.via),
            metric: route.metric,
        });
        let reserved = subnet.reserved.iter().map(|reserved| HostReservation {
            ip: subnet.ip(reserved.at),
            mac: reserved.mac.clone(),
            comment: reserved.comment.clone(),
        });
        PlaneSubnet {
            cidr: row.cidr,
            name: row.name.clone(),
            gateway: Some(row.gateway).filter(|_| !alone(rng)),
            dns: Some(row.dns.clone()).filter(|_| !alone(rng)),
            reservations: Some(reservations.collect()),
            routes: Some(routes.collect()),
            reserved_ips: self.has_reserved_ips().then(|| reserved.collect()),
            managed: Some(row.flags.managed).filter(|_| !alone(rng)),
            allow_dns: Some(row.flags.allow_dns).filter(|_| !alone(rng)),
            allow_proxy: Some(row.flags.allow_proxy).filter(|_| !alone(rng)),
            active_discovery: Some(row.flags.active_discovery).filter(|_| !alone(rng)),
            rdns_mode: Some(row.flags.rdns_mode).filter(|_| !alone(rng)),
            description: Some(row.description.clone()).filter(|_| !alone(rng)),
            disabled_boot_architectures: self
                .has_architectures()
                .then_some(row.disabled_boot_architectures),
            removed: topology::removed::RemovedEntries::default(),
        }
    }
}

fn purpose(range: &CloudRange) -> Purpose {
    match range.kind {
        RangeKind::Dynamic => Purpose::Dynamic,
        RangeKind::Reserved => Purpose::Vip,
    }
}

pub fn system_id(rack: &str) -> String {
    rack.replace('-', "1")
}

fn node(host: &str, kind: NodeKind, status: &str) -> (String, Node) {
    let node = Node {
        locked: false,
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
        settings: InterfaceSettings::default(),
        host: host.to_owned(),
        name: name.to_owned(),
        kind: InterfaceKind::Physical,
        parents: BTreeSet::new(),
        vlan: Some(vlan),
    })
}

fn link(subnet: &CloudSubnet, machine: &CloudMachine) -> Object {
    Object::Link(Link {
        default_gateway: false,
        host: machine.host.clone(),
        interface: "eth0".to_owned(),
        subnet: subnet.cidr,
        mode: machine
            .at
            .map_or(Mode::Auto, |at| Mode::Static(subnet.ip(at))),
    })
}

fn occupant(subnet: &CloudSubnet, machine: &CloudMachine) -> Occupant {
    Occupant {
        ip: machine.at.map(|at| subnet.ip(at)),
        holder: Holder::Node {
            host: machine.host.clone(),
            kind: NodeKind::Machine,
            interface: Some("eth0".to_owned()),
        },
    }
}

/// Assigns row ids in the order of the list.
pub fn numbered(objects: Vec<Object>) -> BTreeMap<Key, Seen> {
    let rows = objects.into_iter().zip(1..);
    rows.map(|(object, id)| (object.key(), Seen { id, object }))
        .collect()
}
