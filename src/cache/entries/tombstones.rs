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
    /// Each end, with its digest. A digest that was added again has a later one as well.
    ends: VecDeque<(Moment, Digest)>,
}

impl Tombstones {
    /// Creates an empty set that keeps a digest for `ttl`: longer than any read of the store takes.
    pub(super) fn new(ttl: Duration) -> Self {
        Self { ttl, state: Mutex::default() }
    }

    pub(super) fn insert(&self, digest: Digest, now: Moment) {
        let mut state = lock(&self.state);
        state.remove_expired(now);
        let until = now.saturating_add(self.ttl);
        state.until.insert(digest, until);
        state.ends.push_back((until, digest));
    }

    pub(super) fn contains(&self, digest: &Digest, now: Moment) -> bool {
        lock(&self.state).until.get(digest).is_some_and(|until| now < *until)
    }
}

impl State {
    fn remove_expired(&mut self, now: Moment) {
        while let Some(&(end, digest)) = self.ends.front()
            && end <= now
        {
            self.ends.pop_front();
            if self.until.get(&digest) == Some(&end) {
                self.until.remove(&digest);
            }
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
        assert_eq!(state.until.len(), state.ends.len());
    }

    #[test]
    fn a_digest_that_is_added_again_stays_longer_and_keeps_no_other() {
        let tombstones = Tombstones::new(Duration::from_nanos(10));
        let at = Moment::from_nanos;
        let digest = |byte| Digest::from_bytes([byte; 32]);
        for (byte, now) in [(1, 0), (2, 1), (1, 9), (3, 12)] {
            tombstones.insert(digest(byte), at(now));
        }
        assert!(tombstones.contains(&digest(1), at(18)) && !tombstones.contains(&digest(1), at(19)));
        assert!(!lock(&tombstones.state).until.contains_key(&digest(2)), "expired");

        tombstones.insert(digest(4), at(22));
        assert_eq!(lock(&tombstones.state).until.len(), 1);
        assert_eq!(lock(&tombstones.state).ends.len(), 1);
    }
}
