//! Looks up values in a file's YAML tree. Must not know what they mean.

use crate::yaml::{Value, YamlNode};

/// The value under a key of a mapping.
pub(super) fn field<'n>(node: &'n YamlNode, key: &str) -> Option<&'n YamlNode> {
    if let Value::Map(entries) = &node.value {
        entries
            .iter()
            .find(|(k, _)| k.text == key)
            .map(|(_, node)| node)
    } else {
        None
    }
}

/// The text of a scalar.
pub(super) fn word(node: &YamlNode) -> Option<&str> {
    if let Value::Text { text, .. } = &node.value {
        Some(text)
    } else {
        None
    }
}

/// The items of a list; empty for anything else.
pub(super) fn items(node: Option<&YamlNode>) -> &[YamlNode] {
    match node.map(|node| &node.value) {
        Some(Value::List(items)) => items,
        Some(Value::Nothing | Value::Text { .. } | Value::Map(_)) | None => &[],
    }
}

/// The mappings of a plane's subnets, in order; the first may be the plane's mapping itself.
pub(super) fn subnets_in(plane: &YamlNode) -> Vec<&YamlNode> {
    let own = field(plane, "cidr").map(|_| plane);
    own.into_iter()
        .chain(items(field(plane, "subnets")))
        .collect()
}

/// The mappings of the planes in one file: the whole file, or items of its list `planes`.
pub(super) fn planes_in(root: &YamlNode) -> impl Iterator<Item = (Option<usize>, &YamlNode)> {
    let own = field(root, "plane").map(|_| (None, root));
    let listed = items(field(root, "planes")).iter().enumerate();
    own.into_iter()
        .chain(listed.map(|(at, node)| (Some(at), node)))
}

/// Whether a site file has that list.
pub(super) fn holds(root: &YamlNode, key: &str) -> bool {
    field(root, "plane").is_none() && field(root, key).is_some()
}
