//! What is remembered of keys that exist.
//!
//! A cached admission reads a concurrent map, which takes no lock and writes nothing but one counter. The bounded map
//! beside it holds the same entries and decides which of them have to go. To be asked about every read would cost it more
//! than all the rest of an admission, so it hears of every so many.

use std::time::Duration;

use super::Entry;
use super::sync::{Arc, Bounded, Map};
use crate::digest::Digest;

/// Of how many reads of an entry the eviction policy hears one.
const HEARD: u64 = 64;

/// Records by digest.
pub(super) struct Positive {
    entries: Arc<Map<Arc<Entry>>>,
    policy: Bounded<Arc<Entry>>,
    /// Whether there is room for anything: a bounded map without room lets go of nothing, as it takes nothing in.
    has_room: bool,
}

impl Positive {
    pub(super) fn new(capacity: u64, ttl: Duration) -> Self {
        let entries = Arc::new(Map::new());
        let kept = Arc::clone(&entries);
        // A newer entry of the same key may have taken the place of the one that goes, and stays.
        let gone =
            move |digest: &Digest, own: &Arc<Entry>| kept.remove_if(digest, |entry| Arc::ptr_eq(entry, own));
        Self { entries, policy: Bounded::telling(capacity, ttl, gone), has_room: capacity > 0 }
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<Entry>> {
        let entry = self.entries.get(digest)?;
        if entry.counters.read(HEARD) {
            self.policy.get(digest);
        }
        Some(entry)
    }

    /// Tells whether there is an entry of this key, though it may no longer count.
    pub(super) fn is_warm(&self, digest: &Digest) -> bool {
        self.entries.get(digest).is_some()
    }

    pub(super) fn insert(&self, digest: Digest, entry: &Arc<Entry>) {
        if !self.has_room {
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
