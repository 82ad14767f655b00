//! Endpoints of machines, devices and controllers.

use serde_json::Value;

use super::answer::{ApiCaller, MaasAnswer, bad_method, missing, no_content, plain};
use super::form::Form;
use super::store::{AllocType, LabMaas, NodeType, StoredAddress};
use crate::wire::{LabRequest, LabResponse};

impl LabMaas {
    pub(crate) fn machines_list(
        &mut self,
        request: &LabRequest,
        method: &str,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        const FILTERS: [&str; 8] = [
            "hostname",
            "mac_address",
            "id",
            "domain",
            "zone",
            "pool",
            "agent_name",
            "op",
        ];
        if method != "GET" {
            return Err(bad_method());
        }
        let odd: Vec<&str> = request
            .query
            .iter()
            .map(|(key, _)| key.as_str())
            .filter(|key| !FILTERS.contains(key))
            .collect();
        if let Some(key) = odd.first() {
            return Err(super::form::field_error(key, "No such constraint."));
        }
        let wanted = |key: &str| -> Vec<&str> {
            request
                .query
                .iter()
                .filter(|(k, _)| k == key)
                .map(|(_, v)| v.as_str())
                .collect()
        };
        let (hosts, ids) = (wanted("hostname"), wanted("id"));
        let list: Vec<Value> = self
            .nodes
            .values()
            .filter(|node| node.kind == NodeType::Machine && Self::may_see(caller, node))
            .filter(|node| hosts.is_empty() || hosts.contains(&node.hostname.as_str()))
            .filter(|node| ids.is_empty() || ids.contains(&node.system_id.as_str()))
            .map(|node| self.show_node(node))
            .collect();
        Ok(LabResponse::json(200, &Value::Array(list)))
    }

    /// A node by its collection. Every user sees a device or controller whose id they know.
    pub(crate) fn plain_node(
        &mut self,
        method: &str,
        folder: &str,
        id: &str,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        let (word, fits): (&str, fn(NodeType) -> bool) = match folder {
            "devices" => ("Device", |kind| kind == NodeType::Device),
            "rackcontrollers" => ("RackController", |kind| {
                matches!(kind, NodeType::Rack | NodeType::RegionRack)
            }),
            "regioncontrollers" => ("RegionController", |kind| {
                matches!(kind, NodeType::Region | NodeType::RegionRack)
            }),
            _ => ("Node", |_| true),
        };
        let controller = folder.ends_with("controllers");
        if method == "PUT" && controller {
            super::answer::admin_to_create(caller)?;
        }
        let node = self.nodes.get(id).filter(|node| fits(node.kind));
        let node = node.ok_or_else(|| missing(word))?;
        if node.kind == NodeType::Machine && !Self::may_see(caller, node) {
            return Err(plain(403, ""));
        }
        match method {
            "GET" => Ok(LabResponse::json(200, &self.show_node(node))),
            "DELETE" if !controller => {
                super::answer::admin_to_change(caller)?;
                self.delete_node(id);
                Ok(no_content())
            }
            "DELETE" => {
                super::answer::admin_to_change(caller)?;
                // The lab does not implement the cascade of deleting a controller.
                Err(bad_method())
            }
            _ => {
                super::answer::admin_to_change(caller)?;
                Ok(LabResponse::json(200, &self.show_node(&self.nodes[id])))
            }
        }
    }

    pub(crate) fn machine(
        &mut self,
        request: &LabRequest,
        id: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        let found = self
            .nodes
            .get(id)
            .filter(|node| node.kind == NodeType::Machine);
        let node = found.cloned().ok_or_else(|| missing("Machine"))?;
        if !Self::may_see(caller, &node) {
            return Err(plain(403, ""));
        }
        match (request.method.as_str(), request.param("op")) {
            ("GET", None) => {}
            ("PUT", None) => {
                super::answer::admin_to_change(caller)?;
                if let Some(kind) = form.get("power_type") {
                    self.set_power(id, kind, form);
                }
            }
            ("POST", Some("release")) => self.release_machine(id)?,
            ("POST", Some("lock")) => {
                if node.status != "Deployed" && node.status != "Deploying" {
                    return Err(plain(409, "Can't lock, node is not deployed or deploying"));
                }
                if let Some(node) = self.nodes.get_mut(id) {
                    node.locked = true;
                }
            }
            ("POST", Some("unlock")) => {
                if let Some(node) = self.nodes.get_mut(id) {
                    node.locked = false;
                }
            }
            ("DELETE", None) => {
                super::answer::admin_to_change(caller)?;
                self.delete_node(id);
                return Ok(no_content());
            }
            _ => return Err(bad_method()),
        }
        Ok(LabResponse::json(200, &self.show_node(&self.nodes[id])))
    }

    /// Sets the power type. With an address, the BMC's row moves to the subnet that contains it.
    fn set_power(&mut self, id: &str, kind: &str, form: &Form) {
        let address = form.get("power_parameters_power_address");
        let address = address.and_then(super::parse::address);
        if kind == "manual" || address.is_some() {
            self.addresses
                .retain(|_, row| row.bmc_of.as_deref() != Some(id));
        }
        let bmc = (kind != "manual").then(|| match self.nodes[id].bmc {
            Some(bmc) => bmc,
            None => self.next("bmc"),
        });
        if let Some(node) = self.nodes.get_mut(id) {
            kind.clone_into(&mut node.power_type);
            node.bmc = bmc;
        }
        if let (Some(ip), Some(_)) = (address, bmc) {
            let subnet = self.best_subnet(ip);
            self.add_address(StoredAddress {
                id: 0,
                ip: Some(ip),
                alloc: AllocType::Sticky,
                subnet,
                user: None,
                interface: None,
                unknown: None,
                bmc_of: Some(id.to_owned()),
            });
        }
    }

    fn release_machine(&mut self, id: &str) -> Result<(), LabResponse> {
        let node = self.nodes[id].clone();
        if node.status == "Ready" || node.status == "Releasing" {
            return Ok(());
        }
        let may = [
            "Allocated",
            "Deployed",
            "Deploying",
            "Deployment failed",
            "Broken",
            "Reserved",
        ];
        if !may.contains(&node.status.as_str()) {
            return Err(plain(
                409,
                format!(
                    "Machine cannot be released in its current state ('{}').",
                    node.status
                ),
            ));
        }
        if node.power_type != "manual" && !node.power_type.is_empty() {
            // No rack runs here. What the request changed before is not rolled back (seen on 3.5.12 and 3.7.3).
            if let Some(node) = self.nodes.get_mut(id) {
                node.osystem.clear();
            }
            let rack = self
                .nodes
                .values()
                .find(|node| matches!(node.kind, NodeType::Rack | NodeType::RegionRack))
                .map(|node| node.system_id.clone())
                .unwrap_or_default();
            return Err(plain(
                503,
                format!(
                    "Unable to connect to any rack controller {rack}; no connections available."
                ),
            )
            .with("retry-after", "10"));
        }
        self.free_machine(id);
        Ok(())
    }

    /// AUTO links lose their address; STATIC links stay (seen on 3.5.12 and 3.7.3; 3.5.9 maasserver/models/node.py:4790-4812).
    pub(crate) fn free_machine(&mut self, id: &str) {
        let interfaces: Vec<u64> = self
            .interfaces_of(id)
            .map(|interface| interface.id)
            .collect();
        for row in self.addresses.values_mut() {
            let here = row
                .interface
                .is_some_and(|interface| interfaces.contains(&interface));
            if here && row.alloc == AllocType::Auto {
                row.ip = None;
            }
        }
        if let Some(node) = self.nodes.get_mut(id) {
            let end = if node.commissioned { "Ready" } else { "New" };
            end.clone_into(&mut node.status);
            node.owner = None;
            node.osystem.clear();
            node.locked = false;
        }
    }

    fn delete_node(&mut self, id: &str) {
        let interfaces: Vec<u64> = self
            .interfaces_of(id)
            .map(|interface| interface.id)
            .collect();
        for interface in interfaces {
            self.remove_interface(interface);
        }
        self.addresses
            .retain(|_, row| row.bmc_of.as_deref() != Some(id));
        self.snippets
            .retain(|_, row| row.node.as_deref() != Some(id));
        self.nodes.remove(id);
    }
}
