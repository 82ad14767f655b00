//! Nodes as the API shows them: machines, devices and controllers.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::BASE;
use crate::maas::store::{AllocType, LabMaas, NodeType, StoredInterface, StoredNode};

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
            "hostname": node.hostname, "fqdn": self.fqdn(node), "system_id": node.system_id,
            "node_type": node.kind as u8, "node_type_name": kind, "owner": node.owner, "ip_addresses": ips,
            "domain": self.show_domain(node.domain), "zone": self.show_zone(), "tag_names": [], "description": node.description,
            "interface_set": interfaces.iter().map(|interface| self.show_interface(interface)).collect::<Vec<_>>(),
            "resource_uri": format!("{BASE}/{folder}/{}/", node.system_id),
        });
        if node.kind != NodeType::Device {
            shown["power_type"] = json!(node.power_type);
        }
        if node.kind.is_controller() {
            shown["version"] = json!(self.version.text());
        }
        if node.kind == NodeType::Machine {
            shown["status_name"] = json!(node.status);
            shown["status"] = json!(status_number(&node.status));
            shown["locked"] = json!(node.locked);
            shown["pool"] = self.show_pool();
            shown["osystem"] = json!(node.osystem);
            shown["distro_series"] = json!(node.distro_series);
            shown["power_state"] = json!(node.power_state());
            shown["default_gateways"] = self.show_gateways(node);
            shown["boot_interface"] = json!(
                node.boot_interface
                    .and_then(|id| self.interfaces.get(&id))
                    .or_else(|| interfaces.first().copied())
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
            json!({"gateway_ip": gateway, "link_id": link})
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

    /// The host name with its domain.
    pub(crate) fn fqdn(&self, node: &StoredNode) -> String {
        format!("{}.{}", node.hostname, self.domains[&node.domain].name)
    }
}

/// MAAS's machine statuses by number (src/maascommon/enums/node.py).
const STATUSES: [&str; 23] = [
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

/// MAAS's number of a machine status.
pub(crate) fn status_number(name: &str) -> u8 {
    let place = STATUSES
        .iter()
        .position(|known| *known == name)
        .unwrap_or(0);
    u8::try_from(place).unwrap_or(0)
}

/// The status with this number.
pub(crate) fn status_name(number: u8) -> Option<&'static str> {
    STATUSES.get(usize::from(number)).copied()
}
