//! Whether the lists that were read belong together.
//!
//! They are read one after another, so a change between two of them, or a MAAS that answers one of them with nothing,
//! would leave half of a network standing in the air. Must not know who asks.

use std::collections::BTreeMap;

use topology::object::{Key, Object};
use topology::observed::Seen;

/// The first object that names another which no list has: the object, and what it names.
pub(super) fn unfit(objects: &BTreeMap<Key, Seen>) -> Option<(&Key, Key)> {
    objects.iter().find_map(|(key, seen)| {
        let named = named(&seen.object);
        let lost = named.into_iter().find(|named| !objects.contains_key(named));
        lost.map(|lost| (key, lost))
    })
}

/// What MAAS cannot have an object without. What nodes name is left out: their interfaces report by themselves.
fn named(object: &Object) -> Vec<Key> {
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
