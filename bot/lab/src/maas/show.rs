//! How rows look in the API.

mod node;

pub(crate) use node::{status_name, status_number};

use serde_json::{Value, json};

use super::store::{
    AllocType, LabMaas, StoredAddress, StoredInterface, StoredRange, UnknownInterface,
};

const BASE: &str = "/MAAS/api/2.0";

impl LabMaas {
    pub(crate) fn show_fabric(&self, id: u64) -> Value {
        let fabric = &self.fabrics[&id];
        let vlans: Vec<Value> = self
            .vlans
            .values()
            .filter(|vlan| vlan.fabric == id)
            .map(|vlan| self.show_vlan(vlan.id))
            .collect();
        json!({
            "class_type": fabric.class_type, "vlans": vlans, "id": id, "name": fabric.name,
            "resource_uri": format!("{BASE}/fabrics/{id}/"),
        })
    }

    pub(crate) fn show_vlan(&self, id: u64) -> Value {
        let vlan = &self.vlans[&id];
        let name = if self.default_vlan(vlan.fabric) == Some(id) {
            Some("untagged".to_owned())
        } else {
            vlan.name.clone()
        };
        json!({
            "vid": vlan.vid, "mtu": vlan.mtu, "dhcp_on": vlan.dhcp_on, "external_dhcp": null,
            "relay_vlan": vlan.relay.map(|relay| self.show_vlan(relay)), "fabric": self.fabrics[&vlan.fabric].name,
            "space": self.space_name_of(id), "id": id, "secondary_rack": vlan.secondary, "primary_rack": vlan.primary,
            "fabric_id": vlan.fabric, "name": name, "resource_uri": format!("{BASE}/vlans/{id}/"),
        })
    }

    fn space_name_of(&self, vlan: u64) -> String {
        self.vlans[&vlan]
            .space
            .and_then(|space| self.spaces.get(&space))
            .map_or_else(|| "undefined".to_owned(), |space| space.name.clone())
    }

    pub(crate) fn show_space(&self, id: u64) -> Value {
        let space = &self.spaces[&id];
        json!({
            "description": space.description, "vlans": self.vlans_in(Some(id)), "resource_uri": format!("{BASE}/spaces/{id}/"),
            "id": id, "subnets": self.subnets_in(Some(id)), "name": space.name,
        })
    }

    pub(crate) fn show_undefined_space(&self) -> Value {
        json!({
            "description": "Backward compatibility object to ensure objects not associated with a space can be found.",
            "vlans": self.vlans_in(None), "resource_uri": format!("{BASE}/spaces/undefined/"),
            "id": -1, "subnets": self.subnets_in(None), "name": "undefined",
        })
    }

    fn vlans_in(&self, space: Option<u64>) -> Vec<Value> {
        self.vlans
            .values()
            .filter(|vlan| vlan.space == space)
            .map(|vlan| self.show_vlan(vlan.id))
            .collect()
    }

    fn subnets_in(&self, space: Option<u64>) -> Vec<Value> {
        self.subnets
            .values()
            .filter(|subnet| self.vlans[&subnet.vlan].space == space)
            .map(|subnet| self.show_subnet(subnet.id))
            .collect()
    }

    pub(crate) fn show_subnet(&self, id: u64) -> Value {
        let subnet = &self.subnets[&id];
        let mut shown = json!({
            "name": subnet.name, "description": subnet.description, "vlan": self.show_vlan(subnet.vlan),
            "cidr": subnet.cidr.to_string(), "rdns_mode": subnet.rdns_mode, "gateway_ip": subnet.gateway,
            "dns_servers": subnet.dns, "allow_dns": subnet.allow_dns, "allow_proxy": subnet.allow_proxy,
            "active_discovery": subnet.active_discovery, "managed": subnet.managed,
            "disabled_boot_architectures": subnet.disabled_boot_architectures, "space": self.space_name_of(subnet.vlan),
            "id": id, "resource_uri": format!("{BASE}/subnets/{id}/"),
        });
        if !self.version.has_boot_architectures()
            && let Some(fields) = shown.as_object_mut()
        {
            fields.shift_remove("disabled_boot_architectures");
        }
        shown
    }

    pub(crate) fn show_range(&self, range: &StoredRange) -> Value {
        let kind = match range.kind {
            super::store::RangeType::Reserved => "reserved",
            super::store::RangeType::Dynamic => "dynamic",
        };
        json!({
            "subnet": self.show_subnet(range.subnet), "type": kind, "start_ip": range.start, "end_ip": range.end,
            "user": range.user.as_ref().map(|user| self.show_user(user)), "comment": range.comment, "id": range.id,
            "resource_uri": format!("{BASE}/ipranges/{}/", range.id),
        })
    }

    pub(crate) fn show_route(&self, id: u64) -> Value {
        let route = &self.routes[&id];
        json!({
            "source": self.show_subnet(route.source), "destination": self.show_subnet(route.destination),
            "gateway_ip": route.gateway, "metric": route.metric, "id": id,
            "resource_uri": format!("{BASE}/static-routes/{id}/"),
        })
    }

    pub(crate) fn show_reserved(&self, id: u64) -> Value {
        let reserved = &self.reserved[&id];
        json!({
            "subnet": self.show_subnet(reserved.subnet), "ip": reserved.ip, "mac_address": reserved.mac,
            "comment": reserved.comment, "id": id, "resource_uri": format!("{BASE}/reservedips/{id}/"),
        })
    }

    /// An address as `ipaddresses/` and `dnsresources/` show it.
    pub(crate) fn show_address(&self, address: &StoredAddress) -> Value {
        let kind = match address.alloc {
            AllocType::Auto => "Automatic",
            AllocType::Sticky => "Sticky",
            AllocType::UserReserved => "User reserved",
            AllocType::Dhcp => "DHCP",
            AllocType::Discovered => "Observed",
        };
        let interface = address.interface.and_then(|id| self.interfaces.get(&id));
        let interface = match (interface, &address.unknown) {
            (Some(interface), _) => vec![self.show_interface(interface)],
            (None, Some(unknown)) => vec![self.show_unknown(unknown, address)],
            (None, None) => Vec::new(),
        };
        json!({
            "created": "2026-01-01T00:00:00.000Z", "ip": address.ip, "alloc_type": address.alloc as u8,
            "subnet": address.subnet.map(|subnet| self.show_subnet(subnet)), "interface_set": interface,
            "owner": address.user.as_ref().map(|user| self.show_user(user)), "alloc_type_name": kind,
            "resource_uri": format!("{BASE}/ipaddresses/"),
        })
    }

    /// An interface without a node has no links, no `resource_uri` and no MTU.
    fn show_unknown(&self, unknown: &UnknownInterface, address: &StoredAddress) -> Value {
        let vlan = address.subnet.map(|subnet| self.subnets[&subnet].vlan);
        json!({
            "id": unknown.id, "mac_address": unknown.mac, "name": "eth0", "type": "unknown", "parents": [], "children": [],
            "vlan": vlan.map(|vlan| self.show_vlan(vlan)), "params": {}, "tags": [], "enabled": true, "link_connected": true,
            "firmware_version": null, "vendor": null, "product": null, "sriov_max_vf": 0, "numa_node": null,
            "interface_speed": 0, "link_speed": 0,
        })
    }

    #[expect(clippy::unused_self, reason = "it reads like its siblings")]
    pub(crate) fn show_zone(&self) -> Value {
        json!({"name": "default", "description": "", "id": 1, "resource_uri": format!("{BASE}/zones/default/")})
    }

    #[expect(clippy::unused_self, reason = "it reads like its siblings")]
    pub(crate) fn show_pool(&self) -> Value {
        json!({"name": "default", "description": "Default pool", "id": 0, "resource_uri": format!("{BASE}/resourcepool/0/")})
    }

    pub(crate) fn show_link(&self, address: &StoredAddress) -> Value {
        let mode = match (address.alloc, address.ip, address.subnet) {
            (AllocType::Auto, ..) => "auto",
            (AllocType::Sticky | AllocType::UserReserved, Some(_), _) => "static",
            (AllocType::Sticky | AllocType::UserReserved, None, _) => "link_up",
            (AllocType::Dhcp | AllocType::Discovered, ..) => "dhcp",
        };
        let mut link = json!({"id": address.id, "mode": mode});
        if let Some(ip) = address.ip {
            link["ip_address"] = json!(ip);
        }
        if let Some(subnet) = address.subnet {
            link["subnet"] = self.show_subnet(subnet);
        }
        link
    }

    pub(crate) fn show_interface(&self, interface: &StoredInterface) -> Value {
        let name = |id: &u64| self.interfaces[id].name.clone();
        let children: Vec<String> = self
            .interfaces
            .values()
            .filter(|child| child.parents.contains(&interface.id))
            .map(|child| child.name.clone())
            .collect();
        let links: Vec<Value> = self
            .links_of(interface.id)
            .filter(|link| link.alloc != AllocType::Discovered)
            .map(|link| self.show_link(link))
            .collect();
        let physical = interface.kind == "physical";
        json!({
            "id": interface.id, "mac_address": interface.mac, "vendor": null,
            "parents": interface.parents.iter().map(name).collect::<Vec<_>>(), "params": interface.params, "product": null,
            "vlan": interface.vlan.map(|vlan| self.show_vlan(vlan)), "firmware_version": null, "sriov_max_vf": 0,
            "system_id": interface.node, "enabled": interface.enabled,
            "effective_mtu": self.effective_mtu(interface.id),
            "interface_speed": interface.speeds.0, "numa_node": physical.then_some(0), "type": interface.kind,
            "links": links, "name": interface.name, "link_connected": interface.link_connected, "discovered": null, "children": children,
            "tags": interface.tags, "link_speed": interface.speeds.1,
            "resource_uri": format!("{BASE}/nodes/{}/interfaces/{}/", interface.node, interface.id),
        })
    }
}
