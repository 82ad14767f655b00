//! Endpoints of the list of machines: allocating by constraints, releasing several, cloning (3.7.3
//! `maasserver/api/machines.py`).

use serde_json::{Value, json};

use super::RELEASABLE;
use crate::maas::answer::{ApiCaller, MaasAnswer, bad_method, flag, plain};
use crate::maas::form::Form;
use crate::maas::names::quoted;
use crate::maas::store::{LabMaas, NodeType, StoredNode};
use crate::wire::{LabRequest, LabResponse};

impl LabMaas {
    pub(crate) fn machines_list(
        &mut self,
        request: &LabRequest,
        form: &Form,
        caller: &ApiCaller,
        op: Option<&str>,
    ) -> MaasAnswer {
        match (request.method.as_str(), op) {
            ("GET", None) => self.list_nodes(request, caller, &[NodeType::Machine]),
            ("GET", Some("is_registered")) => self.is_registered(request),
            ("GET", Some("list_allocated")) => {
                let ids: Vec<&str> = request
                    .query
                    .iter()
                    .filter(|(key, _)| key == "id")
                    .map(|(_, value)| value.as_str())
                    .collect();
                let own = self.machines_by_age().filter(|node| {
                    let asked = ids.is_empty() || ids.contains(&node.system_id.as_str());
                    node.owner.as_ref() == Some(&caller.name) && node.status == "Allocated" && asked
                });
                let list = own.map(|node| self.show_node(node)).collect();
                Ok(LabResponse::json(200, &list))
            }
            ("GET", Some("power_parameters")) => {
                crate::maas::answer::admin_to_create(caller)?;
                let all = self.machines_by_age();
                let map: serde_json::Map<String, Value> = all
                    .map(|node| (node.system_id.clone(), json!({})))
                    .collect();
                Ok(LabResponse::json(200, &Value::Object(map)))
            }
            ("POST", None) => self.create_machine(form, caller, request.now),
            ("POST", Some("allocate")) => self.allocate(form, caller),
            ("POST", Some("release")) => self.release_several(form, caller, request.now),
            ("POST", Some("accept" | "accept_all")) => self.accept(form, caller, request.now, op),
            ("POST", Some("clone")) => self.clone_machine(form, caller),
            _ => Err(bad_method()),
        }
    }

    pub(super) fn machines_by_age(&self) -> impl Iterator<Item = &StoredNode> {
        let machines = self.nodes.values();
        let mut all: Vec<&StoredNode> = machines
            .filter(|node| node.kind == NodeType::Machine)
            .collect();
        all.sort_by_key(|node| node.number);
        all.into_iter()
    }

    /// A Ready machine that fits the constraints becomes the caller's.
    fn allocate(&mut self, form: &Form, caller: &ApiCaller) -> MaasAnswer {
        let dry_run = flag(form.raw("dry_run"), "dry_run", false)?;
        let pairs = form.pairs();
        let filter = self.read_filter(&pairs, false)?;
        let found = self.machines_by_age().find(|node| {
            let free = node.status == "Ready" && Self::may_edit(caller, node).is_ok();
            free && self.fits(node, &filter)
        });
        let Some(id) = found.map(|node| node.system_id.clone()) else {
            let described = filter.described(self);
            return Err(plain(409, no_machine(form, &described)));
        };
        if !dry_run {
            self.acquire(&id, &caller.name);
        }
        let mut shown = self.show_node(&self.nodes[&id]);
        shown["constraints_by_type"] = json!({});
        Ok(LabResponse::json(200, &shown))
    }

    /// The named machines, which all have to exist and be the caller's.
    fn named_machines(
        &self,
        form: &Form,
        caller: &ApiCaller,
        verb: &str,
    ) -> Result<Vec<StoredNode>, LabResponse> {
        let ids = form.all("machines").unwrap_or_default();
        let known = |id: &&String| {
            let node = self.nodes.get(*id);
            node.is_some_and(|node| node.kind == NodeType::Machine)
        };
        let join = |ids: Vec<&String>| {
            let mut texts: Vec<&str> = ids.into_iter().map(String::as_str).collect();
            texts.sort_unstable();
            texts.dedup();
            texts.join(", ")
        };
        let unknown: Vec<&String> = ids.iter().filter(|id| !known(id)).collect();
        if !unknown.is_empty() {
            let message = format!("Unknown machine(s): {}.", join(unknown));
            return Err(plain(400, message));
        }
        let may = |id: &&String| {
            let node = &self.nodes[*id];
            match verb {
                "release" => Self::may_edit(caller, node).is_ok(),
                _ => Self::may_administer(caller, node).is_ok(),
            }
        };
        let refused: Vec<&String> = ids.iter().filter(|id| !may(id)).collect();
        if !refused.is_empty() {
            let message = format!(
                "You don't have the required permission to {verb} the following machine(s): {}.",
                join(refused)
            );
            return Err(plain(403, message));
        }
        let named = self.machines_by_age();
        Ok(named
            .filter(|node| ids.contains(&node.system_id))
            .cloned()
            .collect())
    }

    fn release_several(&mut self, form: &Form, caller: &ApiCaller, now: i64) -> MaasAnswer {
        let mut released = Vec::new();
        let mut failed = Vec::new();
        for node in self.named_machines(form, caller, "release")? {
            if node.status == "Ready" {
                continue;
            }
            if !RELEASABLE.contains(&node.status.as_str()) {
                failed.push(format!("{} ('{}')", node.system_id, node.status));
                continue;
            }
            self.release_machine(&node, now)?;
            released.push(node.system_id);
        }
        if !failed.is_empty() {
            let message = format!(
                "Machine(s) cannot be released in their current state: {}.",
                failed.join(", ")
            );
            return Err(plain(409, message));
        }
        Ok(LabResponse::json(200, &json!(released)))
    }

    /// New machines are commissioned.
    fn accept(
        &mut self,
        form: &Form,
        caller: &ApiCaller,
        now: i64,
        op: Option<&str>,
    ) -> MaasAnswer {
        let machines = match op {
            Some("accept") => self.named_machines(form, caller, "accept")?,
            _ if caller.admin => self.machines_by_age().cloned().collect(),
            _ => Vec::new(),
        };
        let mut accepted = Vec::new();
        for node in machines.iter().filter(|node| node.status == "New") {
            self.commission_machine(node, &Form::default(), caller, now)?;
            accepted.push(self.show_node(&self.nodes[&node.system_id]));
        }
        Ok(LabResponse::json(200, &Value::Array(accepted)))
    }
}

fn no_machine(form: &Form, described: &str) -> String {
    if described.is_empty() {
        return "No machine available.".to_owned();
    }
    if let Some(id) = form.raw("system_id") {
        return format!("No machine with system ID {id} available.");
    }
    let given: Vec<String> = form
        .lists()
        .filter(|(name, _)| *name != "op")
        .map(|(name, values)| {
            let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
            format!("({}, [{}])", quoted(name), values.join(", "))
        })
        .collect();
    format!(
        "No available machine matches constraints: [{}] (resolved to \"{described}\")",
        given.join(", ")
    )
}
