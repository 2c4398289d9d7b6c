//! What is remembered of keys that exist.
//!
//! A cached admission reads a concurrent map, which takes no lock and writes nothing but one counter. The bounded map
//! beside it holds the same entries and decides which of them have to go. To be asked about every read would cost it more
//! than all the rest of an admission, so it hears of every so many.

use std::time::Duration;

use super::Entry;
use super::sync::{Arc, Bounded, Map, Ordering};
use crate::digest::Digest;

/// Of how many reads of an entry the eviction policy hears one.
const HEARD: u64 = 64;

/// Records by digest.
pub(super) struct Positive {
    entries: Arc<Map<Arc<Entry>>>,
    policy: Bounded<Arc<Entry>>,
}

impl Positive {
    pub(super) fn new(capacity: u64, ttl: Duration) -> Self {
        let entries = Arc::new(Map::new());
        let kept = Arc::clone(&entries);
        // A newer entry of the same key may have taken the place of the one that goes, and stays.
        let gone =
            move |digest: &Digest, own: &Arc<Entry>| kept.remove_if(digest, |entry| Arc::ptr_eq(entry, own));
        Self { entries, policy: Bounded::new(capacity, ttl, gone) }
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<Entry>> {
        let entry = self.entries.get(digest)?;
        if entry.reads.fetch_add(1, Ordering::Relaxed).is_multiple_of(HEARD) {
            self.policy.get(digest);
        }
        Some(entry)
    }

    pub(super) fn insert(&self, digest: Digest, entry: &Arc<Entry>) {
        self.entries.insert(digest, Arc::clone(entry));
        self.policy.insert(digest, Arc::clone(entry));
    }

    pub(super) fn remove(&self, digest: &Digest) {
        self.entries.remove_if(digest, |_| true);
        self.policy.remove(digest);
    }
}
