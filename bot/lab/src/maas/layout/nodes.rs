//! Loads machines, devices and controllers with their interfaces, links and addresses; DNS records and other addresses.

use std::net::IpAddr;

use ipnet::IpNet;

use super::format::{LayoutDns, LayoutFile, LayoutInterface, LayoutLink, LayoutNode};
use super::{LoadError, load_error};
use crate::maas::store::{
    AllocType, LabMaas, NodeType, StoredAddress, StoredInterface, StoredNode, StoredRecord,
    generated,
};

/// The mode of a layout's bond that names none: what MAAS's documentation calls its default.
const LAYOUT_BOND_MODE: &str = "active-backup";

impl LabMaas {
    pub(super) fn load_controllers(&mut self, controllers: &[LayoutNode]) -> Result<(), LoadError> {
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

    pub(super) fn load_nodes(
        &mut self,
        nodes: &[LayoutNode],
        list: &str,
        kind: NodeType,
    ) -> Result<(), LoadError> {
        for (at, node) in nodes.iter().enumerate() {
            self.load_node(node, kind, &format!("{list}[{at}]"))?;
        }
        Ok(())
    }

    fn load_node(
        &mut self,
        node: &LayoutNode,
        kind: NodeType,
        place: &str,
    ) -> Result<(), LoadError> {
        if self.node_by_host(&node.hostname).is_some() {
            return Err(load_error(
                format!("{place}.hostname"),
                format!("duplicate host `{}`", node.hostname),
            ));
        }
        let system_id = node
            .system_id
            .clone()
            .unwrap_or_else(|| generated(&node.hostname, 6).to_lowercase());
        let owner = match kind {
            NodeType::Machine => node.owner.clone().or_else(|| {
                (node.status.as_deref() == Some("Deployed")).then(|| "admin".to_owned())
            }),
            NodeType::Device => Some(node.owner.clone().unwrap_or_else(|| "admin".to_owned())),
            NodeType::Rack | NodeType::Region | NodeType::RegionRack => Some("MAAS".to_owned()),
        };
        let bmc = node.bmc.as_ref().map(|_| self.next("bmc"));
        let number = self.next("node");
        let status = node.status.clone().unwrap_or_else(|| "Ready".to_owned());
        self.nodes.insert(
            system_id.clone(),
            StoredNode {
                number,
                status: status.clone(),
                power_on: status == "Deployed",
                owner,
                bmc,
                power_type: node
                    .bmc
                    .as_ref()
                    .and_then(|bmc| bmc.r#type.clone())
                    .unwrap_or_default(),
                ..StoredNode::new(&system_id, &node.hostname, kind)
            },
        );
        if let Some(ip) = node.bmc.as_ref().and_then(|bmc| bmc.address) {
            let subnet = self.best_subnet(ip);
            self.add_address(StoredAddress {
                id: 0,
                ip: Some(ip),
                alloc: AllocType::Sticky,
                subnet,
                user: None,
                interface: None,
                unknown: None,
                bmc_of: Some(system_id.clone()),
            });
        }
        self.load_interfaces(&system_id, &node.interfaces, place)?;
        let boot = self
            .interfaces_of(&system_id)
            .find(|interface| interface.kind == "physical")
            .map(|interface| interface.id);
        if let Some(row) = self.nodes.get_mut(&system_id) {
            row.boot_interface = boot;
        }
        Ok(())
    }

    /// Interfaces may be in any order in the file: each is loaded when its parents are.
    fn load_interfaces(
        &mut self,
        node: &str,
        interfaces: &[LayoutInterface],
        place: &str,
    ) -> Result<(), LoadError> {
        let mut waiting: Vec<(usize, &LayoutInterface)> = interfaces.iter().enumerate().collect();
        while !waiting.is_empty() {
            let loaded = |name: &String| self.interfaces_of(node).any(|row| row.name == *name);
            let ready = |interface: &LayoutInterface| interface.parents.iter().all(loaded);
            let Some(next) = waiting.iter().position(|(_, interface)| ready(interface)) else {
                let (at, interface) = waiting[0];
                let absent = interface.parents.iter().find(|name| !loaded(name));
                let known = |name: &&String| interfaces.iter().any(|other| other.name == **name);
                let why = match absent {
                    Some(name) if known(&name) => {
                        format!("`{name}` stands on this interface or on itself")
                    }
                    Some(name) => format!("no interface `{name}`"),
                    None => String::new(),
                };
                return Err(load_error(format!("{place}.interfaces[{at}].parents"), why));
            };
            let (at, interface) = waiting.remove(next);
            let place = format!("{place}.interfaces[{at}]");
            if loaded(&interface.name) {
                let why = format!("duplicate interface `{}`", interface.name);
                return Err(load_error(format!("{place}.name"), why));
            }
            self.load_interface(node, interface, &place)?;
        }
        Ok(())
    }

    fn load_interface(
        &mut self,
        node: &str,
        interface: &LayoutInterface,
        place: &str,
    ) -> Result<(), LoadError> {
        let mut parents: Vec<u64> = self
            .interfaces_of(node)
            .filter(|row| interface.parents.contains(&row.name))
            .map(|row| row.id)
            .collect();
        // The first one named gives MAC and VLAN.
        parents.sort_by_key(|id| {
            let name = &self.interfaces[id].name;
            interface.parents.iter().position(|parent| parent == name)
        });
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
            .unwrap_or_else(|| generated_mac(node, &interface.name));
        let kind = interface.r#type.as_deref().unwrap_or("physical");
        let mut row = StoredInterface {
            id,
            vlan,
            parents,
            enabled: interface.enabled.unwrap_or(true),
            ..StoredInterface::new(node, &interface.name, kind, &mac.to_lowercase())
        };
        if let Some(mtu) = interface.mtu {
            row.params.insert("mtu".to_owned(), mtu.into());
        }
        if kind == "bond" {
            let mode = interface.bond_mode.as_deref().unwrap_or(LAYOUT_BOND_MODE);
            row.params.insert("bond_mode".to_owned(), mode.into());
        }
        row.params.extend(interface.params.clone());
        row.tags.clone_from(&interface.tags);
        self.interfaces.insert(id, row);
        for (at, link) in interface.links.iter().enumerate() {
            self.load_link(node, id, link, &format!("{place}.links[{at}]"))?;
        }
        Ok(())
    }

    /// The named VLAN; else that of the first link's subnet; else, for a VID, the one on the parent's fabric; else the
    /// parent's.
    fn vlan_of_interface(&self, interface: &LayoutInterface, parents: &[u64]) -> Option<u64> {
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
        link: &LayoutLink,
        place: &str,
    ) -> Result<(), LoadError> {
        let subnet = match &link.subnet {
            None => None,
            Some(text) => {
                let cidr: Option<IpNet> = text.parse().ok();
                let found = self
                    .subnets
                    .values()
                    .find(|subnet| Some(subnet.cidr) == cidr)
                    .map(|subnet| subnet.id);
                Some(found.ok_or_else(|| {
                    load_error(format!("{place}.subnet"), format!("no subnet {text}"))
                })?)
            }
        };
        if let Some(ip) = link.ip.filter(|ip| self.is_taken(*ip)) {
            return Err(load_error(
                format!("{place}.ip"),
                format!("duplicate address {ip}"),
            ));
        }
        let alloc = match link.mode.to_uppercase().as_str() {
            "AUTO" => AllocType::Auto,
            "DHCP" => AllocType::Dhcp,
            _ => AllocType::Sticky,
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

    /// The lab's own rack, with an interface without address in a VLAN.
    pub(super) fn own_rack(&mut self, vlan: u64) -> String {
        const HOST: &str = "lab-rack";
        let system_id = generated(HOST, 6).to_lowercase();
        if !self.nodes.contains_key(&system_id) {
            let number = self.next("node");
            self.nodes.insert(
                system_id.clone(),
                StoredNode {
                    number,
                    status: "Deployed".to_owned(),
                    owner: Some("MAAS".to_owned()),
                    ..StoredNode::new(&system_id, HOST, NodeType::Rack)
                },
            );
        }
        let name = format!("eth{}", self.interfaces_of(&system_id).count());
        let id = self.next("interface");
        let mac = generated_mac(&system_id, &name);
        self.interfaces.insert(
            id,
            StoredInterface {
                id,
                vlan: Some(vlan),
                ..StoredInterface::new(&system_id, &name, "physical", &mac)
            },
        );
        self.ensure_link_up(id);
        system_id
    }

    pub(super) fn load_addresses(&mut self, layout: &LayoutFile) {
        let subnets = layout
            .fabrics
            .iter()
            .flat_map(|fabric| &fabric.vlans)
            .flat_map(|vlan| &vlan.subnets);
        for subnet in subnets {
            let id = self.find_subnet(&subnet.cidr).ok();
            for address in &subnet.addresses {
                let alloc = match address.kind.as_str() {
                    "dhcp" => AllocType::Dhcp,
                    "discovered" => AllocType::Discovered,
                    _ => AllocType::UserReserved,
                };
                let unknown = address.mac.as_ref().map(|mac| self.unknown(mac));
                self.add_address(StoredAddress {
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

    pub(super) fn load_record(&mut self, record: &LayoutDns) {
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
                    self.add_address(StoredAddress {
                        id: 0,
                        ip: Some(ip),
                        alloc: AllocType::UserReserved,
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
        let row = StoredRecord {
            id: self.next("dnsdata"),
            kind: record.r#type.clone(),
            data: record.data.clone(),
            ttl: None,
        };
        if let Some(dns) = self.dns.get_mut(&id).filter(|dns| dns.addresses.is_empty()) {
            dns.records.push(row);
        }
    }
}

fn generated_mac(node: &str, interface: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let hash = Sha256::digest(format!("{node}/{interface}").as_bytes());
    format!("52:54:00:{:02x}:{:02x}:{:02x}", hash[0], hash[1], hash[2])
}
