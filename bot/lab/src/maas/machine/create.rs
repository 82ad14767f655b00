//! New machines and devices over the API (3.7.3 `maasserver/api/machines.py`, `api/devices.py`).

use super::fields::check_power;
use crate::maas::answer::{ApiCaller, MaasAnswer, flag};
use crate::maas::form::{Form, FormErrors, REQUIRED};
use crate::maas::store::{LabMaas, NodeType, StoredInterface, StoredNode, generated};
use crate::wire::LabResponse;

impl LabMaas {
    /// A New machine with a physical interface without VLAN for each MAC; it is commissioned unless `commission=false`.
    pub(super) fn create_machine(
        &mut self,
        form: &Form,
        caller: &ApiCaller,
        now: i64,
    ) -> MaasAnswer {
        let commission = flag(form.raw("commission"), "commission", true)?;
        let deployed = flag(form.raw("deployed"), "deployed", false)?;
        let power = form.given("power_type");
        let mut errors = FormErrors::default();
        // A BMC identifies the machine, so that its MACs may be unknown.
        let needs_macs = power != Some("ipmi");
        let mut row = self.read_new_node(NodeType::Machine, form, needs_macs, &mut errors);
        if form.given("architecture").is_none() && needs_macs {
            errors.add("architecture", REQUIRED);
        }
        check_power(power, &mut errors);
        errors.done()?;
        "New".clone_into(&mut row.status);
        if deployed {
            "Deployed".clone_into(&mut row.status);
            row.owner = Some(caller.name.clone());
        }
        let id = self.insert_node(row, form);
        self.set_power(&id, power.unwrap_or_default(), form);
        if caller.admin && commission && !deployed {
            let node = self.nodes[&id].clone();
            self.commission_machine(&node, form, caller, now)?;
        }
        Ok(LabResponse::json(200, &self.show_node(&self.nodes[&id])))
    }

    /// A device of the caller.
    pub(crate) fn create_device(&mut self, form: &Form, caller: &ApiCaller) -> MaasAnswer {
        let mut errors = FormErrors::default();
        let mut row = self.read_new_node(NodeType::Device, form, true, &mut errors);
        errors.done()?;
        row.owner = Some(caller.name.clone());
        let id = self.insert_node(row, form);
        Ok(LabResponse::json(200, &self.show_node(&self.nodes[&id])))
    }

    /// Renames a device.
    pub(crate) fn rename_device(&mut self, mut row: StoredNode, form: &Form) -> MaasAnswer {
        let mut errors = FormErrors::default();
        if let Some(name) = form.given("hostname") {
            row.hostname = self.read_hostname(name, Some(&row.system_id.clone()), &mut errors);
        }
        if let Some(domain) = form.given("domain") {
            row.domain = self.read_domain(domain, row.domain, &mut errors);
        }
        if let Some(text) = form.get("description") {
            text.clone_into(&mut row.description);
        }
        errors.done()?;
        let shown = self.show_node(&row);
        self.nodes.insert(row.system_id.clone(), row);
        Ok(LabResponse::json(200, &shown))
    }

    fn read_new_node(
        &self,
        kind: NodeType,
        form: &Form,
        needs_macs: bool,
        errors: &mut FormErrors,
    ) -> StoredNode {
        let number = self.sequences.get("node").copied().unwrap_or(1);
        let seed = format!("node {number}");
        let hostname = match form.given("hostname") {
            Some(name) => self.read_hostname(name, None, errors),
            None => format!("lab-{}", generated(&seed, 6).to_lowercase()),
        };
        let mut row = StoredNode::new(&generated(&seed, 6).to_lowercase(), &hostname, kind);
        if let Some(domain) = form.given("domain") {
            row.domain = self.read_domain(domain, row.domain, errors);
        }
        let macs = new_macs(form);
        if macs.is_empty() && needs_macs {
            errors.add("mac_addresses", REQUIRED);
        }
        for mac in macs {
            let parts: Vec<&str> = mac.split(':').collect();
            let hex = |part: &&str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
            if parts.len() != 6 || !parts.iter().all(hex) {
                errors.add(
                    "mac_addresses",
                    format!("'{mac}' is not a valid MAC address."),
                );
            }
            let mut rows = self.interfaces.values();
            if let Some(other) = rows.find(|row| row.mac == mac) {
                let host = &self.nodes[&other.node].hostname;
                let message = format!("MAC address {mac} already in use on {host}.");
                errors.add("mac_addresses", message);
            }
        }
        row
    }

    fn insert_node(&mut self, mut row: StoredNode, form: &Form) -> String {
        row.number = self.next("node");
        let id = row.system_id.clone();
        self.nodes.insert(id.clone(), row);
        for mac in new_macs(form) {
            let interface = self.next("interface");
            let name = self.next_name(&id);
            let row = StoredInterface {
                id: interface,
                ..StoredInterface::new(&id, &name, "physical", &mac)
            };
            self.interfaces.insert(interface, row);
            if let Some(node) = self.nodes.get_mut(&id) {
                node.boot_interface = node.boot_interface.or(Some(interface));
            }
        }
        id
    }
}

fn new_macs(form: &Form) -> Vec<String> {
    let given = form.all("mac_addresses").unwrap_or_default();
    let macs = given.iter().map(|mac| mac.trim().to_lowercase());
    macs.filter(|mac| !mac.is_empty()).collect()
}
