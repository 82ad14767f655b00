//! Row numbers seen lately, so that a look can ask for one row instead of a list.
//!
//! Never believed: whoever asks by a remembered number checks that the answer is still the object that was meant.

use std::collections::BTreeMap;

use topology::Cidr;
use topology::object::Key;
use topology::observed::{NodeKind, Observed, Seen};

use crate::MaasClient;

/// What is remembered of one MAAS.
#[derive(Debug, Default)]
pub(crate) struct RowCache {
    subnets: BTreeMap<Cidr, u64>,
    ranges: BTreeMap<Key, u64>,
    nodes: BTreeMap<String, (String, NodeKind)>,
    reserved_ips: Option<bool>,
}

impl<W> MaasClient<W> {
    fn remembering<T>(&self, with: impl FnOnce(&mut RowCache) -> T) -> T {
        // A panic while the lock was held leaves a memory that is as good as any: it is checked against each answer.
        let mut memory = self
            .memory
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        with(&mut memory)
    }

    /// Takes in everything that an observation saw.
    pub(crate) fn remember_all(&self, observed: &Observed) {
        self.remembering(|memory| {
            *memory = RowCache::default();
            memory.reserved_ips = Some(observed.version.has_reserved_ips());
            for (key, seen) in &observed.objects {
                memory.note(key, seen.id);
            }
            for node in observed.nodes.values() {
                memory
                    .nodes
                    .insert(node.host.clone(), (node.system_id.clone(), node.kind));
            }
        });
    }

    /// Takes in one object.
    pub(crate) fn remember(&self, seen: &Seen) {
        self.remembering(|memory| memory.note(&seen.object.key(), seen.id));
    }

    /// Forgets a row that was not what it was taken for.
    pub(crate) fn forget(&self, key: &Key) {
        self.remembering(|memory| {
            memory.ranges.remove(key);
            if let Key::Subnet(cidr) = key {
                memory.subnets.remove(cidr);
            }
        });
    }

    pub(crate) fn subnet_row(&self, cidr: Cidr) -> Option<u64> {
        self.remembering(|memory| memory.subnets.get(&cidr).copied())
    }

    pub(crate) fn range_row(&self, key: &Key) -> Option<u64> {
        self.remembering(|memory| memory.ranges.get(key).copied())
    }

    pub(crate) fn node(&self, host: &str) -> Option<(String, NodeKind)> {
        self.remembering(|memory| memory.nodes.get(host).cloned())
    }

    pub(crate) fn host_of(&self, system_id: &str) -> Option<String> {
        self.remembering(|memory| {
            let mut nodes = memory.nodes.iter();
            nodes
                .find(|(_, (id, _))| id == system_id)
                .map(|(host, _)| host.clone())
        })
    }

    pub(crate) fn remember_node(&self, host: &str, system_id: &str, kind: NodeKind) {
        self.remembering(|memory| {
            memory
                .nodes
                .insert(host.to_owned(), (system_id.to_owned(), kind))
        });
    }

    pub(crate) fn forget_node(&self, host: &str) {
        self.remembering(|memory| memory.nodes.remove(host));
    }

    pub(crate) fn has_reserved_ips(&self) -> Option<bool> {
        self.remembering(|memory| memory.reserved_ips)
    }
}

impl RowCache {
    fn note(&mut self, key: &Key, id: u64) {
        match key {
            Key::Subnet(cidr) => {
                self.subnets.insert(*cidr, id);
            }
            Key::Range(..) => {
                self.ranges.insert(key.clone(), id);
            }
            Key::Space(_)
            | Key::Fabric(_)
            | Key::Vlan(_)
            | Key::Route(..)
            | Key::ReservedIp(_)
            | Key::Interface(..)
            | Key::Link(..)
            | Key::Snippet(..) => {}
        }
    }
}
