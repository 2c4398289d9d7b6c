//! The negative cache: keys that do not exist, or passwords that are wrong. It is small, short-lived and separate from the positive entries.

// Layer 6 of 10: cache.

use std::time::Duration;

use super::generation::Generation;
use crate::cache::sync::Bounded;
use crate::clock::Moment;
use crate::digest::Digest;

/// Digests that admit no caller. A flood of them can only evict each other.
pub(super) struct Negative {
    ttl: Duration,
    absent: Bounded<Absence>,
}

#[derive(Clone, Copy)]
struct Absence {
    generation: Generation,
    until: Moment,
}

impl Negative {
    pub(super) fn new(ttl: Duration, capacity: u64) -> Self {
        Self { ttl, absent: Bounded::new(capacity, ttl) }
    }

    pub(super) fn insert(&self, digest: Digest, generation: Generation, started: Moment) {
        if !self.ttl.is_zero() {
            self.absent.insert(digest, Absence { generation, until: started.saturating_add(self.ttl) });
        }
    }

    pub(super) fn contains(&self, digest: &Digest, generation: Generation, now: Moment) -> bool {
        self.absent.holds(digest, |absence| absence.generation == generation && now < absence.until)
    }

    pub(super) fn remove(&self, digest: &Digest) {
        self.absent.remove(digest);
    }
}
