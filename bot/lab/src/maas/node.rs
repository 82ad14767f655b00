//! Endpoints of devices and controllers, and what all nodes share: lists, and whether a MAC is known.

use serde_json::{Value, json};

use super::answer::{ApiCaller, MaasAnswer, bad_method, missing, no_content, plain};
use super::form::Form;
use super::store::{LabMaas, NodeType, StoredNode};
use crate::wire::{LabRequest, LabResponse};

impl LabMaas {
    /// The nodes of some types that a user sees and that fit the query, oldest first.
    pub(crate) fn list_nodes(
        &self,
        request: &LabRequest,
        caller: &ApiCaller,
        kinds: &[NodeType],
    ) -> MaasAnswer {
        let filter = self.read_filter(&request.query, true)?;
        let mut rows: Vec<&StoredNode> = self
            .nodes
            .values()
            .filter(|node| kinds.contains(&node.kind) && Self::may_see(caller, node))
            .filter(|node| self.fits(node, &filter))
            .collect();
        rows.sort_by_key(|node| node.number);
        let list = rows.into_iter().map(|node| self.show_node(node));
        Ok(LabResponse::json(200, &list.collect()))
    }

    /// Whether an interface of a machine with a status other than New has this MAC.
    pub(crate) fn is_registered(&self, request: &LabRequest) -> MaasAnswer {
        let mac = request.param("mac_address");
        let mac = mac.ok_or_else(|| plain(400, "No provided mac_address!"))?;
        let mac = mac.to_lowercase();
        let mut known = self.interfaces.values().filter(|row| row.mac == mac);
        let known = known.any(|row| self.nodes[&row.node].status != "Retired");
        Ok(LabResponse::json(200, &json!(known)))
    }

    pub(crate) fn node_list(
        &mut self,
        request: &LabRequest,
        folder: &str,
        form: &Form,
        caller: &ApiCaller,
        op: Option<&str>,
    ) -> MaasAnswer {
        let kinds: &[NodeType] = match folder {
            "devices" => &[NodeType::Device],
            "rackcontrollers" => &[NodeType::Rack, NodeType::RegionRack],
            "regioncontrollers" => &[NodeType::Region, NodeType::RegionRack],
            _ => &[
                NodeType::Device,
                NodeType::Machine,
                NodeType::Rack,
                NodeType::RegionRack,
                NodeType::Region,
            ],
        };
        match (request.method.as_str(), op) {
            ("GET", None) => self.list_nodes(request, caller, kinds),
            ("GET", Some("is_registered")) => self.is_registered(request),
            ("GET", Some("power_parameters")) => {
                super::answer::admin_to_create(caller)?;
                Ok(LabResponse::json(
                    200,
                    &Value::Object(serde_json::Map::new()),
                ))
            }
            ("POST", None) if folder == "devices" => self.create_device(form, caller),
            _ => Err(bad_method()),
        }
    }

    /// A node by its collection. Every user sees a device or controller whose id they know.
    pub(crate) fn plain_node(
        &mut self,
        method: &str,
        folder: &str,
        id: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        let (word, fits): (&str, fn(NodeType) -> bool) = match folder {
            "devices" => ("Device", |kind| kind == NodeType::Device),
            "rackcontrollers" => ("RackController", NodeType::is_rack),
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
        let node = node.ok_or_else(|| missing(word))?.clone();
        if node.kind == NodeType::Machine && !Self::may_see(caller, &node) {
            return Err(plain(403, ""));
        }
        match method {
            "GET" => Ok(LabResponse::json(200, &self.show_node(&node))),
            "DELETE" if !controller => {
                if folder == "devices" {
                    Self::may_edit(caller, &node)?;
                } else {
                    Self::may_administer(caller, &node)?;
                }
                self.delete_node(id);
                Ok(no_content())
            }
            "DELETE" => {
                super::answer::admin_to_change(caller)?;
                // The lab does not implement the cascade of deleting a controller.
                Err(bad_method())
            }
            "PUT" if folder == "devices" => {
                Self::may_edit(caller, &node)?;
                self.rename_device(node, form)
            }
            _ => {
                super::answer::admin_to_change(caller)?;
                Ok(LabResponse::json(200, &self.show_node(&node)))
            }
        }
    }
}
