//! OwnChanges: what this process has changed itself comes back with a poll, like the changes of all others.
//!
//! By then the key may have been read again, and the echo makes that void: one change would cost two reads. To pass over echoes would be
//! wrong where one of them is another's change, and to tell them apart is up to each store. So a read of a key that was changed here has
//! a poll go first, and waits for it, but not for long. Nothing depends on it but the second read.

use std::collections::HashMap;

use super::sync::{Mutex, lock};
use crate::digest::Digest;

/// OwnChanges that are remembered. Keys past that are read twice.
const MOST: usize = 10_000;

/// The keys whose echo is still to come.
#[derive(Debug, Default)]
pub(super) struct OwnChanges(Mutex<Expected>);

#[derive(Debug, Default)]
struct Expected {
    /// How many polls have begun.
    polls: u64,
    /// By digest, how many polls had begun when the key was changed: one that began later brings the echo.
    since: HashMap<Digest, u64>,
}

/// A poll that has begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Poll(u64);

impl OwnChanges {
    /// Notes that this process has changed a key, and has committed that.
    pub(super) fn expect(&self, digest: Digest) {
        let mut expected = lock(&self.0);
        let polls = expected.polls;
        if expected.since.len() < MOST || expected.since.contains_key(&digest) {
            expected.since.insert(digest, polls);
        }
    }

    /// Returns whether the echo of a change is still to come.
    pub(super) fn is_expected(&self, digest: &Digest) -> bool {
        lock(&self.0).since.contains_key(digest)
    }

    pub(super) fn poll_begins(&self) -> Poll {
        let mut expected = lock(&self.0);
        expected.polls += 1;
        Poll(expected.polls)
    }

    /// Forgets the echoes that a poll has brought.
    pub(super) fn poll_is_applied(&self, poll: Poll) {
        lock(&self.0).since.retain(|_, polls| *polls >= poll.0);
    }
}

#[cfg(all(test, not(any(shuttle, weak_memory))))]
mod tests {
    use super::*;

    #[test]
    fn a_poll_brings_the_echoes_of_what_was_changed_before_it_began() {
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
    fn no_more_echoes_are_remembered_than_there_is_room_for() {
        let own_changes = OwnChanges::default();
        for number in 0..=MOST as u64 {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            own_changes.expect(Digest::from_bytes(bytes));
        }
        assert_eq!(lock(&own_changes.0).since.len(), MOST);
    }
}
