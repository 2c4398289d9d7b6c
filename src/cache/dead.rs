//! The dead: digests that are known to be revoked, whatever a store that lags behind may say of them.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use super::sync::{Mutex, lock};
use crate::clock::Moment;
use crate::digest::Digest;

/// Digests revoked a short while ago.
#[derive(Debug)]
pub(super) struct Dead {
    keep: Duration,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    digests: HashSet<Digest>,
    by_age: VecDeque<(Moment, Digest)>,
}

impl Dead {
    /// Creates an empty set that keeps a digest for `keep`: longer than any read of the store takes.
    pub(super) fn new(keep: Duration) -> Self {
        Self { keep, known: Mutex::default() }
    }

    pub(super) fn insert(&self, digest: Digest, now: Moment) {
        let mut known = lock(&self.known);
        while known.by_age.front().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, digest)) = known.by_age.pop_front() {
                known.digests.remove(&digest);
            }
        }
        if known.digests.insert(digest) {
            known.by_age.push_back((now.saturating_add(self.keep), digest));
        }
    }

    pub(super) fn contains(&self, digest: &Digest) -> bool {
        lock(&self.known).digests.contains(digest)
    }
}
