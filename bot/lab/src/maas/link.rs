//! Interfaces and links, by the state of their machine (3.5.9 maasserver/api/interfaces.py:96-137, forms/interface_link.py).

use std::net::IpAddr;

use serde_json::Value;

use super::form::{Errors, Form, REQUIRED, address, field_error};
use super::store::{Address, Alloc, Interface, Maas, NodeType, RangeType};
use super::{Answer, Asker, admin_to_change, bad_method, gone, missing, plain};
use crate::wire::{Request, Response};

impl Maas {
    pub(crate) fn interfaces(
        &mut self,
        request: &Request,
        node: &str,
        form: &Form,
        asker: &Asker,
    ) -> Answer {
        if !self.nodes.contains_key(node) {
            return Err(missing("Node"));
        }
        match (request.method.as_str(), request.param("op")) {
            ("GET", None) => {
                let list: Vec<Value> = self
                    .interfaces_of(node)
                    .map(|interface| self.show_interface(interface))
                    .collect();
                Ok(Response::json(200, &Value::Array(list)))
            }
            ("POST", Some(op)) => {
                admin_to_change(asker)?;
                let (verb, kind) = match op {
                    "create_vlan" => ("create VLAN", "vlan"),
                    "create_bridge" => ("create bridge", "bridge"),
                    "create_bond" => ("create bond", "bond"),
                    "create_physical" => ("create", "physical"),
                    _ => {
                        return Err(Response::text(
                            400,
                            format!("Unrecognised signature: method=POST op={op}"),
                        ));
                    }
                };
                self.may_change(node, verb)?;
                let id = self.create_interface(node, kind, form)?;
                Ok(Response::json(
                    200,
                    &self.show_interface(&self.interfaces[&id]),
                ))
            }
            _ => Err(bad_method()),
        }
    }

    /// Machines in five states; devices always; controllers never.
    fn may_change(&self, node: &str, verb: &str) -> Result<(), Response> {
        let node = &self.nodes[node];
        match node.kind {
            NodeType::Device => Ok(()),
            NodeType::Machine
                if ["New", "Ready", "Failed testing", "Allocated", "Broken"]
                    .contains(&node.status.as_str()) =>
            {
                Ok(())
            }
            NodeType::Machine => Err(plain(
                409,
                format!(
                    "Cannot {verb} interface because the machine is not New, Ready, Allocated, or Broken."
                ),
            )),
            NodeType::Rack | NodeType::Region | NodeType::RegionRack => Err(plain(
                403,
                format!("Cannot {verb} interface on a controller."),
            )),
        }
    }

    fn create_interface(&mut self, node: &str, kind: &str, form: &Form) -> Result<u64, Response> {
        let mut errors = Errors::default();
        let key = if kind == "bond" { "parents" } else { "parent" };
        let texts: Vec<&str> = form
            .all(key)
            .unwrap_or_default()
            .iter()
            .flat_map(|text| text.split(','))
            .collect();
        let parents: Vec<u64> = texts
            .iter()
            .filter_map(|text| text.trim().parse::<u64>().ok())
            .filter(|id| {
                self.interfaces
                    .get(id)
                    .is_some_and(|parent| parent.node == node)
            })
            .collect();
        if kind != "physical" && parents.is_empty() {
            return Err(field_error(key, REQUIRED));
        }
        let parent = parents.first().map(|id| self.interfaces[id].clone());
        let wanted_vlan = form
            .get("vlan")
            .and_then(|text| text.parse::<u64>().ok())
            .filter(|id| self.vlans.contains_key(id));
        let vlan = wanted_vlan.or(parent.as_ref().and_then(|parent| parent.vlan));
        let name = match (kind, &parent, vlan) {
            ("vlan", Some(parent), Some(vlan)) => {
                format!("{}.{}", parent.name, self.vlans[&vlan].vid)
            }
            _ => form.get("name").unwrap_or_default().to_owned(),
        };
        self.check_interface(kind, node, &name, &parents, vlan, &mut errors);
        errors.done()?;
        let mac = form
            .get("mac_address")
            .map(str::to_lowercase)
            .or(parent.map(|parent| parent.mac))
            .unwrap_or_default();
        if kind == "bridge" || kind == "bond" {
            self.take_from_parents(&parents, vlan);
        }
        let id = self.next("interface");
        self.interfaces.insert(
            id,
            Interface {
                id,
                node: node.to_owned(),
                name,
                kind: kind.to_owned(),
                mac,
                vlan,
                parents,
                mtu: None,
                enabled: true,
                bridge_type: form.get("bridge_type").unwrap_or("standard").to_owned(),
                bond_mode: form.get("bond_mode").unwrap_or("active-backup").to_owned(),
            },
        );
        if vlan.is_some() {
            self.ensure_link_up(id);
        }
        Ok(id)
    }

    fn check_interface(
        &self,
        kind: &str,
        node: &str,
        name: &str,
        parents: &[u64],
        vlan: Option<u64>,
        errors: &mut Errors,
    ) {
        let child = |parent: &u64| {
            self.interfaces.values().any(|other| {
                other.parents.contains(parent) && (other.kind == "bond" || other.kind == "bridge")
            })
        };
        if kind == "bond" && parents.iter().any(|id| self.interfaces[id].vlan != vlan) {
            errors.add("parents", "All parents must belong to the same VLAN.");
        }
        if kind == "bridge" && parents.iter().any(child) {
            errors.add("mac_address", "This field cannot be blank.");
            errors.add(
                "parent",
                "A bridge interface can't have a parent that is already in a bond or a bridge.",
            );
            return;
        }
        if kind == "vlan" {
            let row = vlan.map(|vlan| &self.vlans[&vlan]);
            let home = parents
                .first()
                .and_then(|id| self.interfaces[id].vlan)
                .map(|vlan| self.vlans[&vlan].fabric);
            match row {
                Some(row) if row.vid == 0 => {
                    errors.add("vlan", "A VLAN interface can only belong to a tagged VLAN.")
                }
                Some(row) if Some(row.fabric) != home => {
                    errors.add("vlan", "A VLAN interface can only belong to a tagged VLAN on the same fabric as its parent interface.");
                }
                Some(_) => {}
                None => errors.add("vlan", REQUIRED),
            }
        }
        if errors.is_empty() && self.interfaces_of(node).any(|other| other.name == name) {
            let host = &self.nodes[node].hostname;
            errors.add(
                "name",
                format!("Node {node} ({host}) already has an interface named '{name}'."),
            );
        }
    }

    /// A bond or bridge takes its parents' links away and puts them on its VLAN.
    fn take_from_parents(&mut self, parents: &[u64], vlan: Option<u64>) {
        for parent in parents {
            self.drop_links(*parent);
            if let Some(row) = self.interfaces.get_mut(parent) {
                row.vlan = vlan.or(row.vlan);
            }
        }
    }

    pub(crate) fn ensure_link_up(&mut self, interface: u64) {
        if self
            .links_of(interface)
            .all(|link| link.alloc == Alloc::Discovered)
        {
            self.add_link(interface, Alloc::Sticky, None, None);
        }
    }

    pub(crate) fn add_link(
        &mut self,
        interface: u64,
        alloc: Alloc,
        subnet: Option<u64>,
        ip: Option<IpAddr>,
    ) -> u64 {
        self.add_address(Address {
            id: 0,
            ip,
            alloc,
            subnet,
            user: None,
            interface: Some(interface),
            unknown: None,
            bmc_of: None,
        })
    }

    pub(crate) fn drop_links(&mut self, interface: u64) {
        let links: Vec<u64> = self.links_of(interface).map(|link| link.id).collect();
        for link in links {
            self.drop_address(link);
        }
    }

    /// An interface, its links and the VLAN interfaces on it; bonds and bridges that lose their last parent.
    pub(crate) fn drop_interface(&mut self, id: u64) {
        self.drop_links(id);
        let children: Vec<(u64, usize)> = self
            .interfaces
            .values()
            .filter(|child| child.parents.contains(&id))
            .map(|child| (child.id, child.parents.len()))
            .collect();
        self.interfaces.remove(&id);
        for (child, parents) in children {
            if parents <= 1 {
                self.drop_interface(child);
            } else if let Some(row) = self.interfaces.get_mut(&child) {
                row.parents.retain(|parent| *parent != id);
            }
        }
    }

    pub(crate) fn interface(
        &mut self,
        request: &Request,
        node: &str,
        id: &str,
        form: &Form,
        asker: &Asker,
    ) -> Answer {
        if !self.nodes.contains_key(node) {
            return Err(missing("Node"));
        }
        let found = self
            .interfaces_of(node)
            .find(|interface| interface.id.to_string() == id || interface.name == id)
            .map(|interface| interface.id);
        let id = found.ok_or_else(|| missing("Interface"))?;
        match (request.method.as_str(), request.param("op")) {
            ("GET", None) => {}
            (_, _) if !asker.admin && request.method != "GET" => return Err(plain(403, "")),
            ("PUT", None) => self.update_interface(node, id, form)?,
            ("DELETE", None) => {
                self.may_change(node, "delete interface")?;
                self.drop_interface(id);
                return Ok(gone());
            }
            ("POST", Some("link_subnet")) => {
                self.may_change(node, "link subnet")?;
                self.link_subnet(id, form)?;
            }
            ("POST", Some("unlink_subnet")) => {
                self.may_change(node, "unlink subnet")?;
                self.unlink_subnet(id, form)?;
            }
            ("POST", Some("disconnect")) => {
                self.may_change(node, "disconnect")?;
                self.drop_links(id);
                if let Some(row) = self.interfaces.get_mut(&id) {
                    row.vlan = None;
                }
            }
            ("POST", Some("set_default_gateway")) => {
                self.may_change(node, "set default gateway")?
            }
            _ => return Err(bad_method()),
        }
        Ok(Response::json(
            200,
            &self.show_interface(&self.interfaces[&id]),
        ))
    }

    fn update_interface(&mut self, node: &str, id: u64, form: &Form) -> Result<(), Response> {
        let deployed =
            self.nodes[node].status == "Deployed" && self.nodes[node].kind == NodeType::Machine;
        if let Some(name) = form.get("name").filter(|name| !name.is_empty())
            && let Some(row) = self.interfaces.get_mut(&id)
        {
            name.clone_into(&mut row.name);
        }
        let vlan = form
            .get("vlan")
            .and_then(|text| text.parse::<u64>().ok())
            .filter(|vlan| self.vlans.contains_key(vlan));
        if deployed || vlan.is_none() || vlan == self.interfaces[&id].vlan {
            return Ok(());
        }
        let controller = matches!(
            self.nodes[node].kind,
            NodeType::Rack | NodeType::Region | NodeType::RegionRack
        );
        if controller {
            // The planes that a controller's interface is linked to move along (3.5.9 models/signals/interfaces.py:170-256).
            let subnets: Vec<u64> = self.links_of(id).filter_map(|link| link.subnet).collect();
            for subnet in subnets {
                if let (Some(row), Some(vlan)) = (self.subnets.get_mut(&subnet), vlan) {
                    row.vlan = vlan;
                }
            }
        } else {
            self.drop_links(id);
        }
        if let Some(row) = self.interfaces.get_mut(&id) {
            row.vlan = vlan;
        }
        Ok(())
    }

    fn unlink_subnet(&mut self, interface: u64, form: &Form) -> Result<(), Response> {
        let text = form
            .get("id")
            .filter(|text| !text.is_empty())
            .ok_or_else(|| field_error("id", REQUIRED))?;
        let ids: Vec<String> = self
            .links_of(interface)
            .map(|link| link.id.to_string())
            .collect();
        let Some(id) = ids
            .iter()
            .find(|id| *id == text)
            .and_then(|id| id.parse().ok())
        else {
            let list: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
            return Err(field_error(
                "id",
                format!(
                    "'{text}' is not a valid id.  It should be one of: {}.",
                    list.join(", ")
                ),
            ));
        };
        self.drop_address(id);
        self.ensure_link_up(interface);
        Ok(())
    }

    fn link_subnet(&mut self, interface: u64, form: &Form) -> Result<(), Response> {
        let mut errors = Errors::default();
        let force = form.switch("force").unwrap_or(false);
        let vlan = self.interfaces[&interface].vlan;
        let mode = form.get("mode").map(str::to_uppercase).unwrap_or_default();
        let subnet = self.read_link_subnet(form, vlan, force, &mode, &mut errors);
        if mode.is_empty() {
            errors.add("mode", REQUIRED);
        }
        let ip = form
            .get("ip_address")
            .filter(|text| !text.is_empty())
            .and_then(address);
        self.check_link(interface, subnet, ip, &mode, form, &mut errors);
        errors.done()?;
        if let (Some(ip), true) = (ip, mode == "STATIC") {
            self.may_link(interface, ip)?;
        }
        let ip = match (ip, subnet) {
            (None, Some(subnet)) if mode == "STATIC" => Some(self.pick_free(subnet)?),
            (ip, _) => ip,
        };
        if vlan.is_none() {
            // An interface without a VLAN takes that of its first subnet.
            let taken = subnet.map(|subnet| self.subnets[&subnet].vlan);
            if let Some(row) = self.interfaces.get_mut(&interface) {
                row.vlan = taken;
            }
        }
        if force {
            self.drop_links(interface);
            let moved = subnet.map(|subnet| self.subnets[&subnet].vlan);
            if let Some(row) = self.interfaces.get_mut(&interface) {
                row.vlan = moved.or(row.vlan);
            }
        }
        let bare: Vec<u64> = self
            .links_of(interface)
            .filter(|link| link.alloc == Alloc::Sticky && link.ip.is_none())
            .map(|link| link.id)
            .collect();
        for link in bare {
            self.drop_address(link);
        }
        match mode.as_str() {
            "AUTO" => self.add_link(interface, Alloc::Auto, subnet, None),
            "DHCP" => self.add_link(interface, Alloc::Dhcp, subnet, None),
            "STATIC" => self.add_link(interface, Alloc::Sticky, subnet, ip),
            _ => self.add_link(interface, Alloc::Sticky, subnet, None),
        };
        Ok(())
    }

    fn read_link_subnet(
        &self,
        form: &Form,
        vlan: Option<u64>,
        force: bool,
        mode: &str,
        errors: &mut Errors,
    ) -> Option<u64> {
        match form.get("subnet").filter(|text| !text.is_empty()) {
            None => {
                if mode == "AUTO" || mode == "STATIC" {
                    errors.add("subnet", REQUIRED);
                }
                None
            }
            Some(text) => {
                let found = self.find_subnet(text).ok();
                let here = found
                    .filter(|id| force || vlan.is_none() || Some(self.subnets[id].vlan) == vlan);
                if here.is_none() {
                    errors.add("subnet", format!("None found with id={text}."));
                    if mode == "AUTO" || mode == "STATIC" {
                        errors.add("subnet", REQUIRED);
                    }
                }
                here
            }
        }
    }

    fn check_link(
        &self,
        interface: u64,
        subnet: Option<u64>,
        ip: Option<IpAddr>,
        mode: &str,
        form: &Form,
        errors: &mut Errors,
    ) {
        let label = |subnet: u64| {
            let row = &self.subnets[&subnet];
            format!(
                "{}:{}(vid={})",
                row.name, row.cidr, self.vlans[&row.vlan].vid
            )
        };
        if let (Some(subnet), Some(ip)) = (subnet, ip) {
            let dynamic = self.ranges.values().find(|range| {
                range.subnet == subnet
                    && range.kind == RangeType::Dynamic
                    && range.start <= ip
                    && ip <= range.end
            });
            if !self.subnets[&subnet].cidr.contains(&ip) {
                errors.add(
                    "ip_address",
                    format!("IP address is not in the given subnet '{}'.", label(subnet)),
                );
            } else if let Some(range) = dynamic {
                errors.add(
                    "ip_address",
                    format!(
                        "IP address is inside a dynamic range {} to {}.",
                        range.start, range.end
                    ),
                );
            }
        }
        let links = || {
            self.links_of(interface)
                .filter(|link| link.alloc != Alloc::Discovered)
        };
        if mode == "DHCP"
            && let Some(link) = links().find(|link| link.alloc == Alloc::Dhcp)
        {
            let from = link.subnet.map(label).unwrap_or_default();
            errors.add(
                "mode",
                format!("Interface is already set to DHCP from '{from}'."),
            );
        }
        let configured = links().any(|link| link.ip.is_some() || link.alloc != Alloc::Sticky);
        if mode == "LINK_UP" && configured && form.switch("force") != Some(true) {
            errors.add(
                "mode",
                "Cannot configure interface to link up (with no IP address) while other links are already configured. Specify force=True to override this behavior and delete all links.",
            );
        }
        if form.switch("default_gateway") == Some(true)
            && let Some(subnet) = subnet.filter(|subnet| self.subnets[subnet].gateway.is_none())
        {
            errors.add(
                "default_gateway",
                format!("Cannot set as default gateway because subnet {} doesn't provide a gateway IP address.", label(subnet)),
            );
        }
    }

    fn may_link(&self, interface: u64, ip: IpAddr) -> Result<(), Response> {
        let mac = &self.interfaces[&interface].mac;
        if let Some(kept) = self
            .reserved
            .values()
            .find(|kept| kept.ip == ip && kept.mac != *mac)
        {
            return Err(plain(
                409,
                format!(
                    "The static IP {ip} is already reserved for the MAC address {}.",
                    kept.mac
                ),
            ));
        }
        if self.is_taken(ip) {
            return Err(plain(404, "IP address is already in use."));
        }
        Ok(())
    }
}
