//! A cache bounded by bytes. It must not know what it holds or for how long that is true.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What an entry costs beside its key and value: map nodes and headers, rounded up. It bounds the number of entries too.
const ENTRY_BYTES: usize = 256;

/// The least recently used entries make room for new ones.
pub(super) struct BoundedCache<T> {
    bytes_max: usize,
    bytes: usize,
    /// Counts uses; the oldest use is the first key of `by_use`.
    uses: u64,
    entries: BTreeMap<String, CacheEntry<T>>,
    by_use: BTreeMap<u64, String>,
}

struct CacheEntry<T> {
    value: T,
    bytes: usize,
    used: u64,
}

impl<T: Clone> BoundedCache<T> {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            bytes: 0,
            uses: 0,
            entries: BTreeMap::new(),
            by_use: BTreeMap::new(),
        }
    }

    pub(super) fn get(&mut self, key: &str) -> Option<T> {
        self.uses += 1;
        let entry = self.entries.get_mut(key)?;
        self.by_use.remove(&entry.used);
        entry.used = self.uses;
        self.by_use.insert(entry.used, key.to_owned());
        Some(entry.value.clone())
    }

    /// Keeps a value of that many bytes; one that would take more than half of the cache is not kept.
    pub(super) fn insert(&mut self, key: &str, value: T, value_bytes: usize) {
        self.remove(key);
        // The key is kept in both maps.
        let bytes = value_bytes + 2 * key.len() + ENTRY_BYTES;
        if bytes > self.bytes_max / 2 {
            return;
        }
        while self.bytes + bytes > self.bytes_max
            && let Some((_, oldest)) = self.by_use.first_key_value()
        {
            let oldest = oldest.clone();
            self.remove(&oldest);
        }
        self.uses += 1;
        self.bytes += bytes;
        self.by_use.insert(self.uses, key.to_owned());
        let entry = CacheEntry {
            value,
            bytes,
            used: self.uses,
        };
        self.entries.insert(key.to_owned(), entry);
    }

    fn remove(&mut self, key: &str) {
        if let Some(entry) = self.entries.remove(key) {
            self.by_use.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }
}

/// The guard, also after a panic of another holder: nothing that is locked here is left half changed.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_entries_make_room() {
        let mut cache = BoundedCache::new(3 * (ENTRY_BYTES + 12));
        for key in ["a", "b", "c"] {
            cache.insert(key, key, 10);
        }
        assert_eq!(cache.get("a"), Some("a"));
        cache.insert("d", "d", 10);
        let left = ["a", "b", "c", "d"].map(|key| cache.get(key).is_some());
        assert_eq!(left, [true, false, true, true]);
    }

    #[test]
    fn the_bound_holds_whatever_is_put_in() {
        let mut cache = BoundedCache::new(10_000);
        for at in 0..1000_usize {
            cache.insert(&(at % 300).to_string(), (), at * 7);
            assert!(cache.bytes <= 10_000, "{} bytes", cache.bytes);
            assert_eq!(cache.entries.len(), cache.by_use.len());
            let counted: usize = cache.entries.values().map(|entry| entry.bytes).sum();
            assert_eq!(counted, cache.bytes);
        }
    }

    #[test]
    fn an_entry_that_would_fill_half_of_the_cache_is_not_kept() {
        let mut cache = BoundedCache::new(10_000);
        cache.insert("small", (), 10);
        cache.insert("large", (), 5_000);
        assert_eq!((cache.get("small"), cache.get("large")), (Some(()), None));
    }
}
