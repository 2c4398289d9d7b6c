//! What is remembered of keys that do not exist, and of passwords that are wrong: little, shortly, and apart from what is good.

use std::time::Duration;

use super::generation::Stamp;
use super::sync::Bounded;
use crate::clock::Moment;
use crate::digest::Digest;

/// Digests that admit no caller. A flood of them can only push out one another.
pub(super) struct Negative {
    ttl: Duration,
    absent: Bounded<Absence>,
}

#[derive(Clone, Copy)]
struct Absence {
    generation: Stamp,
    until: Moment,
}

impl Negative {
    pub(super) fn new(ttl: Duration, capacity: u64) -> Self {
        Self { ttl, absent: Bounded::new(capacity, ttl) }
    }

    pub(super) fn insert(&self, digest: Digest, generation: Stamp, started: Moment) {
        if !self.ttl.is_zero() {
            self.absent.insert(digest, Absence { generation, until: started.saturating_add(self.ttl) });
        }
    }

    pub(super) fn contains(&self, digest: &Digest, generation: Stamp, now: Moment) -> bool {
        self.absent.get(digest).is_some_and(|absence| absence.generation == generation && now < absence.until)
    }

    pub(super) fn remove(&self, digest: &Digest) {
        self.absent.remove(digest);
    }
}
