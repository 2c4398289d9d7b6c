//! The place of an entry in the order of eviction.

// Layer 6 of 10: cache.

use crate::cache::sync::{AtomicU32, Ordering};

/// The index of an entry's node in the ring of `sieve`; zero if the entry was in none. Only that ring uses it, under the lock of
/// `Positive`.
#[derive(Debug, Default)]
pub(super) struct Place(AtomicU32);

impl Place {
    pub(super) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, node: u32) {
        self.0.store(node, Ordering::Relaxed);
    }
}
