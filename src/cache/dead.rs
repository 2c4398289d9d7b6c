//! The dead: digests that are known to be revoked, whatever a store that lags behind may say of them.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::sync::{Mutex, lock};
use crate::clock::Moment;
use crate::digest::Digest;

/// Digests revoked a short while ago.
pub(super) struct Dead {
    keep: Duration,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    until: HashMap<Digest, Moment>,
    by_age: VecDeque<Digest>,
}

impl Dead {
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
