//! Row numbers seen lately, so that a look can request one row instead of a list.
//!
//! Never trusted: whoever requests a row by a cached number checks that the response is still the intended object.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use topology::Cidr;
use topology::object::Key;
use topology::observed::{NodeKind, Observed, Seen};

use crate::MaasClient;

/// The cached row numbers of one MAAS.
#[derive(Debug, Default)]
pub(crate) struct RowCache {
    subnets: BTreeMap<Cidr, u64>,
    ranges: BTreeMap<Key, u64>,
    nodes: BTreeMap<String, (String, NodeKind)>,
    reserved_ips: Option<bool>,
}

impl<W> MaasClient<W> {
    fn with_cache<T>(&self, with: impl FnOnce(&mut RowCache) -> T) -> T {
        // A cache left behind by a panic is as good as any: every entry is checked against a response.
        let mut cache = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        with(&mut cache)
    }

    /// Replaces the cache by the rows of an observation.
    pub(crate) fn remember_all(&self, observed: &Observed) {
        self.with_cache(|cache| {
            *cache = RowCache::default();
            cache.reserved_ips = Some(observed.version.has_reserved_ips());
            for (key, seen) in &observed.objects {
                cache.insert(key, seen.id);
            }
            for node in observed.nodes.values() {
                cache
                    .nodes
                    .insert(node.host.clone(), (node.system_id.clone(), node.kind));
            }
        });
    }

    pub(crate) fn remember(&self, seen: &Seen) {
        self.with_cache(|cache| cache.insert(&seen.object.key(), seen.id));
    }

    /// Drops the row number of an object that was no longer found there.
    pub(crate) fn forget(&self, key: &Key) {
        self.with_cache(|cache| {
            cache.ranges.remove(key);
            if let Key::Subnet(cidr) = key {
                cache.subnets.remove(cidr);
            }
        });
    }

    pub(crate) fn subnet_row(&self, cidr: Cidr) -> Option<u64> {
        self.with_cache(|cache| cache.subnets.get(&cidr).copied())
    }

    pub(crate) fn range_row(&self, key: &Key) -> Option<u64> {
        self.with_cache(|cache| cache.ranges.get(key).copied())
    }

    pub(crate) fn node(&self, host: &str) -> Option<(String, NodeKind)> {
        self.with_cache(|cache| cache.nodes.get(host).cloned())
    }

    pub(crate) fn host_of(&self, system_id: &str) -> Option<String> {
        self.with_cache(|cache| {
            let mut nodes = cache.nodes.iter();
            nodes
                .find(|(_, (id, _))| id == system_id)
                .map(|(host, _)| host.clone())
        })
    }

    pub(crate) fn remember_node(&self, host: &str, system_id: &str, kind: NodeKind) {
        self.with_cache(|cache| {
            cache
                .nodes
                .insert(host.to_owned(), (system_id.to_owned(), kind))
        });
    }

    pub(crate) fn forget_node(&self, host: &str) {
        self.with_cache(|cache| cache.nodes.remove(host));
    }

    pub(crate) fn has_reserved_ips(&self) -> Option<bool> {
        self.with_cache(|cache| cache.reserved_ips)
    }
}

impl RowCache {
    fn insert(&mut self, key: &Key, id: u64) {
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
