//! Nodes as the API shows them: machines, devices and controllers.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::BASE;
use crate::maas::answer::ApiCaller;
use crate::maas::store::{AllocType, LabMaas, NodeType, StoredInterface, StoredNode};
use crate::maas::version::Version;

impl LabMaas {
    pub(crate) fn show_node(&self, node: &StoredNode) -> Value {
        let (folder, kind) = match node.kind {
            NodeType::Machine => ("machines", "Machine"),
            NodeType::Device => ("devices", "Device"),
            NodeType::Rack => ("rackcontrollers", "Rack controller"),
            NodeType::Region => ("regioncontrollers", "Region controller"),
            NodeType::RegionRack => ("rackcontrollers", "Region and rack controller"),
        };
        let interfaces: Vec<&StoredInterface> = self.interfaces_of(&node.system_id).collect();
        let ips: Vec<Value> = interfaces
            .iter()
            .flat_map(|interface| self.links_of(interface.id))
            .filter_map(|link| link.ip)
            .map(|ip| json!(ip))
            .collect();
        let mut shown = json!({
            "hostname": node.hostname, "fqdn": format!("{}.maas", node.hostname), "system_id": node.system_id,
            "node_type": node.kind as u8, "node_type_name": kind, "owner": node.owner, "ip_addresses": ips,
            "domain": self.show_domain(), "zone": self.show_zone(), "tag_names": [], "description": "",
            "interface_set": interfaces.iter().map(|interface| self.show_interface(interface)).collect::<Vec<_>>(),
            "resource_uri": format!("{BASE}/{folder}/{}/", node.system_id),
        });
        if node.kind != NodeType::Device {
            shown["power_type"] = json!(node.power_type);
        }
        if node.kind == NodeType::Machine {
            shown["status_name"] = json!(node.status);
            shown["status"] = json!(status_number(&node.status));
            shown["locked"] = json!(node.locked);
            shown["pool"] = self.show_pool();
            shown["osystem"] = json!(node.osystem);
            shown["default_gateways"] = self.show_gateways(node);
            shown["boot_interface"] = json!(
                node.boot_interface
                    .and_then(|id| self.interfaces.get(&id))
                    .map(|interface| self.show_interface(interface))
            );
        }
        shown
    }

    pub(crate) fn show_gateways(&self, node: &StoredNode) -> Value {
        let one = |link: Option<u64>, v4: bool| {
            let chosen = link
                .and_then(|id| self.addresses.get(&id))
                .and_then(|address| address.subnet)
                .and_then(|subnet| self.subnets[&subnet].gateway);
            let gateway = chosen.or_else(|| self.guessed_gateway(node, v4));
            json!({"gateway_ip": gateway, "link_id": chosen.and(link)})
        };
        json!({"ipv4": one(node.gateway_v4, true), "ipv6": one(node.gateway_v6, false)})
    }

    /// The gateway if none was chosen. VLANs with DHCP come first, then bonds and bridges, the boot interface, physical
    /// interfaces; static links before automatic ones (3.5.9 maasserver/models/node.py, `get_best_guess_for_default_gateways`).
    pub(crate) fn guessed_gateway(&self, node: &StoredNode, v4: bool) -> Option<IpAddr> {
        let rows = self.interfaces_of(&node.system_id).flat_map(|interface| {
            self.links_of(interface.id)
                .filter(|link| link.alloc != AllocType::Discovered)
                .map(move |link| (interface, link))
        });
        let ranked = rows.filter_map(|(interface, link)| {
            let subnet = &self.subnets[&link.subnet?];
            let gateway = subnet.gateway.filter(|ip| ip.is_ipv4() == v4)?;
            let kind = match interface.kind.as_str() {
                "bond" | "bridge" => 0,
                _ if node.boot_interface == Some(interface.id) => 1,
                "physical" => 2,
                _ => 3,
            };
            let link_kind = match link.alloc {
                AllocType::Sticky => 0,
                AllocType::UserReserved => 1,
                AllocType::Auto | AllocType::Dhcp | AllocType::Discovered => 2,
            };
            let unserved = !self.vlans[&subnet.vlan].dhcp_on;
            Some(((unserved, kind, link_kind, interface.id), gateway))
        });
        ranked
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, gateway)| gateway)
    }

    pub(crate) fn show_nodes(&self, kind: NodeType, caller: &ApiCaller) -> Value {
        self.nodes
            .values()
            .filter(|node| node.kind == kind && Self::may_see(caller, node))
            .map(|node| self.show_node(node))
            .collect()
    }

    pub(crate) fn show_all_nodes(&self, caller: &ApiCaller) -> Value {
        self.nodes
            .values()
            .filter(|node| Self::may_see(caller, node))
            .map(|node| self.show_node(node))
            .collect()
    }

    pub(crate) fn show_controllers(&self, racks: bool, caller: &ApiCaller) -> Value {
        self.nodes
            .values()
            .filter(|node| Self::may_see(caller, node))
            .filter(|node| match node.kind {
                NodeType::RegionRack => true,
                NodeType::Rack => racks,
                NodeType::Region => !racks,
                NodeType::Machine | NodeType::Device => false,
            })
            .map(|node| {
                let mut shown = self.show_node(node);
                shown["version"] = json!(Version::text(&self.version));
                shown
            })
            .collect()
    }
}

/// MAAS's number of a machine status (src/maascommon/enums/node.py).
pub(crate) fn status_number(name: &str) -> u8 {
    const NAMES: [&str; 23] = [
        "New",
        "Commissioning",
        "Failed commissioning",
        "Missing",
        "Ready",
        "Reserved",
        "Deployed",
        "Retired",
        "Broken",
        "Deploying",
        "Allocated",
        "Deployment failed",
        "Releasing",
        "Releasing failed",
        "Disk erasing",
        "Failed disk erasing",
        "Rescue mode",
        "Entering rescue mode",
        "Failed to enter rescue mode",
        "Exiting rescue mode",
        "Failed to exit rescue mode",
        "Testing",
        "Failed testing",
    ];
    let place = NAMES.iter().position(|known| *known == name).unwrap_or(0);
    u8::try_from(place).unwrap_or(0)
}
