//! Endpoints of interfaces. What is allowed depends on the status of the machine
//! (3.5.9 `maasserver/api/interfaces.py:96-137`, `forms/interface.py`).

mod form;
mod settings;

use serde_json::Value;

use form::read_interface_mtu;
pub(crate) use settings::default_params;
use settings::{read_params, read_tags};

use super::answer::{
    ApiCaller, MaasAnswer, admin_to_change, bad_method, missing, no_content, plain,
};
use super::form::{Form, FormErrors, REQUIRED, field_error};
use super::store::{LabMaas, NodeType, StoredInterface};
use crate::wire::{LabRequest, LabResponse};

impl LabMaas {
    pub(crate) fn interfaces(
        &mut self,
        request: &LabRequest,
        node: &str,
        form: &Form,
        caller: &ApiCaller,
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
                admin_to_change(caller)?;
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

    /// Machines with one of five statuses may be changed, devices always, controllers never.
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
        let mut errors = FormErrors::default();
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
        let mut row = StoredInterface {
            id: 0,
            node: node.to_owned(),
            name,
            kind: kind.to_owned(),
            mac,
            vlan,
            parents,
            mtu: None,
            enabled: true,
            tags: Vec::new(),
            params: default_params(kind),
        };
        read_interface_mtu(&mut row, form, &mut errors);
        read_params(&mut row, form, &mut errors);
        read_tags(&mut row, form);
        row.enabled = form.checkbox("enabled").unwrap_or(true);
        errors.done()?;
        if kind == "bridge" || kind == "bond" {
            self.reset_parents(&row.parents, vlan);
        }
        let id = self.next("interface");
        self.interfaces.insert(id, StoredInterface { id, ..row });
        if vlan.is_some() {
            self.ensure_link_up(id);
        }
        Ok(id)
    }

    /// A new bond or bridge removes its parents' links and moves the parents to its VLAN.
    fn reset_parents(&mut self, parents: &[u64], vlan: Option<u64>) {
        for parent in parents {
            self.remove_links(*parent);
            if let Some(row) = self.interfaces.get_mut(parent) {
                row.vlan = vlan.or(row.vlan);
            }
        }
    }

    /// Removes an interface, its links, its VLAN interfaces, and bonds and bridges that lose their last parent.
    pub(crate) fn remove_interface(&mut self, id: u64) {
        self.remove_links(id);
        let children: Vec<(u64, usize)> = self
            .interfaces
            .values()
            .filter(|child| child.parents.contains(&id))
            .map(|child| (child.id, child.parents.len()))
            .collect();
        self.interfaces.remove(&id);
        for (child, parents) in children {
            if parents <= 1 {
                self.remove_interface(child);
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
        caller: &ApiCaller,
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
            (_, _) if !caller.admin && request.method != "GET" => return Err(plain(403, "")),
            ("PUT", None) => self.update_interface(node, id, form)?,
            ("DELETE", None) => {
                self.may_change(node, "delete interface")?;
                self.remove_interface(id);
                return Ok(no_content());
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
                self.remove_links(id);
                if let Some(row) = self.interfaces.get_mut(&id) {
                    row.vlan = None;
                }
            }
            ("POST", Some(op @ ("add_tag" | "remove_tag"))) => {
                self.change_tag(node, id, op, form)?;
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

    /// In every state of a machine, unless it is locked.
    fn change_tag(
        &mut self,
        node: &str,
        id: u64,
        op: &str,
        form: &Form,
    ) -> Result<(), LabResponse> {
        if self.nodes[node].locked {
            return Err(plain(403, ""));
        }
        let Some(tag) = form.get("tag").filter(|tag| !tag.is_empty()) else {
            return Err(plain(400, "No provided tag!"));
        };
        if let Some(row) = self.interfaces.get_mut(&id) {
            let has = row.tags.iter().any(|other| other == tag);
            if op == "remove_tag" {
                row.tags.retain(|other| other != tag);
            } else if !has {
                row.tags.push(tag.to_owned());
            }
        }
        Ok(())
    }

    /// The ports of a bond or bridge are on its VLAN; one that moves there loses its links (seen on 3.5.12 and 3.7.3).
    fn drag_ports(&mut self, ports: &[u64], vlan: Option<u64>) {
        for port in ports {
            if self.interfaces[port].vlan != vlan {
                self.remove_links(*port);
                if let Some(row) = self.interfaces.get_mut(port) {
                    row.vlan = vlan;
                }
            }
        }
    }

    /// The fields depend on the node: of a controller's interface only the VLAN can change, of a deployed machine's only the
    /// name and the MAC.
    fn update_interface(&mut self, node: &str, id: u64, form: &Form) -> Result<(), LabResponse> {
        let host = self.nodes[node].clone();
        let mut errors = FormErrors::default();
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
            if row.kind == "bond" && form.get("parents").is_some() {
                row.parents = self.named_parents(node, "parents", form);
            }
        }
        if !controller {
            self.read_identity(&mut row, form, &mut errors);
        }
        if !controller && !deployed {
            read_interface_mtu(&mut row, form, &mut errors);
            read_params(&mut row, form, &mut errors);
            read_tags(&mut row, form);
            row.enabled = form.checkbox("enabled").unwrap_or(row.enabled);
        }
        errors.done()?;
        if row.vlan != self.interfaces[&id].vlan {
            self.follow_vlan_change(id, controller, row.vlan);
        }
        if !controller && !deployed && (row.kind == "bond" || row.kind == "bridge") {
            self.drag_ports(&row.parents, row.vlan);
        }
        self.interfaces.insert(id, row);
        Ok(())
    }

    /// An interface that moves to another VLAN loses its links. A controller's interface keeps them and moves the linked
    /// subnets to the new VLAN (3.5.9 `maasserver/models/signals/interfaces.py:170-256`).
    fn follow_vlan_change(&mut self, id: u64, controller: bool, vlan: Option<u64>) {
        if !controller {
            self.remove_links(id);
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
