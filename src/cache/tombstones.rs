//! The dead: digests that are known to be revoked, whatever a store that lags behind may say of them.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::sync::{Mutex, lock};
use crate::clock::Moment;
use crate::digest::Digest;

/// Digests revoked a short while ago.
pub(super) struct Tombstones {
    keep: Duration,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    until: HashMap<Digest, Moment>,
    by_age: VecDeque<Digest>,
}

impl Tombstones {
    /// Creates an empty set that keeps a digest for `keep`: longer than any read of the store takes.
    pub(super) fn new(keep: Duration) -> Self {
        Self { keep, known: Mutex::new(Known::default()) }
    }

    pub(super) fn insert(&self, digest: Digest, now: Moment) {
        let mut known = lock(&self.known);
        known.forget_the_old(now);
        if known.until.insert(digest, now.saturating_add(self.keep)).is_none() {
            known.by_age.push_back(digest);
        }
    }

    pub(super) fn contains(&self, digest: &Digest, now: Moment) -> bool {
        lock(&self.known).until.get(digest).is_some_and(|until| now < *until)
    }
}

impl Known {
    fn forget_the_old(&mut self, now: Moment) {
        while let Some(oldest) = self.by_age.front() {
            if self.until.get(oldest).is_some_and(|until| now < *until) {
                break;
            }
            self.until.remove(oldest);
            self.by_age.pop_front();
        }
    }
}

#[cfg(all(test, not(any(shuttle, weak_memory))))]
mod tests {
    use super::*;

    #[test]
    fn the_dead_are_forgotten_when_their_time_is_over_and_not_before() {
        let tombstones = Tombstones::new(Duration::from_nanos(10));
        let at = Moment::from_nanos;
        let digest = |byte| Digest::from_bytes([byte; 32]);
        tombstones.insert(digest(1), at(0));
        tombstones.insert(digest(2), at(5));
        assert!(tombstones.contains(&digest(1), at(9)) && !tombstones.contains(&digest(1), at(10)));

        tombstones.insert(digest(3), at(10));
        let known = lock(&tombstones.known);
        assert!(!known.until.contains_key(&digest(1)), "its time is over");
        assert!(known.until.contains_key(&digest(2)), "its time is not over");
        assert_eq!(known.until.len(), known.by_age.len());
    }
}
