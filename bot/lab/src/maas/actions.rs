//! What people and machines do to a MAAS outside the API that planebot uses: deploy, release, commission, unlink.

use std::net::IpAddr;

use ipnet::IpNet;

use super::store::{AllocType, LabMaas, NodeType, StoredAddress, StoredInterface};

impl LabMaas {
    /// Deploys a machine: AUTO links get an address.
    pub fn deploy(&mut self, hostname: &str) {
        let Some(id) = self
            .node_by_host(hostname)
            .map(|node| node.system_id.clone())
        else {
            return;
        };
        let waiting = self.waiting_links(&id);
        for (row, subnet) in waiting {
            let ip = self.free_address(subnet);
            if let Some(row) = self.addresses.get_mut(&row) {
                row.ip = ip;
            }
        }
        self.set_status(hostname, "Deployed");
        if let Some(node) = self.nodes.get_mut(&id) {
            node.owner = Some("admin".to_owned());
            "ubuntu".clone_into(&mut node.osystem);
            node.power_on = true;
        }
    }

    /// Releases a machine: AUTO links lose their address, STATIC links stay.
    pub fn release(&mut self, hostname: &str) {
        if let Some(id) = self
            .node_by_host(hostname)
            .map(|node| node.system_id.clone())
        {
            if let Some(node) = self.nodes.get_mut(&id) {
                node.commissioned = true;
            }
            self.free_machine(&id);
        }
    }

    /// Sets a machine's status, by MAAS's `status_name`.
    pub fn set_status(&mut self, hostname: &str, status: &str) {
        for node in self
            .nodes
            .values_mut()
            .filter(|node| node.hostname == hostname)
        {
            status.clone_into(&mut node.status);
        }
    }

    /// Removes a machine's links on a network, as `unlink_subnet` does, and returns how many.
    pub fn unlink_all(&mut self, hostname: &str, cidr: &str) -> usize {
        let net: Option<IpNet> = cidr.parse().ok();
        let subnet = self
            .subnets
            .values()
            .find(|subnet| Some(subnet.cidr) == net)
            .map(|subnet| subnet.id);
        let Some(id) = self
            .node_by_host(hostname)
            .map(|node| node.system_id.clone())
        else {
            return 0;
        };
        let interfaces: Vec<u64> = self
            .interfaces_of(&id)
            .map(|interface| interface.id)
            .collect();
        let removed: Vec<(u64, u64)> = self
            .addresses
            .values()
            .filter(|row| subnet.is_some() && row.subnet == subnet)
            .filter_map(|row| Some((row.id, row.interface?)))
            .filter(|(_, interface)| interfaces.contains(interface))
            .collect();
        for (row, interface) in &removed {
            self.remove_address(*row);
            self.ensure_link_up(*interface);
        }
        removed.len()
    }

    /// Commissions a machine. Only an AUTO link on the boot interface remains (seen on 3.5.12 and 3.7.3).
    pub fn commission(&mut self, hostname: &str) {
        let Some(node) = self.node_by_host(hostname).cloned() else {
            return;
        };
        self.reset_networking(&node.system_id);
        if let Some(node) = self.nodes.get_mut(&node.system_id) {
            node.commissioned = true;
        }
        self.set_status(hostname, "Ready");
    }

    /// A controller reports that an interface lost an address: the link stays, without an address.
    pub fn remove_controller_address(&mut self, hostname: &str, ip: &str) {
        let ip: Option<IpAddr> = ip.parse().ok();
        let Some(id) = self
            .node_by_host(hostname)
            .map(|node| node.system_id.clone())
        else {
            return;
        };
        let interfaces: Vec<u64> = self
            .interfaces_of(&id)
            .map(|interface| interface.id)
            .collect();
        let rows: Vec<(u64, u64)> = self
            .addresses
            .values()
            .filter(|row| row.ip == ip)
            .filter_map(|row| Some((row.id, row.interface?)))
            .filter(|(_, interface)| interfaces.contains(interface))
            .collect();
        for (row, interface) in rows {
            self.remove_address(row);
            self.ensure_link_up(interface);
        }
    }

    /// Changes one of MAAS's settings, as an administrator would.
    pub fn configure(&mut self, name: &str, value: &str) {
        self.config
            .insert(name.to_owned(), serde_json::json!(value));
    }

    /// A rack discovers a neighbour on the network.
    pub fn add_neighbour(&mut self, ip: IpAddr, mac: &str) {
        self.neighbours.push((ip, mac.to_owned()));
    }

    /// Adds a user-reserved address in no subnet, which MAAS keeps after a subnet changed its CIDR.
    pub fn add_orphan_address(&mut self, ip: IpAddr, user: &str) {
        self.add_address(StoredAddress {
            id: 0,
            ip: Some(ip),
            alloc: AllocType::UserReserved,
            subnet: None,
            user: Some(user.to_owned()),
            interface: None,
            unknown: None,
            bmc_of: None,
        });
    }

    pub fn machines(&self) -> Vec<String> {
        self.nodes
            .values()
            .filter(|node| node.kind == NodeType::Machine)
            .map(|node| node.hostname.clone())
            .collect()
    }
}

impl LabMaas {
    /// Removes all addresses and links on a network: those of controllers if `controllers`, else all others. BMC addresses
    /// stay.
    pub fn vacate(&mut self, cidr: &str, controllers: bool) {
        self.leave(cidr, None, controllers);
    }

    /// Removes the addresses on a network, and their links, that lie outside of `keeping`.
    pub fn vacate_outside(&mut self, cidr: &str, keeping: &str, controllers: bool) {
        self.leave(cidr, keeping.parse().ok(), controllers);
    }

    fn leave(&mut self, cidr: &str, keeping: Option<IpNet>, controllers: bool) {
        let net: Option<IpNet> = cidr.parse().ok();
        let subnet = self
            .subnets
            .values()
            .find(|subnet| Some(subnet.cidr) == net)
            .map(|subnet| subnet.id);
        let Some(subnet) = subnet else { return };
        let of_controller = |interface: Option<u64>| {
            let node = interface
                .and_then(|id| self.interfaces.get(&id))
                .and_then(|row| self.nodes.get(&row.node));
            node.is_some_and(|node| {
                matches!(
                    node.kind,
                    NodeType::Rack | NodeType::Region | NodeType::RegionRack
                )
            })
        };
        let removed: Vec<(u64, Option<u64>)> = self
            .addresses
            .values()
            .filter(|row| row.subnet == Some(subnet) && row.bmc_of.is_none())
            .filter(|row| of_controller(row.interface) == controllers)
            .filter(|row| {
                keeping.is_none_or(|keeping| row.ip.is_some_and(|ip| !keeping.contains(&ip)))
            })
            .map(|row| (row.id, row.interface))
            .collect();
        for (row, interface) in removed {
            self.remove_address(row);
            if let Some(interface) = interface {
                self.ensure_link_up(interface);
            }
        }
    }

    /// Removes an interface of that node, with what stands on it.
    pub fn detach(&mut self, host: &str, name: &str) {
        let node = self.nodes.values().find(|node| node.hostname == host);
        let Some(node) = node.map(|node| node.system_id.clone()) else {
            return;
        };
        let row = self
            .interfaces
            .values()
            .find(|row| row.node == node && row.name == name);
        if let Some(id) = row.map(|row| row.id) {
            self.remove_interface(id);
        }
    }

    /// A rack gets an address on a network and reports it: on an interface in its VLAN, else on a new one.
    pub fn add_rack_address(&mut self, cidr: &str) {
        let net: Option<IpNet> = cidr.parse().ok();
        let subnet = self
            .subnets
            .values()
            .find(|subnet| Some(subnet.cidr) == net);
        let Some((id, vlan)) = subnet.map(|subnet| (subnet.id, subnet.vlan)) else {
            return;
        };
        let racks: Vec<String> = self
            .nodes
            .values()
            .filter(|node| matches!(node.kind, NodeType::Rack | NodeType::RegionRack))
            .map(|node| node.system_id.clone())
            .collect();
        let there = self
            .interfaces
            .values()
            .find(|row| racks.contains(&row.node) && row.vlan == Some(vlan))
            .map(|row| row.id);
        let interface = there.or_else(|| Some(self.add_interface(racks.first()?, vlan)));
        if let (Some(interface), Some(ip)) = (interface, self.manual_address(id)) {
            self.add_link(interface, AllocType::Sticky, Some(id), Some(ip));
        }
    }

    /// Adds an interface to a node, in a VLAN.
    fn add_interface(&mut self, node: &str, vlan: u64) -> u64 {
        let id = self.next("interface");
        let name = format!("added{id}");
        let mac = format!("52:54:00:ad:{:02x}:{:02x}", (id >> 8) & 0xff, id & 0xff);
        self.interfaces.insert(
            id,
            StoredInterface {
                id,
                vlan: Some(vlan),
                ..StoredInterface::new(node, &name, "physical", &mac)
            },
        );
        id
    }

    /// Whether two MAAS have the same rows. Requests and settings do not count.
    pub fn same_rows(&self, other: &Self) -> bool {
        self.fabrics == other.fabrics
            && self.spaces == other.spaces
            && self.vlans == other.vlans
            && self.subnets == other.subnets
            && self.ranges == other.ranges
            && self.routes == other.routes
            && self.reserved == other.reserved
            && self.addresses == other.addresses
            && self.dns == other.dns
            && self.snippets == other.snippets
            && self.nodes == other.nodes
            && self.interfaces == other.interfaces
    }
}
