//! Cloning the networking of one machine to others (3.7.3 `maasserver/forms/clone.py`, `models/node.py`).

use std::collections::BTreeMap;

use super::refused;
use crate::maas::answer::{ApiCaller, MaasAnswer, no_content};
use crate::maas::form::{Form, FormErrors, NO_CHOICE, REQUIRED};
use crate::maas::store::{AllocType, LabMaas, NodeType, StoredInterface};
use crate::wire::LabResponse;

impl LabMaas {
    pub(super) fn clone_machine(&mut self, form: &Form, caller: &ApiCaller) -> MaasAnswer {
        let mut errors = FormErrors::default();
        let source = form.given("source").and_then(|id| self.nodes.get(id));
        let source =
            source.filter(|node| node.kind == NodeType::Machine && Self::may_see(caller, node));
        let source = source.map(|node| node.system_id.clone());
        match (&source, form.given("source")) {
            (Some(_), _) => {}
            (None, Some(_)) => {
                errors.add("source", NO_CHOICE);
                errors.add("source", REQUIRED);
            }
            (None, None) => errors.add("source", REQUIRED),
        }
        let texts = form.get("destinations").unwrap_or_default();
        let texts: Vec<&str> = texts.split(',').filter(|text| !text.is_empty()).collect();
        if texts.is_empty() {
            errors.add("destinations", REQUIRED);
        }
        for (at, text) in texts.iter().enumerate() {
            let node = self.nodes.get(*text).filter(|node| {
                let free = ["Ready", "Failed testing"].contains(&node.status.as_str());
                node.kind == NodeType::Machine && free && Self::may_administer(caller, node).is_ok()
            });
            if node.is_none() {
                let message = format!(
                    "Machine {} is invalid: Select a valid choice. {text} is not one of the available choices.",
                    at + 1
                );
                errors.add("destinations", message);
            } else if source.as_deref() == Some(text) {
                let host = &self.nodes[*text].hostname;
                let message =
                    format!("Source machine {text} ({host}) cannot be a destination machine.");
                errors.add("destinations", message);
            }
        }
        let interfaces = form.tick("interfaces");
        if !interfaces && !form.tick("storage") {
            errors.add("__all__", "Either storage or interfaces must be true.");
        }
        if let Some(source) = source
            .as_deref()
            .filter(|_| interfaces && errors.is_empty())
        {
            for text in &texts {
                self.check_clone(source, text, &mut errors);
            }
        }
        errors.done()?;
        let source = source.unwrap_or_default();
        for text in texts.iter().filter(|_| interfaces) {
            self.clone_networking(&source, text)?;
        }
        Ok(no_content())
    }

    /// A destination needs a physical interface for each of the source's, of the same name.
    fn check_clone(&self, source: &str, to: &str, errors: &mut FormErrors) {
        let names: Vec<&str> = self
            .interfaces_of(to)
            .filter(|row| row.kind == "physical")
            .map(|row| row.name.as_str())
            .collect();
        let missing: Vec<&str> = self
            .interfaces_of(source)
            .filter(|row| row.kind == "physical" && !names.contains(&row.name.as_str()))
            .map(|row| row.name.as_str())
            .collect();
        if !missing.is_empty() {
            let host = &self.nodes[to].hostname;
            let message = format!(
                "{to} ({host}) is invalid: destination node physical interfaces do not match the source nodes physical interfaces: {}",
                missing.join(", ")
            );
            errors.add("destinations", message);
        }
    }

    /// Links and chosen gateways of the destination go first. Then the physical interfaces are copied by name, and what stands
    /// on them is made; a name that the destination has already is refused, and before 3.6 what was copied by then stays.
    fn clone_networking(&mut self, source: &str, to: &str) -> Result<(), LabResponse> {
        let rows: Vec<StoredInterface> = self.interfaces_of(source).cloned().collect();
        let taken = rows.iter().any(|row| {
            let mut all = self.interfaces_of(to);
            row.kind != "physical" && all.any(|other| other.name == row.name)
        });
        let refusal = refused("Interface with this Node config and Name already exists.");
        if taken && !self.version.keeps_refused_changes() {
            return Err(refusal);
        }
        let own: Vec<u64> = self.interfaces_of(to).map(|row| row.id).collect();
        for interface in own {
            self.remove_links(interface);
        }
        let mut copies: BTreeMap<u64, u64> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.kind == "physical") {
            let same = |other: &&StoredInterface| other.name == row.name;
            let Some(mut copy) = self.interfaces_of(to).find(same).cloned() else {
                continue;
            };
            copy.vlan = row.vlan;
            copy.params.clone_from(&row.params);
            copy.enabled = row.enabled;
            copies.insert(row.id, copy.id);
            self.save_interface(copy.clone());
            self.copy_links(row.id, copy.id)?;
        }
        if taken {
            return Err(refusal);
        }
        let mut waiting: Vec<&StoredInterface> =
            rows.iter().filter(|row| row.kind != "physical").collect();
        while let Some(at) = waiting
            .iter()
            .position(|row| row.parents.iter().all(|id| copies.contains_key(id)))
        {
            let row = waiting.remove(at);
            let id = self.next("interface");
            let parents: Vec<u64> = row.parents.iter().map(|parent| copies[parent]).collect();
            let mac = parents.first().map(|id| self.interfaces[id].mac.clone());
            self.interfaces.insert(
                id,
                StoredInterface {
                    id,
                    node: to.to_owned(),
                    mac: mac.unwrap_or_default(),
                    parents,
                    ..row.clone()
                },
            );
            copies.insert(row.id, id);
            self.copy_links(row.id, id)?;
        }
        Ok(())
    }

    /// The same links; a STATIC one gets another address.
    fn copy_links(&mut self, from: u64, to: u64) -> Result<(), LabResponse> {
        let links: Vec<_> = self.links_of(from).cloned().collect();
        for link in links {
            let ip = match (link.alloc, link.ip, link.subnet) {
                (AllocType::Discovered, ..) => continue,
                (AllocType::Sticky, Some(_), Some(subnet)) => Some(self.pick_free(subnet)?),
                _ => None,
            };
            self.add_link(to, link.alloc, link.subnet, ip);
        }
        Ok(())
    }
}
