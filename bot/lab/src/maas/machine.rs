//! Endpoints of one machine (3.7.3 `maasserver/api/machines.py`, `api/nodes.py`).

mod allocate;
mod clone;
mod create;
mod fields;
mod filter;
mod lifecycle;
mod progress;

use serde_json::{Value, json};

use super::answer::{ApiCaller, MaasAnswer, bad_method, missing, no_content, plain};
use super::form::{Form, field_error};
use super::store::{LabMaas, NodeType, StoredNode};
use crate::wire::{LabRequest, LabResponse};

/// Statuses in which a machine may be released.
const RELEASABLE: [&str; 8] = [
    "Allocated",
    "Reserved",
    "Broken",
    "Deploying",
    "Deployed",
    "Deployment failed",
    "Failed disk erasing",
    "Releasing failed",
];

impl LabMaas {
    pub(crate) fn machine(
        &mut self,
        request: &LabRequest,
        id: &str,
        form: &Form,
        caller: &ApiCaller,
        op: Option<&str>,
    ) -> MaasAnswer {
        let found = self.nodes.get(id);
        let found = found.filter(|node| node.kind == NodeType::Machine);
        let node = found.cloned().ok_or_else(|| missing("Machine"))?;
        match (request.method.as_str(), op) {
            ("GET", None) if Self::may_see(caller, &node) => {}
            ("GET", Some(op)) => return self.read_machine(&node, caller, op),
            ("PUT", None) => {
                Self::may_administer(caller, &node)?;
                self.update_machine(id, form)?;
            }
            ("DELETE", None) => {
                Self::may_administer(caller, &node)?;
                self.delete_node(id);
                return Ok(no_content());
            }
            ("POST", Some(op)) => {
                may_do(caller, &node, op)?;
                if let Some(answer) = self.operate(request, &node, form, caller, op)? {
                    return Ok(answer);
                }
            }
            ("GET", None) => return Err(plain(403, "")),
            _ => return Err(bad_method()),
        }
        Ok(LabResponse::json(200, &self.show_node(&self.nodes[id])))
    }

    fn read_machine(&self, node: &StoredNode, caller: &ApiCaller, op: &str) -> MaasAnswer {
        let secret = matches!(op, "power_parameters" | "get_token");
        if secret && !caller.admin || !Self::may_see(caller, node) {
            return Err(plain(403, ""));
        }
        match op {
            "query_power_state" => {
                self.reach_power(node)?;
                let state = match (node.power_type.as_str(), node.power_on) {
                    ("manual" | "", _) => "unknown",
                    (_, true) => "on",
                    (_, false) => "off",
                };
                Ok(LabResponse::json(200, &json!({"state": state})))
            }
            "power_parameters" => Ok(LabResponse::json(200, &json!({}))),
            "get_token" => Ok(LabResponse::json(200, &Value::Null)),
            "get_curtin_config"
                if !["Deploying", "Deployed", "Deployment failed"]
                    .contains(&node.status.as_str()) =>
            {
                let host = &node.hostname;
                let message = format!("Machine {host} is not in a deployment state.");
                Err(plain(400, message))
            }
            _ => Err(bad_method()),
        }
    }

    /// An operation after its rights are checked. `None` is the usual answer: the machine.
    fn operate(
        &mut self,
        request: &LabRequest,
        node: &StoredNode,
        form: &Form,
        caller: &ApiCaller,
        op: &str,
    ) -> Result<Option<LabResponse>, LabResponse> {
        let id = node.system_id.as_str();
        match op {
            "release" => {
                if !["Ready", "Releasing"].contains(&node.status.as_str()) {
                    self.release_machine(node, request.now)?;
                }
            }
            "deploy" => self.deploy_machine(node, form, caller, request.now)?,
            "commission" => self.commission_machine(node, form, caller, request.now)?,
            "abort" => self.abort_operation(node)?,
            "mark_broken" => self.mark_broken(node, caller, request.now)?,
            "mark_fixed" => self.mark_fixed(node)?,
            "lock" | "unlock" => self.switch_lock(node, op == "lock")?,
            "rescue_mode" => self.start_rescue_mode(node, caller, request.now)?,
            "exit_rescue_mode" => self.stop_rescue_mode(node, request.now)?,
            // The lab has no scripts.
            "test" => return Err(plain(400, "No testing scripts found!")),
            "override_failed_testing" => self.override_failed_testing(node)?,
            "clear_default_gateways" => {
                if let Some(node) = self.nodes.get_mut(id) {
                    (node.gateway_v4, node.gateway_v6) = (None, None);
                }
            }
            "restore_networking_configuration" | "restore_default_configuration" => {
                self.restore_networking(node, op)?;
            }
            "power_on" | "power_off" => {
                if op == "power_on" && node.owner.is_none() {
                    return Err(plain(409, "Can't start node: it hasn't been allocated."));
                }
                self.reach_power(node)?;
                if node.power_type == "manual" && op == "power_off" {
                    return Ok(Some(LabResponse::json(200, &Value::Null)));
                }
                if let Some(node) = self.nodes.get_mut(id) {
                    node.power_on = op == "power_on";
                }
            }
            "set_owner_data" | "set_workload_annotations" => {
                if node.owner.as_ref() != Some(&caller.name) {
                    let message = "Cannot set workload annotation: it hasn't been acquired.";
                    return Err(plain(409, message));
                }
            }
            _ => return Err(bad_method()),
        }
        Ok(None)
    }

    fn restore_networking(&mut self, node: &StoredNode, op: &str) -> Result<(), LabResponse> {
        if !["Ready", "Failed testing"].contains(&node.status.as_str()) {
            let what = match op {
                "restore_default_configuration" => {
                    "restore default networking and storage configuration."
                }
                _ => "restore networking configuration",
            };
            let message = format!("Machine must be in a ready or failed testing state to {what}");
            return Err(plain(409, message));
        }
        if !node.commissioned {
            let message = "'NoneType' object has no attribute 'find_script_result'";
            return Err(LabResponse::text(500, message));
        }
        self.reset_networking(&node.system_id);
        Ok(())
    }

    fn switch_lock(&mut self, node: &StoredNode, lock: bool) -> Result<(), LabResponse> {
        match (lock, node.locked) {
            (true, true) => return Err(plain(409, "Machine is already locked")),
            (false, false) => return Err(plain(409, "Machine is not locked")),
            (true, false) if !["Deployed", "Deploying"].contains(&node.status.as_str()) => {
                return Err(plain(409, "Can't lock, node is not deployed or deploying"));
            }
            _ => {}
        }
        if let Some(node) = self.nodes.get_mut(&node.system_id) {
            node.locked = lock;
        }
        Ok(())
    }

    fn override_failed_testing(&mut self, node: &StoredNode) -> Result<(), LabResponse> {
        if node.status != "Failed testing" {
            let message = "Unable to override node status. Node is not in 'Failed testing' status.";
            return Err(plain(409, message));
        }
        let status = if node.osystem.is_empty() {
            "Ready"
        } else {
            "Deployed"
        };
        self.set_node_status(&node.system_id, status);
        Ok(())
    }

    pub(crate) fn delete_node(&mut self, id: &str) {
        let interfaces: Vec<u64> = self.interfaces_of(id).map(|row| row.id).collect();
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

/// MAAS's rights on a machine: owners may use theirs and unowned ones, administrators may do anything that is not locked, and a
/// lock does not hold the lock itself (3.7.3 `maasserver/auth/local.py`).
fn may_do(caller: &ApiCaller, node: &StoredNode, op: &str) -> Result<(), LabResponse> {
    const OF_ADMINISTRATORS: [&str; 11] = [
        "commission",
        "clear_default_gateways",
        "restore_networking_configuration",
        "restore_storage_configuration",
        "restore_default_configuration",
        "mark_fixed",
        "rescue_mode",
        "exit_rescue_mode",
        "set_storage_layout",
        "test",
        "override_failed_testing",
    ];
    if op == "lock" || op == "unlock" {
        let unlocked = StoredNode {
            locked: false,
            ..node.clone()
        };
        return LabMaas::may_edit(caller, &unlocked);
    }
    if OF_ADMINISTRATORS.contains(&op) {
        return LabMaas::may_administer(caller, node);
    }
    LabMaas::may_edit(caller, node)
}

/// 400 for a form as a whole.
fn refused(message: &str) -> LabResponse {
    field_error("__all__", message)
}
