//! An interface's fields as MAAS's forms read and check them (3.7.3 `maasserver/forms/interface.py`, `models/interface.py`).

use super::params::{null_boolean, read_params};
use crate::maas::form::{Form, FormErrors, NO_CHOICE, REQUIRED, no_such_choice, refuse_long};
use crate::maas::store::{LabMaas, StoredInterface};
use crate::wire::LabResponse;

const BLANK: &str = "This field cannot be blank.";

/// What is read, and from what.
struct Reading<'a> {
    /// The row as it is; a new one has id 0.
    now: &'a StoredInterface,
    form: &'a Form,
}

impl Reading<'_> {
    fn creating(&self) -> bool {
        self.now.id == 0
    }

    fn kind(&self) -> &str {
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

    fn name_is_taken(&self, row: &StoredInterface) -> bool {
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

    fn children_of(&self, parent: u64) -> impl Iterator<Item = &StoredInterface> {
        let all = self.interfaces.values();
        all.filter(move |child| child.parents.contains(&parent))
    }

    /// The number and the types of the parents.
    fn check_parents(&self, row: &StoredInterface, errors: &mut FormErrors) {
        let parents: Vec<&StoredInterface> =
            row.parents.iter().map(|id| &self.interfaces[id]).collect();
        let children = |kinds: &[&str]| {
            let all = row.parents.iter().flat_map(|id| self.children_of(*id));
            all.filter(|child| child.id != row.id)
                .any(|child| kinds.contains(&child.kind.as_str()))
        };
        let any = |kind: &str| parents.iter().any(|parent| parent.kind == kind);
        let refused = match row.kind.as_str() {
            "physical" if !parents.is_empty() => "A physical interface cannot have parents.",
            "vlan" if parents.len() != 1 => "A VLAN interface must have exactly one parent.",
            "vlan" if any("vlan") => {
                "A VLAN interface can't have another VLAN interface as parent."
            }
            "vlan" if children(&["bond"]) => {
                "A VLAN interface can't have a parent that is already in a bond."
            }
            "bond" if parents.is_empty() => "A bond interface must have one or more parents.",
            "bridge" if parents.len() != 1 => "A bridge interface must have exactly one parent.",
            "bridge" if any("bridge") => {
                "A bridge interface can't have another bridge interface as parent."
            }
            "bridge" if children(&["bond", "bridge"]) => {
                "A bridge interface can't have a parent that is already in a bond or a bridge."
            }
            _ => return,
        };
        errors.add("parents", refused);
    }

    fn check_physical(
        &self,
        reading: &Reading<'_>,
        row: &mut StoredInterface,
        errors: &mut FormErrors,
    ) {
        if reading.creating() && row.name.is_empty() && !errors.has("name") {
            row.name = self.next_name(&row.node);
        }
        self.refuse_name_of_another(row, errors);
    }

    /// The first name `ethN` above those in use.
    pub(crate) fn next_name(&self, node: &str) -> String {
        let numbers = self.interfaces_of(node).filter_map(|row| {
            let tail = row.name.strip_prefix("eth")?;
            let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
            tail[..digits].parse::<u64>().ok()
        });
        let next = numbers.max().map_or(0, |most| most.saturating_add(1));
        format!("eth{next}")
    }

    fn refuse_name_of_another(&self, row: &StoredInterface, errors: &mut FormErrors) {
        if errors.has("name") || row.name.is_empty() || !self.name_is_taken(row) {
            return;
        }
        let host = &self.nodes[&row.node].hostname;
        let message = format!(
            "Node {} ({host}) already has an interface named '{}'.",
            row.node, row.name
        );
        errors.add("name", message);
    }

    /// A VLAN interface has a tagged VLAN of its parent's fabric, and is named after both.
    fn check_tagged(
        &self,
        reading: &Reading<'_>,
        row: &mut StoredInterface,
        errors: &mut FormErrors,
    ) {
        let vlan = row.vlan.map(|vlan| &self.vlans[&vlan]);
        match vlan {
            _ if errors.has("vlan") => {}
            None => errors.add(
                "vlan",
                "A VLAN interface must be connected to a tagged VLAN.",
            ),
            Some(vlan) if vlan.vid == 0 => {
                errors.add("vlan", "A VLAN interface can only belong to a tagged VLAN.");
            }
            Some(_) => {}
        }
        let (Some(vlan), false) = (vlan, errors.has("vlan") || errors.has("parents")) else {
            return;
        };
        let parent = &self.interfaces[&row.parents[0]];
        let home = parent.vlan.map(|vlan| self.vlans[&vlan].fabric);
        if home != Some(vlan.fabric) {
            errors.add("vlan", "A VLAN interface can only belong to a tagged VLAN on the same fabric as its parent interface.");
        }
        if reading.creating() {
            parent.mac.clone_into(&mut row.mac);
            if row.name.is_empty() && !errors.has("name") {
                row.name = format!("{}.{}", parent.name, vlan.vid);
            }
        }
        self.refuse_name_of_another(row, errors);
    }

    /// Bonds and bridges take MAC and VLAN from their first port; a bond's ports must be on its VLAN and unused.
    fn check_child(
        &self,
        reading: &Reading<'_>,
        row: &mut StoredInterface,
        errors: &mut FormErrors,
    ) {
        let bond = row.kind == "bond";
        if !errors.has("parents") && (bond || !errors.has("vlan")) {
            self.take_parents_mac(reading, row);
            let used: Vec<&str> = row
                .parents
                .iter()
                .filter(|id| {
                    let mut others = self.children_of(**id);
                    others.any(|child| child.id != row.id && (bond || child.kind != "vlan"))
                })
                .map(|id| self.interfaces[id].name.as_str())
                .collect();
            if !used.is_empty() {
                let mut used = used;
                used.sort_unstable();
                let message = format!("Interfaces already in-use: {}.", used.join(", "));
                errors.add("parents", message);
            }
            if reading.creating() {
                let first = row.parents.first().and_then(|id| self.interfaces[id].vlan);
                row.vlan = row.vlan.or(first);
                let elsewhere = |id: &u64| self.interfaces[id].vlan != row.vlan;
                if bond && row.parents.iter().any(elsewhere) {
                    errors.add("parents", "All parents must belong to the same VLAN.");
                }
            }
        }
        if row.mac.is_empty() && !errors.has("mac_address") {
            errors.add("mac_address", BLANK);
        }
    }

    /// A new one has its first port's MAC unless one is given; one that had the MAC of a port that leaves gets another's.
    fn take_parents_mac(&self, reading: &Reading<'_>, row: &mut StoredInterface) {
        let Some(first) = row
            .parents
            .first()
            .map(|id| self.interfaces[id].mac.clone())
        else {
            return;
        };
        let given = reading.form.get("mac_address").is_some();
        let now = reading.now;
        let leaves = |id: &u64| self.interfaces[id].mac == now.mac && !row.parents.contains(id);
        if reading.creating() && !given
            || !reading.creating() && row.mac == now.mac && now.parents.iter().any(leaves)
        {
            row.mac = first;
        }
    }
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
