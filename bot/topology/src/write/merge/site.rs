//! The lists of a site: planes, machines, spaces, and what is left alone.

use std::collections::BTreeSet;

use crate::address::Cidr;
use crate::object::Key;
use crate::observed::NodeKind;
use crate::write::import::SiteImport;
use crate::write::machine::NewMachine;
use crate::write::patch::{FieldEdits, FilePatch, ItemEdits};
use crate::write::scalar::{comment, scalar};
use crate::write::site::SiteLists;
use crate::write::tree::{field, items, word};
use crate::yaml::YamlNode;

use super::machine;
use super::value::text_at;

/// Entries still to be added: each is added to the first file that has a list for it.
pub(super) struct Lists<'a> {
    machines: Option<&'a [NewMachine]>,
    spaces: Option<Vec<String>>,
    alone: Option<Vec<String>>,
}

impl<'a> Lists<'a> {
    pub(super) fn new(machines: &'a [NewMachine], listed: &SiteLists<'_>) -> Self {
        let alone = listed.alone.iter();
        let alone = alone.map(|(name, why)| format!("{}  {}", scalar(name), comment(why)));
        Self {
            machines: Some(machines),
            spaces: Some(listed.spaces.iter().map(|space| scalar(space)).collect()),
            alone: Some(alone.collect()),
        }
    }

    /// Updates the lists of one file; `gone` are indexes in its list of planes.
    pub(super) fn change(
        &mut self,
        import: &SiteImport<'_>,
        root: &YamlNode,
        gone: BTreeSet<usize>,
        patch: &mut FilePatch,
    ) {
        let mut fields = FieldEdits::of(root);
        let planes = ItemEdits {
            removed: gone,
            ..ItemEdits::default()
        };
        list(root, "planes", planes, (&mut fields, patch));
        self.machines(import, root, (&mut fields, patch));
        self.spaces(import, root, (&mut fields, patch));
        let alone = self.alone(import, root);
        list(root, "leave_alone", alone, (&mut fields, patch));
        patch.fields(fields, &[]);
    }

    fn machines(
        &mut self,
        import: &SiteImport<'_>,
        root: &YamlNode,
        (fields, patch): (&mut FieldEdits<'_>, &mut FilePatch),
    ) {
        let Some(nodes) = field(root, "machines") else {
            return;
        };
        let nodes = items(Some(nodes));
        let mut change = ItemEdits::default();
        for (at, node) in nodes.iter().enumerate() {
            let host = text_at(node, "name").unwrap_or_default();
            let there = import.observed.nodes.get(host);
            let there = there.is_some_and(|node| node.kind == NodeKind::Machine);
            if import.selection.drop_gone && import.observed.all_nodes && !there {
                change.removed.insert(at);
            } else {
                machine::change(import, node, patch);
            }
        }
        let new = self.machines.take().unwrap_or_default();
        let last = nodes.len().checked_sub(1);
        let texts = new.iter().map(|machine| machine.text.trim_end().to_owned());
        change.added = texts.map(|text| (last, text)).collect();
        list(root, "machines", change, (fields, patch));
    }

    fn spaces(
        &mut self,
        import: &SiteImport<'_>,
        root: &YamlNode,
        change: (&mut FieldEdits<'_>, &mut FilePatch),
    ) {
        let Some(nodes) = field(root, "spaces") else {
            return;
        };
        let nodes = items(Some(nodes));
        let gone = |node: &YamlNode| {
            let name = word(node).unwrap_or_default().to_owned();
            import.observed.all_spaces && import.observed.get(&Key::Space(name)).is_none()
        };
        let drop = import.selection.drop_gone;
        let removed = nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| drop && gone(node));
        let last = nodes.len().checked_sub(1);
        let new = self.spaces.take().unwrap_or_default().into_iter();
        let spaces = ItemEdits {
            removed: removed.map(|(at, _)| at).collect(),
            added: new.map(|text| (last, text)).collect(),
        };
        list(root, "spaces", spaces, change);
    }

    /// Removes from `leave_alone` what is declared now. A fabric is replaced by those of its subnets that are still left
    /// alone.
    fn alone(&mut self, import: &SiteImport<'_>, root: &YamlNode) -> ItemEdits {
        let mut change = ItemEdits::default();
        let Some(nodes) = field(root, "leave_alone") else {
            return change;
        };
        let nodes = items(Some(nodes));
        let fabrics: BTreeSet<&str> = import.planes.keys().map(|at| at.fabric.as_str()).collect();
        for (at, node) in nodes.iter().enumerate() {
            let name = word(node).unwrap_or_default();
            let cidr = name.parse::<Cidr>().ok();
            if cidr.is_some_and(|cidr| import.plane_of(cidr).is_some()) {
                change.removed.insert(at);
            } else if fabrics.contains(name) {
                change.removed.insert(at);
                let rest = import
                    .observed
                    .subnets()
                    .filter(|subnet| subnet.vlan.fabric == name);
                let rest = rest.filter(|subnet| import.plane_of(subnet.cidr).is_none());
                let rest = rest.filter(|subnet| {
                    let alone = &import.declaration.topology.leave_alone;
                    !alone.contains(&subnet.cidr.to_string())
                });
                let texts = rest.map(|subnet| scalar(&subnet.cidr.to_string()));
                change.added.extend(texts.map(|text| (Some(at), text)));
            }
        }
        let last = nodes.len().checked_sub(1);
        let new = self.alone.take().unwrap_or_default().into_iter();
        change.added.extend(new.map(|text| (last, text)));
        change
    }
}

/// Edits a list of the file. A list that loses all items becomes `[]`, so that the file is not empty.
fn list(
    root: &YamlNode,
    key: &'static str,
    change: ItemEdits,
    (fields, patch): (&mut FieldEdits<'_>, &mut FilePatch),
) {
    let Some(node) = field(root, key).filter(|_| !change.is_empty()) else {
        return;
    };
    if change.removed.len() == items(Some(node)).len() && change.added.is_empty() {
        fields.set(key, "[]");
    } else {
        patch.items(node, change);
    }
}
