//! The place of an entry in the order of eviction.

// Layer 6 of 10: cache.

use crate::cache::sync::{AtomicU32, Ordering};

/// The node of an entry; zero if it never had one. Only the ring with the entry uses it, under the lock of the ring.
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
