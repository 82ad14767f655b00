//! Loading a layout in the neutral JSON: what a real MAAS cannot hold is an error that names the place.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

use super::store::{
    Address, Alloc, Interface, IpRange, Maas, Node, NodeType, RangeType, ReservedIp, Route, Subnet,
    made_up,
};

/// Why a layout cannot be a MAAS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {why}")]
pub struct LoadError {
    /// The place in the JSON, as `fabrics[0].vlans[1].subnets[0].cidr`.
    pub place: String,
    /// What is wrong there.
    pub why: String,
}

fn wrong(place: impl Into<String>, why: impl Into<String>) -> LoadError {
    LoadError {
        place: place.into(),
        why: why.into(),
    }
}

#[derive(Deserialize)]
struct Layout {
    version: Option<String>,
    fabrics: Vec<FabricIn>,
    #[serde(default)]
    spaces: Vec<String>,
    #[serde(default)]
    machines: Vec<NodeIn>,
    #[serde(default)]
    devices: Vec<NodeIn>,
    #[serde(default)]
    controllers: Vec<NodeIn>,
    #[serde(default)]
    dns_records: Vec<DnsIn>,
    #[serde(default)]
    users: Vec<UserIn>,
}

#[derive(Deserialize)]
struct FabricIn {
    name: String,
    class_type: Option<String>,
    mtu: Option<u32>,
    vlans: Vec<VlanIn>,
}

#[derive(Deserialize)]
struct VlanIn {
    vid: u16,
    name: Option<String>,
    mtu: Option<u32>,
    space: Option<String>,
    #[serde(default)]
    dhcp: bool,
    primary_rack: Option<String>,
    secondary_rack: Option<String>,
    relay: Option<RelayIn>,
    #[serde(default)]
    subnets: Vec<SubnetIn>,
    /// Beyond the format: the fabric's default VLAN although it is not VID 0. Stands before the others.
    #[serde(default)]
    default: bool,
}

#[derive(Deserialize)]
struct RelayIn {
    fabric: String,
    vid: u16,
}

#[derive(Deserialize)]
struct SubnetIn {
    cidr: String,
    name: Option<String>,
    gateway: Option<String>,
    #[serde(default)]
    dns: Vec<IpAddr>,
    managed: Option<bool>,
    allow_dns: Option<bool>,
    allow_proxy: Option<bool>,
    active_discovery: Option<bool>,
    rdns_mode: Option<u8>,
    #[serde(default)]
    disabled_boot_architectures: Vec<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    ranges: Vec<RangeIn>,
    #[serde(default)]
    routes: Vec<RouteIn>,
    #[serde(default)]
    reserved_ips: Vec<ReservedIn>,
    #[serde(default)]
    addresses: Vec<AddressIn>,
}

#[derive(Deserialize)]
struct RangeIn {
    r#type: String,
    start: IpAddr,
    end: IpAddr,
    comment: Option<String>,
    owner: Option<String>,
}

#[derive(Deserialize)]
struct RouteIn {
    destination: String,
    gateway: IpAddr,
    metric: Option<u32>,
}

#[derive(Deserialize)]
struct ReservedIn {
    ip: IpAddr,
    mac: String,
    comment: Option<String>,
}

#[derive(Deserialize)]
struct AddressIn {
    ip: IpAddr,
    kind: String,
    owner: Option<String>,
    mac: Option<String>,
}

#[derive(Deserialize)]
struct NodeIn {
    hostname: String,
    /// Beyond the format: what a rehearsal says, so that VLANs name their racks as the real MAAS does.
    system_id: Option<String>,
    status: Option<String>,
    owner: Option<String>,
    bmc: Option<BmcIn>,
    kind: Option<String>,
    #[serde(default)]
    interfaces: Vec<InterfaceIn>,
}

#[derive(Deserialize)]
struct BmcIn {
    r#type: Option<String>,
    address: Option<IpAddr>,
}

#[derive(Deserialize)]
struct InterfaceIn {
    name: String,
    r#type: Option<String>,
    mac: Option<String>,
    mtu: Option<u32>,
    #[serde(default)]
    parents: Vec<String>,
    fabric: Option<String>,
    vlan: Option<u16>,
    enabled: Option<bool>,
    #[serde(default)]
    links: Vec<LinkIn>,
}

#[derive(Deserialize)]
struct LinkIn {
    subnet: Option<String>,
    mode: String,
    ip: Option<IpAddr>,
    #[serde(default)]
    default_gateway: bool,
}

#[derive(Deserialize)]
struct DnsIn {
    name: String,
    r#type: String,
    data: String,
}

#[derive(Deserialize)]
struct UserIn {
    name: String,
    #[serde(default)]
    admin: bool,
}

impl Maas {
    /// Loads a layout. `version` overrides the layout's; without either it is 3.5.12.
    pub fn load(text: &str, version: Option<&str>) -> Result<Self, LoadError> {
        let layout: Layout =
            serde_json::from_str(text).map_err(|error| wrong("$", error.to_string()))?;
        let version = version.or(layout.version.as_deref()).unwrap_or("3.5.12");
        let mut maas = Self::empty(version);
        for user in &layout.users {
            maas.add_user(&user.name, user.admin);
        }
        maas.load_fabrics(&layout)?;
        for space in &layout.spaces {
            maas.space_named(space);
        }
        maas.load_controllers(&layout.controllers)?;
        maas.load_nodes(&layout.machines, "machines", NodeType::Machine)?;
        maas.load_nodes(&layout.devices, "devices", NodeType::Device)?;
        maas.load_vlan_services(&layout)?;
        maas.load_routes(&layout);
        maas.load_addresses(&layout);
        for record in &layout.dns_records {
            maas.load_record(record);
        }
        Ok(maas)
    }

    fn load_fabrics(&mut self, layout: &Layout) -> Result<(), LoadError> {
        // MAAS names `fabric-N` by row number itself, so such a fabric has that number.
        let numbered: BTreeSet<u64> = layout
            .fabrics
            .iter()
            .filter_map(|fabric| number_of(&fabric.name))
            .collect();
        for (at, fabric) in layout.fabrics.iter().enumerate() {
            let place = format!("fabrics[{at}]");
            if self.fabrics.values().any(|other| other.name == fabric.name) {
                return Err(wrong(
                    format!("{place}.name"),
                    format!("fabric `{}` twice", fabric.name),
                ));
            }
            let id = number_of(&fabric.name).unwrap_or_else(|| {
                loop {
                    let id = self.next("fabric");
                    if !numbered.contains(&id) {
                        break id;
                    }
                }
            });
            let next = self.sequences.entry("fabric").or_insert(1);
            *next = (*next).max(id + 1);
            self.make_fabric_as(id, Some(fabric.name.clone()), fabric.class_type.clone());
            for (number, vlan) in fabric.vlans.iter().enumerate() {
                self.load_vlan(id, fabric, vlan, &format!("{place}.vlans[{number}]"))?;
            }
        }
        Ok(())
    }

    fn load_vlan(
        &mut self,
        fabric: u64,
        home: &FabricIn,
        vlan: &VlanIn,
        place: &str,
    ) -> Result<(), LoadError> {
        let same_vid = self
            .vlans
            .values()
            .find(|row| row.fabric == fabric && row.vid == vlan.vid)
            .map(|row| row.id);
        let known = if vlan.default {
            self.default_vlan(fabric)
        } else {
            same_vid
        };
        let id = match known {
            Some(id) if vlan.vid == 0 || vlan.default => id,
            Some(_) => {
                return Err(wrong(
                    format!("{place}.vid"),
                    format!("VLAN {} twice in fabric `{}`", vlan.vid, home.name),
                ));
            }
            None => self.next("vlan"),
        };
        let space = vlan.space.as_ref().map(|space| self.space_named(space));
        self.vlans.insert(
            id,
            super::store::Vlan {
                id,
                fabric,
                vid: vlan.vid,
                name: vlan.name.clone(),
                mtu: vlan.mtu.or(home.mtu).unwrap_or(1500),
                space,
                dhcp_on: false,
                primary: None,
                secondary: None,
                relay: None,
            },
        );
        for (number, subnet) in vlan.subnets.iter().enumerate() {
            self.load_subnet(id, subnet, &format!("{place}.subnets[{number}]"))?;
        }
        Ok(())
    }

    fn space_named(&mut self, name: &str) -> u64 {
        let known = self
            .spaces
            .values()
            .find(|space| space.name == name)
            .map(|space| space.id);
        known.unwrap_or_else(|| self.make_space(Some(name.to_owned()), ""))
    }

    fn load_subnet(&mut self, vlan: u64, subnet: &SubnetIn, place: &str) -> Result<(), LoadError> {
        let cidr: IpNet = subnet
            .cidr
            .parse()
            .ok()
            .ok_or_else(|| wrong(format!("{place}.cidr"), "no network"))?;
        if cidr.trunc() != cidr {
            return Err(wrong(format!("{place}.cidr"), "host bits are set"));
        }
        for other in self.subnets.values() {
            let overlap = other.cidr.contains(&cidr) || cidr.contains(&other.cidr);
            if other.cidr == cidr {
                return Err(wrong(format!("{place}.cidr"), format!("{cidr} twice")));
            }
            if overlap && self.version.refuses_overlap() {
                return Err(wrong(
                    format!("{place}.cidr"),
                    format!("{cidr} overlaps {}", other.cidr),
                ));
            }
        }
        let id = self.next("subnet");
        self.subnets.insert(
            id,
            Subnet {
                id,
                name: subnet.name.clone().unwrap_or_else(|| subnet.cidr.clone()),
                cidr,
                vlan,
                gateway: read_gateway(subnet, place)?,
                dns: subnet.dns.clone(),
                allow_dns: subnet.allow_dns.unwrap_or(true),
                allow_proxy: subnet.allow_proxy.unwrap_or(true),
                active_discovery: subnet.active_discovery.unwrap_or(false),
                managed: subnet.managed.unwrap_or(true),
                rdns_mode: subnet.rdns_mode.unwrap_or(2),
                description: subnet.description.clone(),
                disabled_boot_architectures: subnet.disabled_boot_architectures.clone(),
            },
        );
        for (number, range) in subnet.ranges.iter().enumerate() {
            let place = format!("{place}.ranges[{number}]");
            let meets = self.ranges.values().any(|other| {
                other.subnet == id && other.start <= range.end && range.start <= other.end
            });
            if meets
                || range.end < range.start
                || !cidr.contains(&range.start)
                || !cidr.contains(&range.end)
            {
                return Err(wrong(
                    place,
                    format!(
                        "range {}-{} meets another, or lies outside",
                        range.start, range.end
                    ),
                ));
            }
            let row = self.next("iprange");
            let kind = if range.r#type == "dynamic" {
                RangeType::Dynamic
            } else {
                RangeType::Reserved
            };
            self.ranges.insert(
                row,
                IpRange {
                    id: row,
                    subnet: id,
                    kind,
                    start: range.start,
                    end: range.end,
                    comment: range.comment.clone().unwrap_or_default(),
                    user: Some(range.owner.clone().unwrap_or_else(|| "admin".to_owned())),
                },
            );
        }
        if self.version.has_reserved_ips() {
            for kept in &subnet.reserved_ips {
                let row = self.next("reservedip");
                let comment = kept.comment.clone().unwrap_or_default();
                self.reserved.insert(
                    row,
                    ReservedIp {
                        id: row,
                        subnet: id,
                        ip: kept.ip,
                        mac: kept.mac.to_lowercase(),
                        comment,
                    },
                );
            }
        }
        Ok(())
    }

    fn load_controllers(&mut self, controllers: &[NodeIn]) -> Result<(), LoadError> {
        for (at, node) in controllers.iter().enumerate() {
            let kind = match node.kind.as_deref() {
                Some("region") => NodeType::Region,
                Some("region+rack" | "rack+region") => NodeType::RegionRack,
                Some(_) | None => NodeType::Rack,
            };
            self.load_node(node, kind, &format!("controllers[{at}]"))?;
        }
        Ok(())
    }

    fn load_nodes(
        &mut self,
        nodes: &[NodeIn],
        list: &str,
        kind: NodeType,
    ) -> Result<(), LoadError> {
        for (at, node) in nodes.iter().enumerate() {
            self.load_node(node, kind, &format!("{list}[{at}]"))?;
        }
        Ok(())
    }

    fn load_node(&mut self, node: &NodeIn, kind: NodeType, place: &str) -> Result<(), LoadError> {
        if self.node_by_host(&node.hostname).is_some() {
            return Err(wrong(
                format!("{place}.hostname"),
                format!("host `{}` twice", node.hostname),
            ));
        }
        let system_id = node
            .system_id
            .clone()
            .unwrap_or_else(|| made_up(&node.hostname, 6).to_lowercase());
        let owner = match kind {
            NodeType::Machine => node.owner.clone().or_else(|| {
                (node.status.as_deref() == Some("Deployed")).then(|| "admin".to_owned())
            }),
            NodeType::Device => Some(node.owner.clone().unwrap_or_else(|| "admin".to_owned())),
            NodeType::Rack | NodeType::Region | NodeType::RegionRack => Some("MAAS".to_owned()),
        };
        let bmc = node.bmc.as_ref().map(|_| self.next("bmc"));
        self.nodes.insert(
            system_id.clone(),
            Node {
                system_id: system_id.clone(),
                hostname: node.hostname.clone(),
                kind,
                status: node.status.clone().unwrap_or_else(|| "Ready".to_owned()),
                owner,
                bmc,
                power_type: node
                    .bmc
                    .as_ref()
                    .and_then(|bmc| bmc.r#type.clone())
                    .unwrap_or_default(),
                locked: false,
                osystem: String::new(),
                boot_interface: None,
                gateway_v4: None,
                gateway_v6: None,
                commissioned: false,
            },
        );
        if let Some(ip) = node.bmc.as_ref().and_then(|bmc| bmc.address) {
            let subnet = self.best_subnet(ip);
            self.add_address(Address {
                id: 0,
                ip: Some(ip),
                alloc: Alloc::Sticky,
                subnet,
                user: None,
                interface: None,
                unknown: None,
                bmc_of: Some(system_id.clone()),
            });
        }
        for (at, interface) in node.interfaces.iter().enumerate() {
            self.load_interface(&system_id, interface, &format!("{place}.interfaces[{at}]"))?;
        }
        let boot = self
            .interfaces_of(&system_id)
            .find(|interface| interface.kind == "physical")
            .map(|interface| interface.id);
        if let Some(row) = self.nodes.get_mut(&system_id) {
            row.boot_interface = boot;
        }
        Ok(())
    }

    fn load_interface(
        &mut self,
        node: &str,
        interface: &InterfaceIn,
        place: &str,
    ) -> Result<(), LoadError> {
        let mut parents = Vec::new();
        for name in &interface.parents {
            let parent = self
                .interfaces_of(node)
                .find(|other| other.name == *name)
                .map(|other| other.id);
            parents.push(parent.ok_or_else(|| {
                wrong(
                    format!("{place}.parents"),
                    format!("no interface `{name}` before this one"),
                )
            })?);
        }
        let id = self.next("interface");
        let vlan = self.vlan_of_interface(interface, &parents);
        let mac = interface
            .mac
            .clone()
            .or_else(|| {
                parents
                    .first()
                    .map(|parent| self.interfaces[parent].mac.clone())
            })
            .unwrap_or_else(|| made_up_mac(node, &interface.name));
        self.interfaces.insert(
            id,
            Interface {
                id,
                node: node.to_owned(),
                name: interface.name.clone(),
                kind: interface
                    .r#type
                    .clone()
                    .unwrap_or_else(|| "physical".to_owned()),
                mac: mac.to_lowercase(),
                vlan,
                parents,
                mtu: interface.mtu,
                enabled: interface.enabled.unwrap_or(true),
                bridge_type: "standard".to_owned(),
                bond_mode: "active-backup".to_owned(),
            },
        );
        for (at, link) in interface.links.iter().enumerate() {
            self.load_link(node, id, link, &format!("{place}.links[{at}]"))?;
        }
        Ok(())
    }

    /// Named, else that of the first link's subnet, else (a VID on) the parent's fabric, else the parent's, else none.
    fn vlan_of_interface(&self, interface: &InterfaceIn, parents: &[u64]) -> Option<u64> {
        let first = interface
            .links
            .iter()
            .find_map(|link| link.subnet.as_ref())
            .and_then(|cidr| cidr.parse::<IpNet>().ok());
        let linked = first
            .and_then(|cidr| self.subnets.values().find(|subnet| subnet.cidr == cidr))
            .map(|subnet| subnet.vlan);
        let inherited = parents
            .first()
            .and_then(|parent| self.interfaces[parent].vlan);
        let on = |fabric: u64, vid: u16| {
            self.vlans
                .values()
                .find(|vlan| vlan.fabric == fabric && vlan.vid == vid)
                .map(|vlan| vlan.id)
        };
        match (&interface.fabric, interface.vlan) {
            (Some(name), vid) => {
                let fabric = self
                    .fabrics
                    .values()
                    .find(|fabric| fabric.name == *name)?
                    .id;
                on(fabric, vid.unwrap_or(0))
            }
            (None, Some(vid)) => {
                let fabric = inherited.map(|vlan| self.vlans[&vlan].fabric);
                let mut named = self.vlans.values().filter(|vlan| vlan.vid == vid);
                let only = match (named.next(), named.next()) {
                    (Some(vlan), None) => Some(vlan.id),
                    _ => None,
                };
                fabric
                    .and_then(|fabric| on(fabric, vid))
                    .or(linked)
                    .or(only)
            }
            (None, None) => linked.or(inherited),
        }
    }

    fn load_link(
        &mut self,
        node: &str,
        interface: u64,
        link: &LinkIn,
        place: &str,
    ) -> Result<(), LoadError> {
        let subnet =
            match &link.subnet {
                None => None,
                Some(text) => {
                    let cidr: Option<IpNet> = text.parse().ok();
                    let found = self
                        .subnets
                        .values()
                        .find(|subnet| Some(subnet.cidr) == cidr)
                        .map(|subnet| subnet.id);
                    Some(found.ok_or_else(|| {
                        wrong(format!("{place}.subnet"), format!("no subnet {text}"))
                    })?)
                }
            };
        if let Some(ip) = link.ip.filter(|ip| self.is_taken(*ip)) {
            return Err(wrong(format!("{place}.ip"), format!("{ip} twice")));
        }
        let alloc = match link.mode.to_uppercase().as_str() {
            "AUTO" => Alloc::Auto,
            "DHCP" => Alloc::Dhcp,
            _ => Alloc::Sticky,
        };
        let id = self.add_link(interface, alloc, subnet, link.ip);
        if link.default_gateway
            && let Some(row) = self.nodes.get_mut(node)
        {
            if link.ip.is_some_and(|ip| ip.is_ipv6()) {
                row.gateway_v6 = Some(id);
            } else {
                row.gateway_v4 = Some(id);
            }
        }
        Ok(())
    }

    /// DHCP, racks and relays, when every VLAN and controller is there.
    fn load_vlan_services(&mut self, layout: &Layout) -> Result<(), LoadError> {
        for (at, fabric) in layout.fabrics.iter().enumerate() {
            for (number, vlan) in fabric.vlans.iter().enumerate() {
                let place = format!("fabrics[{at}].vlans[{number}]");
                let id = self
                    .vlan_at(&fabric.name, vlan.vid)
                    .ok_or_else(|| wrong(&place, "no such VLAN"))?;
                if let Some(relay) = &vlan.relay {
                    let target = self.vlan_at(&relay.fabric, relay.vid);
                    let target = target.ok_or_else(|| {
                        wrong(
                            format!("{place}.relay"),
                            format!("no VLAN {}/{}", relay.fabric, relay.vid),
                        )
                    })?;
                    if let Some(row) = self.vlans.get_mut(&id) {
                        row.relay = Some(target);
                    }
                }
                // A VLAN keeps its rack when DHCP is turned off.
                if vlan.dhcp || vlan.primary_rack.is_some() {
                    self.load_dhcp(id, vlan, &place)?;
                }
            }
        }
        Ok(())
    }

    fn load_dhcp(&mut self, id: u64, vlan: &VlanIn, place: &str) -> Result<(), LoadError> {
        let rack = |name: &String| {
            let node = self.node_by_host(name).map(|node| node.system_id.clone());
            node.ok_or_else(|| {
                wrong(
                    format!("{place}.primary_rack"),
                    format!("no controller `{name}`"),
                )
            })
        };
        let secondary = vlan.secondary_rack.as_ref().map(rack).transpose()?;
        let primary = match vlan.primary_rack.as_ref().map(rack).transpose()? {
            Some(primary) => primary,
            None => self.own_rack(id),
        };
        if let Some(row) = self.vlans.get_mut(&id) {
            row.dhcp_on = vlan.dhcp;
            row.primary = Some(primary);
            row.secondary = secondary;
        }
        Ok(())
    }

    /// The lab's own rack, with an interface on that VLAN and no address.
    fn own_rack(&mut self, vlan: u64) -> String {
        const HOST: &str = "lab-rack";
        let system_id = made_up(HOST, 6).to_lowercase();
        if !self.nodes.contains_key(&system_id) {
            self.nodes.insert(
                system_id.clone(),
                Node {
                    system_id: system_id.clone(),
                    hostname: HOST.to_owned(),
                    kind: NodeType::Rack,
                    status: "Deployed".to_owned(),
                    owner: Some("MAAS".to_owned()),
                    bmc: None,
                    power_type: String::new(),
                    locked: false,
                    osystem: String::new(),
                    boot_interface: None,
                    gateway_v4: None,
                    gateway_v6: None,
                    commissioned: false,
                },
            );
        }
        let name = format!("eth{}", self.interfaces_of(&system_id).count());
        let id = self.next("interface");
        let mac = made_up_mac(&system_id, &name);
        self.interfaces.insert(
            id,
            Interface {
                id,
                node: system_id.clone(),
                name,
                kind: "physical".to_owned(),
                mac,
                vlan: Some(vlan),
                parents: Vec::new(),
                mtu: None,
                enabled: true,
                bridge_type: String::new(),
                bond_mode: String::new(),
            },
        );
        self.ensure_link_up(id);
        system_id
    }

    fn vlan_at(&self, fabric: &str, vid: u16) -> Option<u64> {
        self.vlans
            .values()
            .find(|vlan| vlan.vid == vid && self.fabrics[&vlan.fabric].name == fabric)
            .map(|vlan| vlan.id)
    }

    fn load_routes(&mut self, layout: &Layout) {
        let subnets = layout
            .fabrics
            .iter()
            .flat_map(|fabric| &fabric.vlans)
            .flat_map(|vlan| &vlan.subnets);
        for subnet in subnets {
            for route in &subnet.routes {
                // A destination that is no subnet is information only: MAAS cannot hold it.
                let ends = (
                    self.find_subnet(&subnet.cidr).ok(),
                    self.find_subnet(&route.destination).ok(),
                );
                if let (Some(source), Some(destination)) = ends {
                    let id = self.next("route");
                    let metric = route.metric.unwrap_or(0);
                    self.routes.insert(
                        id,
                        Route {
                            id,
                            source,
                            destination,
                            gateway: route.gateway,
                            metric,
                        },
                    );
                }
            }
        }
    }

    fn load_addresses(&mut self, layout: &Layout) {
        let subnets = layout
            .fabrics
            .iter()
            .flat_map(|fabric| &fabric.vlans)
            .flat_map(|vlan| &vlan.subnets);
        for subnet in subnets {
            let id = self.find_subnet(&subnet.cidr).ok();
            for address in &subnet.addresses {
                let alloc = match address.kind.as_str() {
                    "dhcp" => Alloc::Dhcp,
                    "discovered" => Alloc::Discovered,
                    _ => Alloc::UserReserved,
                };
                let unknown = address.mac.as_ref().map(|mac| self.unknown(mac));
                self.add_address(Address {
                    id: 0,
                    ip: Some(address.ip),
                    alloc,
                    subnet: id,
                    user: Some(address.owner.clone().unwrap_or_else(|| "admin".to_owned())),
                    interface: None,
                    unknown,
                    bmc_of: None,
                });
            }
        }
    }

    fn load_record(&mut self, record: &DnsIn) {
        let mut ids = Vec::new();
        if record.r#type == "A" || record.r#type == "AAAA" {
            for ip in record
                .data
                .split([' ', ','])
                .filter_map(|text| text.parse::<IpAddr>().ok())
            {
                let known = self
                    .addresses
                    .values()
                    .find(|row| row.ip == Some(ip))
                    .map(|row| row.id);
                let subnet = self.best_subnet(ip);
                ids.push(known.unwrap_or_else(|| {
                    self.add_address(Address {
                        id: 0,
                        ip: Some(ip),
                        alloc: Alloc::UserReserved,
                        subnet,
                        user: Some("admin".to_owned()),
                        interface: None,
                        unknown: None,
                        bmc_of: None,
                    })
                }));
            }
        }
        let id = self.add_dns(&record.name, ids);
        if let Some(dns) = self.dns.get_mut(&id).filter(|dns| dns.addresses.is_empty()) {
            dns.records
                .push((record.r#type.clone(), record.data.clone()));
        }
    }
}

fn read_gateway(subnet: &SubnetIn, place: &str) -> Result<Option<IpAddr>, LoadError> {
    let given = subnet.gateway.as_deref().filter(|text| !text.is_empty());
    let read = given.map(|text| {
        let refused = |error| wrong(format!("{place}.gateway"), format!("{text}: {error}"));
        text.parse::<IpAddr>().map_err(refused)
    });
    read.transpose()
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix("fabric-")?.parse().ok()
}

fn made_up_mac(node: &str, interface: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let hash = Sha256::digest(format!("{node}/{interface}").as_bytes());
    format!("52:54:00:{:02x}:{:02x}:{:02x}", hash[0], hash[1], hash[2])
}
