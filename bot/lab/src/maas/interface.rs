//! Interfaces, by the state of their machine (3.5.9 `maasserver/api/interfaces.py:96-137`, `forms/interface.py`).

use serde_json::Value;

use super::form::{Errors, Form, NO_CHOICE, REQUIRED, field_error};
use super::store::{LabMaas, NodeType, StoredInterface};
use super::{ApiCaller, MaasAnswer, admin_to_change, bad_method, gone, missing, plain};
use crate::wire::{LabRequest, LabResponse};

impl LabMaas {
    pub(crate) fn interfaces(
        &mut self,
        request: &LabRequest,
        node: &str,
        form: &Form,
        asker: &ApiCaller,
    ) -> MaasAnswer {
        if !self.nodes.contains_key(node) {
            return Err(missing("Node"));
        }
        match (request.method.as_str(), request.param("op")) {
            ("GET", None) => {
                let list: Vec<Value> = self
                    .interfaces_of(node)
                    .map(|interface| self.show_interface(interface))
                    .collect();
                Ok(LabResponse::json(200, &Value::Array(list)))
            }
            ("POST", Some(op)) => {
                admin_to_change(asker)?;
                let (verb, kind) = match op {
                    "create_vlan" => ("create VLAN", "vlan"),
                    "create_bridge" => ("create bridge", "bridge"),
                    "create_bond" => ("create bond", "bond"),
                    "create_physical" => ("create", "physical"),
                    _ => {
                        return Err(LabResponse::text(
                            400,
                            format!("Unrecognised signature: method=POST op={op}"),
                        ));
                    }
                };
                self.may_change(node, verb)?;
                let id = self.create_interface(node, kind, form)?;
                Ok(LabResponse::json(
                    200,
                    &self.show_interface(&self.interfaces[&id]),
                ))
            }
            _ => Err(bad_method()),
        }
    }

    /// Machines in five states; devices always; controllers never.
    fn may_change(&self, node: &str, verb: &str) -> Result<(), LabResponse> {
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

    fn create_interface(
        &mut self,
        node: &str,
        kind: &str,
        form: &Form,
    ) -> Result<u64, LabResponse> {
        let mut errors = Errors::default();
        let key = if kind == "bond" { "parents" } else { "parent" };
        let parents = self.named_parents(node, key, form);
        if kind != "physical" && parents.is_empty() {
            return Err(field_error(key, REQUIRED));
        }
        let parent = parents.first().map(|id| self.interfaces[id].clone());
        let inherited = parent.as_ref().and_then(|parent| parent.vlan);
        let vlan = self.named_vlan(form, inherited, &mut errors);
        let name = match (kind, &parent, vlan) {
            ("vlan", Some(parent), Some(vlan)) => {
                format!("{}.{}", parent.name, self.vlans[&vlan].vid)
            }
            ("physical", ..) => {
                let name = form.get("name").filter(|name| !name.is_empty());
                name.map_or_else(|| self.next_name(node), str::to_owned)
            }
            _ => {
                let name = form.get("name").unwrap_or_default();
                if name.is_empty() {
                    errors.add("name", REQUIRED);
                }
                name.to_owned()
            }
        };
        self.check_interface(kind, node, &name, &parents, vlan, &mut errors);
        let mac = match form.get("mac_address") {
            Some(mac) if kind == "physical" || !mac.is_empty() => {
                let own = parent.as_ref().map(|parent| parent.id);
                self.read_mac(mac, own, &mut errors)
            }
            None if kind == "physical" => self.read_mac("", None, &mut errors),
            Some(_) | None => parent.map(|parent| parent.mac).unwrap_or_default(),
        };
        errors.done()?;
        if kind == "bridge" || kind == "bond" {
            self.take_from_parents(&parents, vlan);
        }
        let id = self.next("interface");
        self.interfaces.insert(
            id,
            StoredInterface {
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

    fn named_parents(&self, node: &str, key: &str, form: &Form) -> Vec<u64> {
        let texts: Vec<&str> = form
            .all(key)
            .unwrap_or_default()
            .iter()
            .flat_map(|text| text.split(','))
            .collect();
        texts
            .iter()
            .filter_map(|text| text.trim().parse::<u64>().ok())
            .filter(|id| {
                self.interfaces
                    .get(id)
                    .is_some_and(|parent| parent.node == node)
            })
            .collect()
    }

    /// `ethN`, the first that is free.
    fn next_name(&self, node: &str) -> String {
        let taken = |name: &String| self.interfaces_of(node).any(|other| other.name == *name);
        let mut names = (0_u32..).map(|number| format!("eth{number}"));
        names.find(|name| !taken(name)).unwrap_or_default()
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
                    errors.add("vlan", "A VLAN interface can only belong to a tagged VLAN.");
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
        request: &LabRequest,
        node: &str,
        id: &str,
        form: &Form,
        asker: &ApiCaller,
    ) -> MaasAnswer {
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
                self.may_change(node, "set default gateway")?;
                self.set_default_gateway(id, form)?;
            }
            _ => return Err(bad_method()),
        }
        Ok(LabResponse::json(
            200,
            &self.show_interface(&self.interfaces[&id]),
        ))
    }

    /// By what the machine is: a controller's interface takes a VLAN, a deployed machine's a name and a MAC.
    fn update_interface(&mut self, node: &str, id: u64, form: &Form) -> Result<(), LabResponse> {
        let host = self.nodes[node].clone();
        let mut errors = Errors::default();
        let mut row = self.interfaces[&id].clone();
        let controller = matches!(
            host.kind,
            NodeType::Rack | NodeType::Region | NodeType::RegionRack
        );
        let deployed = host.kind == NodeType::Machine && host.status == "Deployed";
        if !controller && !deployed {
            self.may_change(node, "update interface")?;
        }
        if !deployed {
            row.vlan = self.named_vlan(form, row.vlan, &mut errors);
        }
        if !controller {
            self.read_identity(&mut row, form, &mut errors);
        }
        if !controller && !deployed {
            read_interface_mtu(&mut row, form, &mut errors);
            row.enabled = form.checkbox("enabled").unwrap_or(row.enabled);
        }
        errors.done()?;
        if row.vlan != self.interfaces[&id].vlan {
            self.leave_vlan(id, controller, row.vlan);
        }
        self.interfaces.insert(id, row);
        Ok(())
    }

    /// The VLAN that a form names; the present one when it names none, no VLAN when it clears it.
    fn named_vlan(&self, form: &Form, now: Option<u64>, errors: &mut Errors) -> Option<u64> {
        match form.get("vlan") {
            None => now,
            Some("") => None,
            Some(text) => {
                let found = text.parse().ok().filter(|id| self.vlans.contains_key(id));
                if found.is_none() {
                    errors.add("vlan", NO_CHOICE);
                }
                found
            }
        }
    }

    fn read_identity(&self, row: &mut StoredInterface, form: &Form, errors: &mut Errors) {
        if let Some(name) = form.get("name").filter(|name| !name.is_empty()) {
            name.clone_into(&mut row.name);
            let taken = self
                .interfaces_of(&row.node)
                .any(|other| other.id != row.id && other.name == name);
            if taken {
                let (node, host) = (&row.node, &self.nodes[&row.node].hostname);
                errors.add(
                    "name",
                    format!("Node {node} ({host}) already has an interface named '{name}'."),
                );
            }
        }
        if let Some(mac) = form.get("mac_address") {
            row.mac = self.read_mac(mac, Some(row.id), errors);
        }
    }

    /// A MAC that no other physical interface has.
    fn read_mac(&self, text: &str, own: Option<u64>, errors: &mut Errors) -> String {
        let mac = text.to_lowercase().replace('-', ":");
        let parts: Vec<&str> = mac.split(':').collect();
        let hex = |part: &&str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
        if mac.is_empty() {
            errors.add("mac_address", REQUIRED);
        } else if parts.len() != 6 || !parts.iter().all(hex) {
            errors.add(
                "mac_address",
                format!("'{text}' is not a valid MAC address."),
            );
        } else if let Some(other) = self
            .interfaces
            .values()
            .find(|other| other.kind == "physical" && other.mac == mac && Some(other.id) != own)
        {
            let host = &self.nodes[&other.node].hostname;
            errors.add(
                "mac_address",
                format!("This MAC address is already in use by {host}."),
            );
        }
        mac
    }

    /// A move to another VLAN clears an interface's links; a controller's takes the planes that it is linked to along
    /// (3.5.9 `maasserver/models/signals/interfaces.py:170-256`).
    fn leave_vlan(&mut self, id: u64, controller: bool, vlan: Option<u64>) {
        if !controller {
            self.drop_links(id);
            return;
        }
        let subnets: Vec<u64> = self.links_of(id).filter_map(|link| link.subnet).collect();
        for subnet in subnets {
            if let (Some(row), Some(vlan)) = (self.subnets.get_mut(&subnet), vlan) {
                row.vlan = vlan;
            }
        }
    }
}

fn read_interface_mtu(row: &mut StoredInterface, form: &Form, errors: &mut Errors) {
    match form.get("mtu").map(|text| (text, text.parse::<u32>())) {
        None => {}
        Some(("", _)) => row.mtu = None,
        Some((_, Err(_))) => errors.add("mtu", "Enter a whole number."),
        Some((_, Ok(mtu))) if mtu < 552 => {
            errors.add("mtu", "Ensure this value is greater than or equal to 552.");
        }
        Some((_, Ok(mtu))) => row.mtu = Some(mtu),
    }
}
