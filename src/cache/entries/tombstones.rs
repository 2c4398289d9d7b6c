//! Tombstones: digests that are known to be revoked, even if a lagging replica returns their records as valid.

// Layer 6 of 10: cache.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::cache::sync::{Mutex, lock};
use crate::clock::Moment;
use crate::digest::Digest;

/// Digests that were revoked a short while ago.
pub(super) struct Tombstones {
    ttl: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    until: HashMap<Digest, Moment>,
    by_age: VecDeque<Digest>,
}

impl Tombstones {
    /// Creates an empty set that keeps a digest for `ttl`: longer than any read of the store takes.
    pub(super) fn new(ttl: Duration) -> Self {
        Self { ttl, state: Mutex::default() }
    }

    pub(super) fn insert(&self, digest: Digest, now: Moment) {
        let mut state = lock(&self.state);
        state.remove_expired(now);
        if state.until.insert(digest, now.saturating_add(self.ttl)).is_none() {
            state.by_age.push_back(digest);
        }
    }

    pub(super) fn contains(&self, digest: &Digest, now: Moment) -> bool {
        lock(&self.state).until.get(digest).is_some_and(|until| now < *until)
    }
}

impl State {
    fn remove_expired(&mut self, now: Moment) {
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
    fn a_tombstone_is_kept_for_its_time_to_live() {
        let tombstones = Tombstones::new(Duration::from_nanos(10));
        let at = Moment::from_nanos;
        let digest = |byte| Digest::from_bytes([byte; 32]);
        tombstones.insert(digest(1), at(0));
        tombstones.insert(digest(2), at(5));
        assert!(tombstones.contains(&digest(1), at(9)) && !tombstones.contains(&digest(1), at(10)));

        tombstones.insert(digest(3), at(10));
        let state = lock(&tombstones.state);
        assert!(!state.until.contains_key(&digest(1)), "expired");
        assert!(state.until.contains_key(&digest(2)), "not expired yet");
        assert_eq!(state.until.len(), state.by_age.len());
    }
}
