//! DHCP snippets: text for dhcpd.conf, kept for a node, a subnet, a range or all (3.5.9 `maasserver/forms/dhcpsnippet.py`).

use serde_json::{Value, json};

use super::form::{Errors, Form, REQUIRED};
use super::store::{Maas, Snippet};
use super::{Answer, Asker, admin_to_create, bad_method, gone, missing};
use crate::wire::Response;

const STAMP: &str = "Thu, 01 Jan 2026 00:00:00 -0000";

impl Maas {
    pub(crate) fn snippets_list(&mut self, method: &str, form: &Form, asker: &Asker) -> Answer {
        if method == "GET" {
            let all = self.snippets.values().map(|row| self.show_snippet(row));
            return Ok(Response::json(200, &all.collect()));
        }
        admin_to_create(asker)?;
        let blank = Snippet {
            enabled: true,
            ..Snippet::default()
        };
        let mut row = self.read_snippet(&blank, form, true)?;
        row.id = self.next("snippet");
        let shown = self.show_snippet(&row);
        self.snippets.insert(row.id, row);
        Ok(Response::json(200, &shown))
    }

    pub(crate) fn snippet(&mut self, method: &str, id: &str, form: &Form, asker: &Asker) -> Answer {
        let found = id.parse().ok().and_then(|id: u64| self.snippets.get(&id));
        let found = found.or_else(|| self.snippets.values().find(|row| row.name == id));
        let mut row = found.cloned().ok_or_else(|| missing("DHCPSnippet"))?;
        match method {
            "GET" => {}
            "PUT" => {
                admin_to_create(asker)?;
                let old = row.value.clone();
                row = self.read_snippet(&row, form, false)?;
                if row.value != old {
                    row.history.insert(0, old);
                }
                self.snippets.insert(row.id, row.clone());
            }
            "DELETE" => {
                admin_to_create(asker)?;
                self.snippets.remove(&row.id);
                return Ok(gone());
            }
            _ => return Err(bad_method()),
        }
        Ok(Response::json(200, &self.show_snippet(&row)))
    }

    fn read_snippet(
        &self,
        now: &Snippet,
        form: &Form,
        creating: bool,
    ) -> Result<Snippet, Response> {
        let mut errors = Errors::default();
        let mut row = now.clone();
        for (field, slot) in [
            ("name", &mut row.name),
            ("value", &mut row.value),
            ("description", &mut row.description),
        ] {
            let text = form.get(field).unwrap_or_default();
            if creating && field != "description" && text.is_empty() {
                errors.add(field, REQUIRED);
            } else if form.get(field).is_some() {
                text.clone_into(slot);
            }
        }
        if form.get("enabled").is_some() {
            row.enabled = form.tick("enabled");
        }
        let given = |field: &str| form.get(field).filter(|text| !text.is_empty());
        if let Some(text) = given("subnet") {
            row.subnet = self.find_subnet(text).ok();
            row.node = None;
            if row.subnet.is_none() {
                errors.add("subnet", format!("None found with id={text}."));
            }
        }
        if let Some(text) = given("node") {
            row.node = self.nodes.get(text).map(|node| node.system_id.clone());
            row.subnet = None;
            if row.node.is_none() {
                errors.add("node", super::form::NO_CHOICE);
            }
        }
        if let Some(text) = given("iprange") {
            let found = text.parse().ok().filter(|id| self.ranges.contains_key(id));
            row.range = found;
            if found.is_none() {
                errors.add("iprange", format!("None found with id={text}."));
            }
        }
        if form.tick("global_snippet") {
            (row.node, row.subnet, row.range) = (None, None, None);
        }
        errors.done()?;
        Ok(row)
    }

    fn show_snippet(&self, row: &Snippet) -> Value {
        let history = row.history.iter().enumerate();
        let history: Vec<Value> = history
            .map(|(at, value)| json!({"id": at + 1, "value": value, "created": STAMP}))
            .collect();
        json!({
            "id": row.id, "name": row.name, "value": row.value, "history": history, "description": row.description,
            "enabled": row.enabled, "node": row.node.as_ref().and_then(|id| self.nodes.get(id)).map(|node| self.show_node(node)),
            "subnet": row.subnet.map(|subnet| self.show_subnet(subnet)),
            "global_snippet": row.node.is_none() && row.subnet.is_none(),
            "resource_uri": format!("/MAAS/api/2.0/dhcp-snippets/{}/", row.id),
        })
    }
}
