//! Endpoints of interfaces. What is allowed depends on the rights of the user and the status of the machine
//! (3.7.3 `maasserver/api/interfaces.py`, `auth/local.py`).

mod checks;
mod effects;
mod form;
mod params;

pub(crate) use params::{default_params, null_boolean};

use super::answer::{ApiCaller, MaasAnswer, bad_method, missing, no_content, plain};
use super::form::Form;
use super::store::{AllocType, LabMaas, NodeType, StoredInterface, StoredNode};
use crate::wire::{LabRequest, LabResponse};

impl LabMaas {
    pub(crate) fn interfaces(
        &mut self,
        request: &LabRequest,
        node: &str,
        form: &Form,
        caller: &ApiCaller,
        op: Option<&str>,
    ) -> MaasAnswer {
        let found = self.nodes.get(node);
        if request.method == "GET" {
            let row = found.ok_or_else(|| missing("Node"))?;
            if !Self::may_see(caller, row) {
                return Err(plain(403, ""));
            }
            let all = self.interfaces_of(node);
            let list = all.map(|interface| self.show_interface(interface));
            return Ok(LabResponse::json(200, &list.collect()));
        }
        let (verb, kind) = match op {
            Some("create_vlan") => ("create VLAN", "vlan"),
            Some("create_bridge") => ("create bridge", "bridge"),
            Some("create_bond") => ("create bond", "bond"),
            Some("create_physical") => ("create", "physical"),
            _ => return Err(bad_method()),
        };
        if kind == "physical" {
            let row = found.ok_or_else(|| missing("Node"))?;
            Self::may_edit(caller, row)?;
            self.may_change(node, verb)?;
            if row.kind == NodeType::Machine && !caller.admin {
                return Err(plain(403, ""));
            }
        } else {
            let row = found.filter(|row| row.kind == NodeType::Machine);
            Self::may_administer(caller, row.ok_or_else(|| missing("Machine"))?)?;
            self.may_change(node, verb)?;
        }
        let id = self.create_interface(node, kind, form)?;
        Ok(LabResponse::json(
            200,
            &self.show_interface(&self.interfaces[&id]),
        ))
    }

    /// Administrators, unless the node is locked.
    pub(crate) fn may_administer(caller: &ApiCaller, node: &StoredNode) -> Result<(), LabResponse> {
        if caller.admin && !node.locked {
            return Ok(());
        }
        Err(plain(403, ""))
    }

    /// Administrators, the owner, and everyone if there is none; unless the node is locked.
    pub(crate) fn may_edit(caller: &ApiCaller, node: &StoredNode) -> Result<(), LabResponse> {
        let own = node
            .owner
            .as_ref()
            .is_none_or(|owner| *owner == caller.name);
        if (caller.admin || own) && !node.locked {
            return Ok(());
        }
        Err(plain(403, ""))
    }

    /// Machines with one of five statuses may be changed, devices always, controllers never.
    fn may_change(&self, node: &str, verb: &str) -> Result<(), LabResponse> {
        let node = &self.nodes[node];
        let known = ["New", "Ready", "Failed testing", "Allocated", "Broken"];
        match node.kind {
            NodeType::Device => Ok(()),
            NodeType::Machine if known.contains(&node.status.as_str()) => Ok(()),
            NodeType::Machine => Err(plain(
                409,
                format!(
                    "Cannot {verb} interface because the machine is not New, Ready, Allocated, or Broken."
                ),
            )),
            NodeType::Rack | NodeType::Region | NodeType::RegionRack => {
                // MAAS names another operation in these two refusals.
                let verb = match verb {
                    "unlink subnet" | "set default gateway" => "link subnet",
                    verb => verb,
                };
                Err(plain(
                    403,
                    format!("Cannot {verb} interface on a controller."),
                ))
            }
        }
    }

    fn create_interface(
        &mut self,
        node: &str,
        kind: &str,
        form: &Form,
    ) -> Result<u64, LabResponse> {
        if kind == "bridge" && form.get("parent").is_some() && form.get("parents").is_some() {
            return Err(plain(400, "Cannot specify both parent and parents fields."));
        }
        let blank = StoredInterface {
            params: default_params(kind),
            ..StoredInterface::new(node, "", kind, "")
        };
        let row = self.read_interface(&blank, form)?;
        self.refuse_taken_name(&row)?;
        if kind == "bridge" && self.nodes[node].status == "Allocated" {
            return self.create_acquired_bridge(row);
        }
        self.insert_interface(row)
    }

    /// A bridge of an allocated machine takes over the links of its port, and is removed when the machine is released.
    fn create_acquired_bridge(&mut self, row: StoredInterface) -> Result<u64, LabResponse> {
        let mut links: Vec<_> = self.links_of(row.parents[0]).cloned().collect();
        links.retain(|link| link.alloc != AllocType::Discovered);
        for link in &links {
            self.forget_gateway(link.id);
            self.addresses.remove(&link.id);
        }
        let id = self.insert_interface(StoredInterface {
            acquired: true,
            ..row
        })?;
        for mut link in links {
            link.interface = Some(id);
            self.addresses.insert(link.id, link);
        }
        self.drop_spare_link_ups(id);
        Ok(id)
    }

    pub(crate) fn interface(
        &mut self,
        request: &LabRequest,
        (node, id): (&str, &str),
        form: &Form,
        caller: &ApiCaller,
        op: Option<&str>,
    ) -> MaasAnswer {
        let id = self.find_interface(node, id)?;
        let host = self.nodes[node].clone();
        if request.method == "GET" {
            if !Self::may_see(caller, &host) {
                return Err(plain(403, ""));
            }
        } else if host.kind == NodeType::Device {
            Self::may_edit(caller, &host)?;
        } else {
            Self::may_administer(caller, &host)?;
        }
        match (request.method.as_str(), op) {
            ("GET", None) => {}
            ("PUT", None) => self.update_interface(&host, id, form)?,
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
                let mut row = self.interfaces[&id].clone();
                row.vlan = None;
                self.save_interface(row);
            }
            ("POST", Some("set_default_gateway")) => {
                self.may_change(node, "set default gateway")?;
                self.set_default_gateway(id, form)?;
            }
            ("POST", Some(op @ ("add_tag" | "remove_tag"))) => {
                let tag = form.raw("tag");
                let tag = tag.ok_or_else(|| plain(400, "No provided tag!"))?;
                let mut row = self.interfaces[&id].clone();
                if op == "remove_tag" {
                    row.tags.retain(|known| known != tag);
                } else if row.tags.iter().all(|known| known != tag) {
                    row.tags.push(tag.to_owned());
                }
                self.save_interface(row);
            }
            _ => return Err(bad_method()),
        }
        Ok(LabResponse::json(
            200,
            &self.show_interface(&self.interfaces[&id]),
        ))
    }

    /// An interface of a node by id, by name, or by an address.
    fn find_interface(&self, node: &str, text: &str) -> Result<u64, LabResponse> {
        let (by_id, by_name) = match text.split_once(':') {
            Some(("id", id)) if id.parse::<u64>().is_err() => {
                return Err(plain(400, "Interface ID must be numeric."));
            }
            Some(("id", id)) => (id.parse().ok(), None),
            Some(("name", name)) => (None, Some(name)),
            _ => (text.parse::<u64>().ok(), Some(text)),
        };
        let ip: Option<std::net::IpAddr> = text.parse().ok();
        let mut here = self.interfaces_of(node);
        let found = here.find(|row| match (by_id, ip) {
            (Some(id), _) => row.id == id,
            (None, Some(ip)) => self.links_of(row.id).any(|link| link.ip == Some(ip)),
            (None, None) => Some(row.name.as_str()) == by_name,
        });
        found.map(|row| row.id).ok_or_else(|| missing("Interface"))
    }

    /// The fields depend on the node: of a controller's interface only the VLAN can change, of a deployed machine's only the
    /// name and the MAC.
    fn update_interface(
        &mut self,
        host: &StoredNode,
        id: u64,
        form: &Form,
    ) -> Result<(), LabResponse> {
        let now = self.interfaces[&id].clone();
        let deployed = host.kind == NodeType::Machine && host.status == "Deployed";
        if host.kind == NodeType::Machine && !deployed {
            self.may_change(&host.system_id, "update interface")?;
        }
        if host.kind.is_controller() {
            if now.kind == "vlan" {
                return Err(plain(403, "Cannot modify VLAN interface on controller."));
            }
            let mut errors = super::form::FormErrors::default();
            let mut row = now.clone();
            row.vlan = self.named_vlan(form, now.vlan, &mut errors);
            form::read_link_state(&now, form, &mut row, &mut errors);
            errors.done()?;
            self.save_interface(row);
        } else if deployed {
            let row = self.read_deployed(&now, form)?;
            self.save_interface(row);
        } else {
            let row = self.read_interface(&now, form)?;
            self.refuse_taken_name(&row)?;
            self.update_in_steps(&row)?;
        }
        Ok(())
    }
}
