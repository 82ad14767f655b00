//! Chooses a key for a VLAN's plane: from its subnet, its space, its name, or its fabric and VID. Keys are unique and valid
//! as file names.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::object::{Subnet, Vlan};

use super::declaration::Declaration;
use super::scalar::scalar;

/// Longer names are cut to this many characters; a number may be appended.
const KEY_CHARS: usize = 48;

/// The keys used so far, in lower case: files of one folder may not differ only by case.
#[derive(Default)]
pub(super) struct UsedNames(BTreeSet<String>);

impl UsedNames {
    /// Starts with the existing keys and files.
    pub(super) fn by(declaration: &Declaration) -> Self {
        let files = declaration.files.keys();
        let stems =
            files.filter_map(|path| Some(path.to_lowercase().rsplit_once('.')?.0.to_owned()));
        let keys = declaration
            .topology
            .planes
            .keys()
            .chain(declaration.topology.removed.planes.keys())
            .map(|key| key.to_lowercase());
        Self(keys.chain(stems).collect())
    }

    /// An unused key for this VLAN.
    pub(super) fn key_for(&mut self, vlan: &Vlan, subnets: &[&Subnet]) -> String {
        let place = if vlan.at.vid == 0 {
            vlan.at.fabric.clone()
        } else {
            format!("{}-{}", vlan.at.fabric, vlan.at.vid)
        };
        let named = subnets.first().map(|subnet| subnet.name.as_str());
        let candidates = [
            named,
            vlan.space.as_deref(),
            vlan.name.as_deref(),
            Some(&place),
        ];
        let keys: Vec<String> = candidates.into_iter().flatten().filter_map(key).collect();
        if let Some(key) = keys.iter().find(|key| self.is_free(key)) {
            return self.take(key.clone());
        }
        let stem = keys.last().map_or("plane", String::as_str);
        // Appending a number would not help with a name that is reserved for another file.
        let stem = if is_another_file(&stem.to_lowercase()) {
            format!("plane-{stem}")
        } else {
            stem.to_owned()
        };
        let all = std::iter::once(stem.clone()).chain((2_u32..).map(|n| format!("{stem}-{n}")));
        let free = all.into_iter().find(|key| self.is_free(key));
        self.take(free.expect("some number is free"))
    }

    fn is_free(&self, key: &str) -> bool {
        let key = key.to_lowercase();
        !is_another_file(&key) && !self.0.contains(&key)
    }

    fn take(&mut self, key: String) -> String {
        self.0.insert(key.to_lowercase());
        key
    }
}

/// Whether the name is reserved for the other files of the folder: `site`, `machines`, `machines-01`.
fn is_another_file(key: &str) -> bool {
    let number = |rest: &str| rest.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    key == "site" || key.strip_prefix("machines").is_some_and(number)
}

/// Turns a name into a key, if possible. A CIDR or an address is not used, because it would be wrong once
/// the plane moves.
fn key(name: &str) -> Option<String> {
    let is_address = |text: &str| text.trim().parse::<IpAddr>().is_ok();
    if is_address(name.split('/').next().unwrap_or(name)) {
        return None;
    }
    let mut key = String::new();
    for c in name.chars().take(KEY_CHARS) {
        if c.is_ascii_alphanumeric() || matches!(c, '_' | '.') {
            key.push(c);
        } else if !key.ends_with('-') {
            key.push('-');
        }
    }
    let key = key.trim_matches(['-', '_', '.']);
    (!key.is_empty()).then(|| key.to_owned())
}

/// Whether MAAS calls it by its CIDR, because nobody gave it a name.
pub(super) fn is_unnamed(subnet: &Subnet) -> bool {
    subnet.name == subnet.cidr.to_string()
}

/// Its name, or `none` in place of its CIDR: the plane may get another CIDR, and MAAS then renames it by itself.
pub(super) fn subnet_name(subnet: &Subnet) -> String {
    if is_unnamed(subnet) {
        return "none".to_owned();
    }
    scalar(&subnet.name)
}
