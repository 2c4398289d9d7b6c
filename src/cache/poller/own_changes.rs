//! Own changes: a poll returns the changes of this process too.
//!
//! By then the key may have been read again, and the poll invalidates that: one change would cost two reads. Ignoring the returned change
//! would be wrong if it was made by another process, which only the store could tell. So a lookup of a key that was changed here first
//! triggers a poll and waits briefly for it. Only the second read depends on it.

// Layer 6 of 10: cache.

use std::collections::HashMap;

use crate::cache::sync::{Mutex, lock};
use crate::digest::Digest;

/// Most keys that are kept. Further keys are read twice.
const CAPACITY: usize = 10_000;

/// The keys that were changed here, and that no poll has returned yet.
#[derive(Debug, Default)]
pub(super) struct OwnChanges(Mutex<Expected>);

#[derive(Debug, Default)]
struct Expected {
    /// Number of polls that have begun.
    polls: u64,
    /// By digest, the number of polls that had begun when the key was changed: one that begins later returns the change.
    since: HashMap<Digest, u64>,
}

/// A poll that has begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Poll(u64);

impl OwnChanges {
    /// Adds a key that this process has changed, after the commit.
    pub(super) fn expect(&self, digest: Digest) {
        let mut expected = lock(&self.0);
        let polls = expected.polls;
        if expected.since.len() < CAPACITY || expected.since.contains_key(&digest) {
            expected.since.insert(digest, polls);
        }
    }

    /// Returns whether no poll has returned the change of this key yet.
    pub(super) fn is_expected(&self, digest: &Digest) -> bool {
        lock(&self.0).since.contains_key(digest)
    }

    /// Counts a poll that begins.
    pub(super) fn poll_begins(&self) -> Poll {
        let mut expected = lock(&self.0);
        expected.polls += 1;
        Poll(expected.polls)
    }

    /// Removes the keys whose changes a poll has returned.
    pub(super) fn poll_is_applied(&self, poll: Poll) {
        lock(&self.0).since.retain(|_, polls| *polls >= poll.0);
    }
}

#[cfg(all(test, not(any(shuttle, weak_memory))))]
mod tests {
    use super::*;

    #[test]
    fn a_poll_returns_the_changes_from_before_it_began() {
        let own_changes = OwnChanges::default();
        let [before, within] = [1, 2].map(|byte| Digest::from_bytes([byte; 32]));
        own_changes.expect(before);
        let poll = own_changes.poll_begins();
        own_changes.expect(within);
        assert!(own_changes.is_expected(&before));
        own_changes.poll_is_applied(poll);
        assert!(!own_changes.is_expected(&before) && own_changes.is_expected(&within));
        let poll = own_changes.poll_begins();
        own_changes.poll_is_applied(poll);
        assert!(!own_changes.is_expected(&within));
    }

    #[test]
    fn no_more_keys_are_kept_than_the_capacity() {
        let own_changes = OwnChanges::default();
        for number in 0..=CAPACITY as u64 {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            own_changes.expect(Digest::from_bytes(bytes));
        }
        assert_eq!(lock(&own_changes.0).since.len(), CAPACITY);
    }
}
