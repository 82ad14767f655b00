//! Whether the lists of one observation are consistent with each other.
//!
//! They are read one after another, so a change between two of them, or a MAAS that answers one of them with an empty
//! list, would give subnets without their VLAN or ranges without their subnet. Must not know why MAAS is observed.

use std::collections::BTreeMap;

use topology::object::{Key, Object};
use topology::observed::Seen;

/// The first object that refers to one that no list has: the object, and what it refers to.
pub(super) fn dangling_reference(objects: &BTreeMap<Key, Seen>) -> Option<(&Key, Key)> {
    objects.iter().find_map(|(key, seen)| {
        let references = references(&seen.object);
        let lost = references
            .into_iter()
            .find(|key| !objects.contains_key(key));
        lost.map(|lost| (key, lost))
    })
}

/// What MAAS cannot have an object without. References from nodes are left out: nodes report their interfaces on their
/// own schedule.
fn references(object: &Object) -> Vec<Key> {
    match object {
        Object::Subnet(subnet) => vec![Key::Vlan(subnet.vlan.clone())],
        Object::Range(range) => vec![Key::Subnet(range.subnet)],
        Object::ReservedIp(reserved) => vec![Key::Subnet(reserved.subnet)],
        Object::Snippet(snippet) => vec![Key::Subnet(snippet.subnet)],
        Object::Route(route) => vec![Key::Subnet(route.source), Key::Subnet(route.destination)],
        Object::Space(_)
        | Object::Fabric(_)
        | Object::Vlan(_)
        | Object::Interface(_)
        | Object::Link(_) => Vec::new(),
    }
}
