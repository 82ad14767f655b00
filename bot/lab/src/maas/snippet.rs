//! Endpoints of DHCP snippets: text for dhcpd.conf that applies to a node, a subnet, one of its ranges, or globally (3.5.9
//! `maasserver/forms/dhcpsnippet.py`, `models/dhcpsnippet.py`, `api/dhcpsnippets.py`).
//!
//! Before 3.6 a rack lets dhcpd validate each snippet. In the lab every rack is connected and accepts any text; without a
//! rack on the right network the lab refuses as MAAS does.

use serde_json::{Value, json};

use super::answer::{
    ApiCaller, MaasAnswer, admin_to_create, bad_method, missing, no_content, plain,
};
use super::form::{Form, FormErrors, REQUIRED, no_such_choice, refuse_long};
use super::lookup::row_number;
use super::parse;
use super::store::{LabMaas, NodeType, StoredSnippet};
use crate::wire::LabResponse;

const STAMP: &str = "Thu, 01 Jan 2026 00:00:00 -0000";

impl LabMaas {
    pub(crate) fn snippets_list(
        &mut self,
        method: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        if method == "GET" {
            let all = self.snippets.values().map(|row| self.show_snippet(row));
            return Ok(LabResponse::json(200, &all.collect()));
        }
        admin_to_create(caller)?;
        // Each text has a number, even that of a snippet that is refused.
        let number = form.raw("value").map(|_| self.next("snippet text"));
        let mut row = self.read_snippet(None, form)?;
        row.value_number = number.unwrap_or_default();
        row.id = self.next("snippet");
        let shown = self.show_snippet(&row);
        self.snippets.insert(row.id, row);
        Ok(LabResponse::json(200, &shown))
    }

    pub(crate) fn snippet(
        &mut self,
        method: &str,
        id: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        let mut row = self.find_snippet(id)?.clone();
        if method != "GET" {
            admin_to_create(caller)?;
        }
        match method {
            "GET" => {}
            "PUT" => {
                let now = row;
                row = self.read_snippet(Some(&now), form)?;
                if row.value != now.value {
                    row.history.insert(0, (now.value_number, now.value));
                    row.value_number = self.next("snippet text");
                }
            }
            "POST" => revert(&mut row, form)?,
            "DELETE" => {
                self.snippets.remove(&row.id);
                return Ok(no_content());
            }
            _ => return Err(bad_method()),
        }
        let shown = self.show_snippet(&row);
        self.snippets.insert(row.id, row);
        Ok(LabResponse::json(200, &shown))
    }

    /// By id or by name.
    fn find_snippet(&self, text: &str) -> Result<&StoredSnippet, LabResponse> {
        if let Some(id) = parse::number(text.strip_prefix("id:").unwrap_or(text)) {
            let row = self.snippets.get(&id);
            return row.ok_or_else(|| missing("DHCPSnippet"));
        }
        let name = text.strip_prefix("name:").unwrap_or(text);
        let mut named = self.snippets.values().filter(|row| row.name == name);
        match (named.next(), named.next()) {
            (None, _) => Err(missing("DHCPSnippet")),
            (Some(row), None) => Ok(row),
            (Some(_), Some(_)) => Err(plain(
                403,
                "Too many DHCPSnippet objects match the given query.",
            )),
        }
    }

    fn read_snippet(
        &self,
        now: Option<&StoredSnippet>,
        form: &Form,
    ) -> Result<StoredSnippet, LabResponse> {
        let mut errors = FormErrors::default();
        let mut row = now.cloned().unwrap_or_else(|| StoredSnippet {
            enabled: true,
            ..StoredSnippet::default()
        });
        match (form.get("name"), now) {
            (None | Some(""), None) => errors.add("name", REQUIRED),
            (Some(""), Some(_)) => errors.add("name", "This field cannot be blank."),
            (Some(name), _) => {
                refuse_long("name", name, 255, &mut errors);
                name.clone_into(&mut row.name);
            }
            (None, Some(_)) => {}
        }
        match (form.raw("value"), now) {
            (None, None) => errors.add("value", "Must be given a value"),
            (Some(value), None) => value.clone_into(&mut row.value),
            (Some(value), Some(_)) => row.value = value.replace("\r\n", "\n"),
            // MAAS fills the absent field with the number of the present text, and takes that for the text.
            (None, Some(now)) => row.value = now.value_number.to_string(),
        }
        if let Some(description) = form.get("description") {
            description.clone_into(&mut row.description);
        }
        if form.get("enabled").is_some() {
            row.enabled = form.tick("enabled");
        }
        self.read_target(now, form, &mut row, &mut errors)?;
        self.check_target(&row, &mut errors);
        errors.done()?;
        self.check_on_rack(&row)?;
        Ok(row)
    }

    /// Reads what the snippet applies to. A new node replaces the subnet and a new subnet replaces the node; an absent field
    /// changes nothing.
    fn read_target(
        &self,
        now: Option<&StoredSnippet>,
        form: &Form,
        row: &mut StoredSnippet,
        errors: &mut FormErrors,
    ) -> Result<(), LabResponse> {
        if let Some(text) = form.given("subnet") {
            row.subnet = self.find_subnet(text).ok();
            if row.subnet.is_none() {
                errors.add("subnet", format!("None found with id={text}."));
            }
        }
        if let Some(text) = form.given("node") {
            let found = self.node_by_id(text).or_else(|| self.node_by_host(text));
            row.node = found.map(|node| node.system_id.clone());
            if row.node.is_none() {
                errors.add("node", no_such_choice(text));
            }
        }
        let known = self.version.has_range_snippets();
        if let Some(text) = form.given("iprange").filter(|_| known) {
            let id = row_number("IPRange", text)?;
            // An existing snippet accepts only ranges of its present subnet.
            let home = now.and_then(|now| now.subnet);
            let found = self
                .ranges
                .get(&id)
                .filter(|range| home.is_none_or(|home| range.subnet == home));
            if found.is_none() {
                errors.add("iprange", format!("None found with id={text}."));
            }
            row.range = found.map(|range| range.id);
        }
        let (subnet, node) = now.map_or((None, None), |now| (now.subnet, now.node.clone()));
        if form.tick("global_snippet") {
            (row.node, row.subnet) = (None, None);
        } else if row.subnet == subnet && row.node.is_some() {
            row.subnet = None;
        } else if row.node == node && row.subnet.is_some() {
            row.node = None;
        }
        Ok(())
    }

    fn check_target(&self, row: &StoredSnippet, errors: &mut FormErrors) {
        let home = row.range.and_then(|id| self.ranges.get(&id));
        let why = match (&row.node, row.subnet, home) {
            (Some(_), Some(_), _) => {
                "A DHCP snippet cannot be enabled on a node and subnet at the same time."
            }
            // The typo is in MAAS.
            (_, None, Some(_)) => {
                "A DHCP snippet cannot be enabled on an iprange withouta parent subnet"
            }
            (_, Some(subnet), Some(range)) if range.subnet != subnet => {
                self.version.foreign_range_message()
            }
            (_, _, _) => return,
        };
        if errors.is_empty() {
            errors.add("__all__", why);
        }
    }

    /// Needs a rack with an address on the subnet, or a rack of the VLAN that this one is relayed to (3.5.12
    /// `maasserver/dhcp.py`).
    fn check_on_rack(&self, row: &StoredSnippet) -> Result<(), LabResponse> {
        if !self.version.checks_snippets_on_a_rack() {
            return Ok(());
        }
        let is_rack = |id: &str| {
            let node = self.nodes.get(id);
            node.is_some_and(|node| matches!(node.kind, NodeType::Rack | NodeType::RegionRack))
        };
        let checked = match row.subnet {
            None => self.nodes.keys().any(|id| is_rack(id)),
            Some(subnet) => {
                let attended = self
                    .addresses
                    .values()
                    .filter(|row| row.subnet == Some(subnet))
                    .filter_map(|row| self.interfaces.get(&row.interface?))
                    .any(|interface| is_rack(&interface.node));
                let relay = self.vlans[&self.subnets[&subnet].vlan].relay;
                let target = relay.filter(|_| self.version.checks_snippets_on_a_relay());
                let racks =
                    target.map(|vlan| (&self.vlans[&vlan].primary, &self.vlans[&vlan].secondary));
                attended || racks.is_some_and(|(one, two)| one.is_some() || two.is_some())
            }
        };
        if checked {
            return Ok(());
        }
        Err(plain(
            400,
            "Unable to validate DHCP config, no available rack controller connected.",
        ))
    }

    /// No release shows the range of a snippet.
    fn show_snippet(&self, row: &StoredSnippet) -> Value {
        let now = (row.value_number, row.value.clone());
        let history: Vec<Value> = std::iter::once(&now)
            .chain(&row.history)
            .map(|(number, value)| json!({"id": number, "value": value, "created": STAMP}))
            .collect();
        // A snippet shows its node as a plain node, whatever its type.
        let node = row
            .node
            .as_ref()
            .and_then(|id| self.nodes.get(id))
            .map(|node| {
                let mut shown = self.show_node(node);
                shown["resource_uri"] = json!(format!("/MAAS/api/2.0/nodes/{}/", node.system_id));
                shown
            });
        json!({
            "id": row.id, "name": row.name, "value": row.value, "history": history, "description": row.description,
            "enabled": row.enabled, "node": node,
            "subnet": row.subnet.map(|subnet| self.show_subnet(subnet)),
            "global_snippet": row.node.is_none() && row.subnet.is_none(),
            "resource_uri": format!("/MAAS/api/2.0/dhcp-snippets/{}/", row.id),
        })
    }
}

/// Reverts to an earlier text, by its number or by how many texts ago. Later ones are deleted.
fn revert(row: &mut StoredSnippet, form: &Form) -> Result<(), LabResponse> {
    let refused = |why: String| plain(400, why);
    let to = form
        .raw("to")
        .ok_or_else(|| refused("You must specify where to revert to".to_owned()))?;
    let to = parse::integer(to).ok_or_else(|| refused(format!("{to} is an invalid 'to' value")))?;
    let back = if to > 0 {
        let numbers = std::iter::once(row.value_number);
        let mut numbers = numbers.chain(row.history.iter().map(|(number, _)| *number));
        numbers
            .position(|number| i64::try_from(number).is_ok_and(|number| number == to))
            .ok_or_else(|| refused(format!("{to} not found in history")))?
    } else {
        usize::try_from(to.unsigned_abs())
            .ok()
            .filter(|back| *back <= row.history.len())
            .ok_or_else(|| refused("Goes too far back.".to_owned()))?
    };
    if back > 0 {
        (row.value_number, row.value) = row.history[back - 1].clone();
        row.history.drain(..back);
    }
    Ok(())
}
