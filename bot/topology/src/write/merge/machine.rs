//! One machine: its interfaces, and what they are linked to.

use std::collections::BTreeSet;

use crate::address::Cidr;
use crate::object::{Interface, Key, Link, Mode, Object};
use crate::plane::{Machine, MachineInterface};
use crate::write::import::SiteImport;
use crate::write::machine::{
    interface_text, link_text, parents_first, place, small_offset, type_word,
};
use crate::write::patch::{FieldEdits, FilePatch, ItemEdits};
use crate::write::scalar::scalar;
use crate::write::settings;
use crate::write::tree::{field, items, word};
use crate::yaml::YamlNode;

use super::pairing::{paired, unpaired};
use super::value::{address, address_like, in_quotes, set_word, text_at};

const PLACE: [&str; 5] = ["name", "type", "parents", "plane", "vlan"];

/// Updates a machine's declaration.
pub(super) fn change(import: &SiteImport<'_>, node: &YamlNode, patch: &mut FilePatch) {
    let before =
        text_at(node, "name").and_then(|host| import.declaration.topology.machines.get(host));
    let (Some(before), Some(list)) = (before, field(node, "interfaces")) else {
        return;
    };
    let host = &before.host;
    let own = text_at(node, "host").and_then(|own| own.strip_prefix('+')?.parse().ok());
    let mut gone = BTreeSet::new();
    for (at, node) in items(Some(list)).iter().enumerate() {
        let name = text_at(node, "name").unwrap_or_default();
        let Some(declared) = before.interfaces.iter().find(|it| it.name == name) else {
            continue;
        };
        let key = Key::Interface(host.clone(), name.to_owned());
        let now = import.observed.get(&key).and_then(Object::as_interface);
        let mut fields = FieldEdits::of(node);
        match now {
            Some(now) => {
                if import.selection.everything() {
                    interface(import, (declared, now), &mut fields, patch);
                }
                let links = Links {
                    import,
                    host,
                    declared,
                    own,
                };
                links.change(&mut fields, patch);
            }
            None if import.selection.everything() && import.observed.all_nodes => {
                gone.insert(at);
            }
            None => {}
        }
        let order: Vec<&str> = PLACE
            .into_iter()
            .chain(settings::KEYS)
            .chain(["links"])
            .collect();
        patch.fields(fields, &order);
    }
    let change = ItemEdits {
        removed: gone,
        added: new_ones(import, before, own, items(Some(list)).len()),
    };
    // Nothing is known of a machine whose interfaces were not read.
    let read = import.observed.interfaces_of(host).next().is_some();
    if read && !change.is_empty() {
        patch.items(list, change);
    }
}

/// The interfaces that are not declared yet, to be added after those that are.
fn new_ones(
    import: &SiteImport<'_>,
    before: &Machine,
    own: Option<u128>,
    stated: usize,
) -> Vec<(Option<usize>, String)> {
    if !import.selection.everything() {
        return Vec::new();
    }
    let known: BTreeSet<&str> = before
        .interfaces
        .iter()
        .map(|it| it.name.as_str())
        .chain(before.removed.iter().map(String::as_str))
        .collect();
    let all = import.observed.interfaces_of(&before.host);
    let new = all.filter(|interface| !known.contains(interface.name.as_str()));
    let texts = parents_first(new.collect()).into_iter().map(|interface| {
        let links = import.observed.links();
        let links =
            links.filter(|link| link.host == before.host && link.interface == interface.name);
        let links: Vec<&Link> = links.collect();
        interface_text(import, interface, &links, own)
    });
    texts.map(|text| (stated.checked_sub(1), text)).collect()
}

fn interface(
    import: &SiteImport<'_>,
    (before, now): (&MachineInterface, &Interface),
    fields: &mut FieldEdits<'_>,
    patch: &FilePatch,
) {
    if before.kind != now.kind {
        set_word(fields, patch, "type", type_word(now.kind));
    }
    if before.parents != now.parents {
        if now.parents.is_empty() {
            fields.remove("parents");
        } else {
            let parents: Vec<String> = now.parents.iter().map(|parent| scalar(parent)).collect();
            fields.set("parents", &format!("[{}]", parents.join(", ")));
        }
    }
    settings::change(&before.settings, &now.settings, fields);
    let plane = fields.get("plane").and_then(word);
    let stated = match plane {
        Some(key) => import.plane(key).map(|plane| plane.vlan.at.clone()),
        None => before.vlan.clone(),
    };
    if before.vlan.is_none() || stated == now.vlan {
        return;
    }
    let (key, value) = match &now.vlan {
        Some(at) => place(import, at),
        None => ("", String::new()),
    };
    for other in ["plane", "vlan"].into_iter().filter(|other| *other != key) {
        fields.remove(other);
    }
    if !key.is_empty() {
        fields.set(key, &value);
    }
}

struct Links<'a> {
    import: &'a SiteImport<'a>,
    host: &'a str,
    declared: &'a MachineInterface,
    own: Option<u128>,
}

impl Links<'_> {
    fn change(&self, fields: &mut FieldEdits<'_>, patch: &mut FilePatch) {
        let Some(list) = fields.get("links") else {
            return;
        };
        let nodes = items(Some(list));
        let before = self.declared.links.as_deref().unwrap_or_default();
        if !self.import.selection.everything() {
            for (node, (cidr, _)) in nodes.iter().zip(before) {
                let mut fields = FieldEdits::of(node);
                self.ask_which(node, *cidr, &mut fields);
                patch.fields(fields, &["plane", "address", "subnet", "default_gateway"]);
            }
            return;
        }
        let there: Vec<&Link> = self
            .import
            .observed
            .links()
            .filter(|link| link.host == self.host && link.interface == self.declared.name)
            .collect();
        if there
            .iter()
            .any(|link| self.import.plane_of(link.subnet).is_none())
        {
            return fields.remove("links");
        }
        let meant: Vec<(&YamlNode, Option<(Cidr, Mode)>)> = nodes
            .iter()
            .zip(before)
            .map(|(node, (cidr, mode))| (node, self.meant(node, *cidr, *mode)))
            .collect();
        let fixed = |mode: Mode| matches!(mode, Mode::Static(_));
        let pairs = paired(
            &meant,
            &there,
            &[
                &|(_, it), link| *it == Some((link.subnet, link.mode)),
                &|(_, it), link| {
                    it.is_some_and(|(cidr, mode)| {
                        cidr == link.subnet && fixed(mode) == fixed(link.mode)
                    })
                },
                &|(_, it), link| it.is_some_and(|(cidr, _)| cidr == link.subnet),
            ],
        );
        for ((node, meant), pair) in meant.iter().zip(&pairs) {
            if let Some(at) = pair {
                self.link((node, *meant), there[*at], patch);
            }
        }
        self.listed(list, &pairs, &there, (fields, patch));
    }

    fn listed(
        &self,
        list: &YamlNode,
        pairs: &[Option<usize>],
        there: &[&Link],
        (fields, patch): (&mut FieldEdits<'_>, &mut FilePatch),
    ) {
        let gone = pairs.iter().enumerate().filter(|(_, pair)| pair.is_none());
        let added = unpaired(pairs, there.len()).into_iter();
        let change = ItemEdits {
            removed: gone.map(|(at, _)| at).collect(),
            added: added
                .filter_map(|(behind, at)| {
                    Some((behind, link_text(self.import, there[at], self.own)?))
                })
                .collect(),
        };
        if there.is_empty() && !change.is_empty() {
            fields.set("links", "[]");
        } else if !change.is_empty() {
            patch.items(list, change);
        }
    }

    /// Resolves a link in the subnet as it is now.
    fn meant(&self, node: &YamlNode, cidr: Cidr, mode: Mode) -> Option<(Cidr, Mode)> {
        let cidr = *self.import.declaration.now.get(&cidr)?;
        let stated = text_at(node, "address")?;
        let mode = match (mode, stated) {
            (Mode::Static(_), "host") => Mode::Static(cidr.at(self.own?)?),
            (Mode::Static(_), stated) => Mode::Static(address(self.import, stated, cidr)?),
            (Mode::Auto | Mode::Dhcp | Mode::LinkUp, _) => mode,
        };
        Some((cidr, mode))
    }

    fn link(
        &self,
        (node, meant): (&YamlNode, Option<(Cidr, Mode)>),
        now: &Link,
        patch: &mut FilePatch,
    ) {
        let mut fields = FieldEdits::of(node);
        if meant != Some((now.subnet, now.mode)) {
            let before = text_at(node, "address").unwrap_or_default();
            let word = match now.mode {
                Mode::Auto => "auto".to_owned(),
                Mode::Dhcp => "dhcp".to_owned(),
                Mode::LinkUp => "link-up".to_owned(),
                Mode::Static(ip) if before == "host" => {
                    let own = self.own.is_some() && small_offset(now.subnet, ip) == self.own;
                    let own = own.then(|| "host".to_owned());
                    own.unwrap_or_else(|| address_like(self.import, "+1", now.subnet, ip))
                }
                Mode::Static(ip) => address_like(self.import, before, now.subnet, ip),
            };
            set_word(&mut fields, patch, "address", &word);
        }
        match (text_at(node, "default_gateway"), now.default_gateway) {
            (Some("true"), false) => fields.remove("default_gateway"),
            (Some("true") | None, true) | (Some(_) | None, false) => {}
            (Some(_), true) => fields.set("default_gateway", "true"),
        }
        let before = fields.get("subnet");
        match before.and_then(word) {
            Some(stated) if stated != now.subnet.to_string() => {
                let like = in_quotes(
                    before.map_or("", |node| patch.written(node)),
                    &format!("\"{}\"", now.subnet),
                );
                fields.set("subnet", &like);
            }
            Some(_) => {}
            None => self.ask_which(node, now.subnet, &mut fields),
        }
        patch.fields(fields, &["plane", "address", "subnet", "default_gateway"]);
    }

    /// Adds `subnet` if the plane has more than one subnet now.
    fn ask_which(&self, node: &YamlNode, cidr: Cidr, fields: &mut FieldEdits<'_>) {
        let full = text_at(node, "address")
            .is_some_and(|stated| stated.parse::<std::net::IpAddr>().is_ok());
        let cidr = self
            .import
            .declaration
            .now
            .get(&cidr)
            .copied()
            .unwrap_or(cidr);
        let several = self
            .import
            .plane_of(cidr)
            .is_some_and(|plane| plane.subnets.len() > 1);
        if several && !full && fields.get("subnet").is_none() {
            fields.set("subnet", &format!("\"{cidr}\""));
        }
    }
}
