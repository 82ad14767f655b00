//! Puts the rows of many lists together into the objects of one observation. Must not know how they were requested.

use std::collections::BTreeMap;

use topology::Cidr;
use topology::object::{Key, Object, Space};
use topology::observed::{BlindSpot, Holder, Node, Occupant, Seen};

use crate::read::network::Fabrics;
use crate::read::nodes::{NodeRow, with_unique_hosts};

/// The lists of everything but nodes and spaces.
pub(super) struct NetworkLists {
    pub(super) fabrics: Fabrics,
    /// Objects by the list that has them.
    pub(super) lists: [(&'static str, Vec<Seen>); 4],
}

/// The parts of an observation, while lists are added.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) objects: BTreeMap<Key, Seen>,
    pub(super) nodes: BTreeMap<String, Node>,
    /// Links without an address, by subnet.
    pub(super) unaddressed: Vec<(Cidr, Occupant)>,
    pub(super) blind: Vec<BlindSpot>,
}

impl Gathered {
    pub(super) fn add_network(&mut self, network: &NetworkLists, spaces: Vec<Seen>) {
        for seen in spaces {
            self.add("spaces/", seen);
        }
        for seen in network.fabrics.seen() {
            self.add("fabrics/", seen);
        }
        for vlan in network.fabrics.vlans() {
            let Some(name) = &vlan.space else { continue };
            // Only `spaces/` has the row number; no row has 0.
            self.objects
                .entry(Key::Space(name.clone()))
                .or_insert_with(|| Seen {
                    id: 0,
                    object: Object::Space(Space { name: name.clone() }),
                });
        }
        for (list, rows) in &network.lists {
            for seen in rows {
                self.add(list, seen.clone());
            }
        }
    }

    pub(super) fn add_nodes(&mut self, rows: Vec<NodeRow>) {
        let (rows, duplicates) = with_unique_hosts(rows);
        self.blind.extend(duplicates);
        for row in rows {
            let node = row.node();
            for seen in row.seen() {
                self.add("interfaces", seen);
            }
            for (cidr, interface) in row.unaddressed() {
                let holder = Holder::Node {
                    host: node.host.clone(),
                    kind: node.kind,
                    interface: Some(interface),
                };
                self.unaddressed.push((cidr, Occupant { ip: None, holder }));
            }
            self.nodes.insert(node.host.clone(), node);
        }
    }

    /// Two rows with one key are indistinguishable to a plan, so the second becomes a blind spot.
    pub(super) fn add(&mut self, list: &str, seen: Seen) {
        let key = seen.object.key();
        if let Some(first) = self.objects.get(&key) {
            self.blind.push(BlindSpot {
                what: list.to_owned(),
                why: format!(
                    "MAAS has `{key}` twice (rows {} and {}); delete one by hand",
                    first.id, seen.id
                ),
            });
            return;
        }
        self.objects.insert(key, seen);
    }
}
