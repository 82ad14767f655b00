//! An interface's fields as MAAS's forms read and check them (3.7.3 `maasserver/forms/interface.py`, `models/interface.py`).

use super::params::{null_boolean, read_params};
use crate::maas::form::{
    Form, FormErrors, NO_CHOICE, NO_NUMBER, REQUIRED, no_such_choice, refuse_long,
};
use crate::maas::parse;
use crate::maas::store::{LabMaas, StoredInterface};
use crate::wire::LabResponse;

pub(super) const BLANK: &str = "This field cannot be blank.";

/// What is read, and from what.
pub(super) struct Reading<'a> {
    /// The row as it is; a new one has id 0.
    pub(super) now: &'a StoredInterface,
    pub(super) form: &'a Form,
}

impl Reading<'_> {
    pub(super) fn creating(&self) -> bool {
        self.now.id == 0
    }

    pub(super) fn kind(&self) -> &str {
        &self.now.kind
    }
}

impl LabMaas {
    /// The row that a form asks for. `now` is the present row, or a blank one with id 0, node and type.
    pub(super) fn read_interface(
        &self,
        now: &StoredInterface,
        form: &Form,
    ) -> Result<StoredInterface, LabResponse> {
        let reading = Reading { now, form };
        let mut errors = FormErrors::default();
        let mut row = now.clone();
        row.vlan = self.named_vlan(form, now.vlan, &mut errors);
        row.tags = read_tags(now, form);
        read_link_state(now, form, &mut row, &mut errors);
        self.read_name(&reading, &mut row, &mut errors);
        if now.kind != "vlan" {
            self.read_mac(&reading, &mut row, &mut errors);
        }
        let parents = self.read_parents(&reading, &mut errors);
        read_params(&now.kind, form, &mut row.params, &mut errors);
        if now.kind == "physical" {
            let enabled = form.raw("enabled").and_then(null_boolean);
            row.enabled = enabled.unwrap_or(row.enabled);
        }
        if let Some(parents) = parents {
            row.parents = parents;
            self.check_parents(&row, &mut errors);
        }
        match reading.kind() {
            "physical" => self.check_physical(&reading, &mut row, &mut errors),
            "vlan" => self.check_tagged(&reading, &mut row, &mut errors),
            _ => self.check_child(&reading, &mut row, &mut errors),
        }
        // The API has one `parent` where the forms have `parents`.
        if now.kind == "vlan" || (now.kind == "bridge" && reading.creating()) {
            errors.rename("parents", "parent");
        }
        errors.done()?;
        Ok(row)
    }

    /// Of a deployed machine's interface only name and MAC are read; the rest is ignored.
    pub(super) fn read_deployed(
        &self,
        now: &StoredInterface,
        form: &Form,
    ) -> Result<StoredInterface, LabResponse> {
        let mut errors = FormErrors::default();
        let mut row = now.clone();
        read_link_state(now, form, &mut row, &mut errors);
        match form.get("name") {
            None => {}
            Some("") => errors.add("name", REQUIRED),
            Some(name) => {
                self.check_name(name, &mut errors);
                name.clone_into(&mut row.name);
            }
        }
        if let Some(mac) = form.get("mac_address").filter(|mac| !mac.is_empty()) {
            self.check_mac(now, mac, &mut errors);
            mac.clone_into(&mut row.mac);
        }
        errors.done()?;
        self.refuse_taken_name(&row)?;
        Ok(row)
    }

    /// MAAS's table has one interface of a name on a node. The forms of bonds and bridges do not look, so the row's own check
    /// answers.
    pub(super) fn refuse_taken_name(&self, row: &StoredInterface) -> Result<(), LabResponse> {
        if !self.name_is_taken(row) {
            return Ok(());
        }
        let label = match row.kind.as_str() {
            "physical" => "Physical interface",
            "bond" => "Bond",
            "bridge" => "Bridge",
            "vlan" => "VLAN interface",
            _ => "Interface",
        };
        let message = format!("{label} with this Node config and Name already exists.");
        Err(crate::maas::form::field_error("__all__", message))
    }

    pub(super) fn name_is_taken(&self, row: &StoredInterface) -> bool {
        self.interfaces_of(&row.node)
            .any(|other| other.id != row.id && other.name == row.name)
    }

    /// The VLAN of a form: the present one if the field is absent, none if it is empty.
    pub(super) fn named_vlan(
        &self,
        form: &Form,
        now: Option<u64>,
        errors: &mut FormErrors,
    ) -> Option<u64> {
        match form.get("vlan") {
            None => now,
            Some("") => None,
            Some(text) => {
                let found = text.parse().ok().filter(|id| self.vlans.contains_key(id));
                if found.is_none() {
                    errors.add("vlan", NO_CHOICE);
                }
                found
            }
        }
    }

    fn read_name(&self, reading: &Reading<'_>, row: &mut StoredInterface, errors: &mut FormErrors) {
        let child = matches!(reading.kind(), "bond" | "bridge");
        match reading.form.get("name") {
            None if !reading.creating() => {}
            None | Some("") if child => errors.add("name", REQUIRED),
            Some("") if !reading.creating() => errors.add("name", BLANK),
            // A name will be chosen.
            None | Some("") => row.name.clear(),
            Some(name) => {
                self.check_name(name, errors);
                name.clone_into(&mut row.name);
            }
        }
    }

    fn check_name(&self, name: &str, errors: &mut FormErrors) {
        refuse_long("name", name, 255, errors);
        let known = |c: char| c.is_alphanumeric() || "_-.:".contains(c);
        let most = self.version.interface_name_max();
        if !name.chars().all(known) || most.is_some_and(|most| name.chars().count() > most) {
            errors.add("name", self.version.interface_name_message());
        }
    }

    fn read_mac(&self, reading: &Reading<'_>, row: &mut StoredInterface, errors: &mut FormErrors) {
        match reading.form.get("mac_address") {
            Some("") if reading.kind() == "physical" => errors.add("mac_address", REQUIRED),
            None if reading.kind() == "physical" && reading.creating() => {
                errors.add("mac_address", REQUIRED);
            }
            None => {}
            Some(mac) => {
                if !mac.is_empty() {
                    self.check_mac(reading.now, mac, errors);
                }
                mac.clone_into(&mut row.mac);
            }
        }
    }

    /// A MAC with colons, which no other physical interface may have if this is one.
    fn check_mac(&self, now: &StoredInterface, mac: &str, errors: &mut FormErrors) {
        let parts: Vec<&str> = mac.split(':').collect();
        let hex = |part: &&str| {
            (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit())
        };
        if parts.len() != 6 || !parts.iter().all(hex) {
            let message = format!("'{mac}' is not a valid MAC address.");
            errors.add("mac_address", message);
            return;
        }
        let mut others = self.interfaces.values();
        let other =
            others.find(|other| other.kind == "physical" && other.mac == mac && other.id != now.id);
        if let Some(other) = other.filter(|_| now.kind == "physical") {
            let host = &self.nodes[&other.node].hostname;
            let message = format!(
                "This MAC address is already in use by {} ({}) on {host}.",
                other.name, other.kind
            );
            errors.add("mac_address", message);
        }
    }

    /// The parents of a form, by id; the present ones if the field is absent; `None` after an error.
    fn read_parents(&self, reading: &Reading<'_>, errors: &mut FormErrors) -> Option<Vec<u64>> {
        let single = matches!(reading.kind(), "vlan" | "bridge");
        let parent = reading
            .form
            .raw("parent")
            .filter(|_| single && (reading.creating() || reading.kind() == "vlan"));
        let texts: Vec<&str> = match (parent, reading.form.all("parents")) {
            (Some(parent), _) => vec![parent],
            (None, Some(parents)) => parents.iter().map(String::as_str).collect(),
            (None, None) if reading.creating() => Vec::new(),
            (None, None) => return Some(reading.now.parents.clone()),
        };
        let mut parents = Vec::new();
        for text in texts {
            let Ok(id) = text.trim().parse::<u64>() else {
                let message = format!("\u{201c}{text}\u{201d} is not a valid value.");
                errors.add("parents", message);
                return None;
            };
            let here = |row: &StoredInterface| row.node == reading.now.node;
            if !self.interfaces.get(&id).is_some_and(here) {
                errors.add("parents", no_such_choice(text));
                return None;
            }
            parents.push(id);
        }
        parents.sort_unstable();
        parents.dedup();
        Some(parents)
    }
}

/// The state of the link. A new interface whose link is not said to be up is down, and a link that was down and stays so has
/// no speed.
pub(super) fn read_link_state(
    now: &StoredInterface,
    form: &Form,
    row: &mut StoredInterface,
    errors: &mut FormErrors,
) {
    let new = now.id == 0;
    row.link_connected = form
        .checkbox("link_connected")
        .unwrap_or(!new && now.link_connected);
    let before = if new { (0, 0) } else { now.speeds };
    let mut speed = |field: &str, before: u64| match form.given(field).map(parse::integer) {
        None => before,
        Some(None) => {
            errors.add(field, NO_NUMBER);
            before
        }
        Some(Some(speed)) => u64::try_from(speed).unwrap_or_else(|_negative| {
            let message = "Ensure this value is greater than or equal to 0.";
            errors.add(field, message);
            before
        }),
    };
    let speeds = (
        speed("interface_speed", before.0),
        speed("link_speed", before.1),
    );
    if !new && !now.link_connected && !row.link_connected && speeds.1 != 0 {
        let message = "link_speed cannot be set when link_connected is false.";
        errors.add("__all__", message);
    }
    row.speeds = (speeds.0, if row.link_connected { speeds.1 } else { 0 });
}

/// Tags with commas between them. MAAS fills an absent field with the present tags and reads the last of these only, so that an
/// update without tags drops the others (seen on 3.5.12 and 3.7.3).
fn read_tags(now: &StoredInterface, form: &Form) -> Vec<String> {
    let text = form.get("tags").or(now.tags.last().map(String::as_str));
    let tags = text.unwrap_or_default().split(',').map(str::trim);
    tags.filter(|tag| !tag.is_empty())
        .map(str::to_owned)
        .collect()
}
