//! The entries of keys that exist.
//!
//! A cached admission reads a concurrent map, which takes no lock and writes only one counter. A bounded map beside it holds the same entries
//! and chooses which of them are evicted. Recording every read there would cost more than the rest of an admission, so only a sample of the
//! reads is recorded.

use std::time::Duration;

use super::Entry;
use crate::cache::sync::{Arc, Bounded, Map};
use crate::digest::Digest;

/// One in this number of reads of an entry is recorded by the eviction policy.
const SAMPLE_INTERVAL: u64 = 64;

/// Records by digest.
pub(super) struct Positive {
    entries: Arc<Map<Arc<Entry>>>,
    policy: Bounded<Arc<Entry>>,
    /// Whether the capacity is above zero. A bounded map without capacity keeps no entry, and so never reports an eviction.
    has_capacity: bool,
}

impl Positive {
    pub(super) fn new(capacity: u64, ttl: Duration) -> Self {
        let entries = Arc::new(Map::new());
        let kept = Arc::clone(&entries);
        // A newer entry of the same key may have replaced the removed one, and stays.
        let on_remove =
            move |digest: &Digest, own: &Arc<Entry>| kept.remove_if(digest, |entry| Arc::ptr_eq(entry, own));
        Self { entries, policy: Bounded::with_listener(capacity, ttl, on_remove), has_capacity: capacity > 0 }
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<Entry>> {
        let entry = self.entries.get(digest)?;
        if entry.counters.count_read(SAMPLE_INTERVAL) {
            self.policy.get(digest);
        }
        Some(entry)
    }

    /// Returns whether an entry of this key exists, even if it is no longer valid.
    pub(super) fn is_warm(&self, digest: &Digest) -> bool {
        self.entries.get(digest).is_some()
    }

    pub(super) fn insert(&self, digest: Digest, entry: &Arc<Entry>) {
        if !self.has_capacity {
            return;
        }
        self.entries.insert(digest, Arc::clone(entry));
        self.policy.insert(digest, Arc::clone(entry));
    }

    pub(super) fn remove(&self, digest: &Digest) {
        self.entries.remove_if(digest, |_| true);
        self.policy.remove(digest);
    }
}
