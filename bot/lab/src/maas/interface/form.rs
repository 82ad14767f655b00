//! An interface's fields as MAAS's forms read and check them (3.5.9 `maasserver/forms/interface.py`).

use crate::maas::form::{Form, FormErrors, NO_CHOICE, REQUIRED};
use crate::maas::store::{LabMaas, StoredInterface};

impl LabMaas {
    pub(crate) fn named_parents(&self, node: &str, key: &str, form: &Form) -> Vec<u64> {
        let texts: Vec<&str> = form
            .all(key)
            .unwrap_or_default()
            .iter()
            .flat_map(|text| text.split(','))
            .collect();
        texts
            .iter()
            .filter_map(|text| text.trim().parse::<u64>().ok())
            .filter(|id| {
                self.interfaces
                    .get(id)
                    .is_some_and(|parent| parent.node == node)
            })
            .collect()
    }

    /// The first free name `ethN`.
    pub(crate) fn next_name(&self, node: &str) -> String {
        let taken = |name: &String| self.interfaces_of(node).any(|other| other.name == *name);
        let mut names = (0_u32..).map(|number| format!("eth{number}"));
        names.find(|name| !taken(name)).unwrap_or_default()
    }

    pub(crate) fn check_interface(
        &self,
        kind: &str,
        node: &str,
        name: &str,
        parents: &[u64],
        vlan: Option<u64>,
        errors: &mut FormErrors,
    ) {
        let child = |parent: &u64| {
            self.interfaces.values().any(|other| {
                other.parents.contains(parent) && (other.kind == "bond" || other.kind == "bridge")
            })
        };
        if kind == "bond" && parents.iter().any(|id| self.interfaces[id].vlan != vlan) {
            errors.add("parents", "All parents must belong to the same VLAN.");
        }
        if kind == "bridge" && parents.iter().any(child) {
            errors.add("mac_address", "This field cannot be blank.");
            errors.add(
                "parent",
                "A bridge interface can't have a parent that is already in a bond or a bridge.",
            );
            return;
        }
        if kind == "vlan" {
            let row = vlan.map(|vlan| &self.vlans[&vlan]);
            let home = parents
                .first()
                .and_then(|id| self.interfaces[id].vlan)
                .map(|vlan| self.vlans[&vlan].fabric);
            match row {
                Some(row) if row.vid == 0 => {
                    errors.add("vlan", "A VLAN interface can only belong to a tagged VLAN.");
                }
                Some(row) if Some(row.fabric) != home => {
                    errors.add("vlan", "A VLAN interface can only belong to a tagged VLAN on the same fabric as its parent interface.");
                }
                Some(_) => {}
                None => errors.add("vlan", REQUIRED),
            }
        }
        if errors.is_empty() && self.interfaces_of(node).any(|other| other.name == name) {
            let host = &self.nodes[node].hostname;
            errors.add(
                "name",
                format!("Node {node} ({host}) already has an interface named '{name}'."),
            );
        }
    }

    /// The VLAN of a form: the present one if the field is absent, none if it is empty.
    pub(crate) fn named_vlan(
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

    pub(crate) fn read_identity(
        &self,
        row: &mut StoredInterface,
        form: &Form,
        errors: &mut FormErrors,
    ) {
        if let Some(name) = form.get("name").filter(|name| !name.is_empty()) {
            name.clone_into(&mut row.name);
            let taken = self
                .interfaces_of(&row.node)
                .any(|other| other.id != row.id && other.name == name);
            if taken {
                let (node, host) = (&row.node, &self.nodes[&row.node].hostname);
                errors.add(
                    "name",
                    format!("Node {node} ({host}) already has an interface named '{name}'."),
                );
            }
        }
        if let Some(mac) = form.get("mac_address") {
            row.mac = self.read_mac(mac, Some(row.id), errors);
        }
    }

    /// Reads a MAC, which no other physical interface may have.
    pub(crate) fn read_mac(&self, text: &str, own: Option<u64>, errors: &mut FormErrors) -> String {
        let mac = text.to_lowercase().replace('-', ":");
        let parts: Vec<&str> = mac.split(':').collect();
        let hex = |part: &&str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
        if mac.is_empty() {
            errors.add("mac_address", REQUIRED);
        } else if parts.len() != 6 || !parts.iter().all(hex) {
            errors.add(
                "mac_address",
                format!("'{text}' is not a valid MAC address."),
            );
        } else if let Some(other) = self
            .interfaces
            .values()
            .find(|other| other.kind == "physical" && other.mac == mac && Some(other.id) != own)
        {
            let host = &self.nodes[&other.node].hostname;
            errors.add(
                "mac_address",
                format!("This MAC address is already in use by {host}."),
            );
        }
        mac
    }
}

pub(crate) fn read_interface_mtu(row: &mut StoredInterface, form: &Form, errors: &mut FormErrors) {
    match form.get("mtu").map(|text| (text, text.parse::<u32>())) {
        None => {}
        Some(("", _)) => row.mtu = None,
        Some((_, Err(_))) => errors.add("mtu", "Enter a whole number."),
        Some((_, Ok(mtu))) if mtu < 552 => {
            errors.add("mtu", "Ensure this value is greater than or equal to 552.");
        }
        Some((_, Ok(mtu))) => row.mtu = Some(mtu),
    }
}
