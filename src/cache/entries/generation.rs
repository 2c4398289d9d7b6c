//! Generations: they make an entry inert the moment its key changes.
//!
//! A generation is taken before a record is read from the store, and kept with everything that is derived from the record. A change bumps a
//! counter, so that no generation taken later equals an older one. No entry has to be found and removed for that: the bump alone is the
//! point at which a revocation takes effect.

// Layer 6 of 10: cache.

use crate::cache::sync::{Atomic, Ordering};
use crate::digest::Digest;

/// Number of counters, which keys share. A bump costs the other keys of its counter one lookup each: a thousand changes a second reach a
/// thirtieth of the keys. The counters take 256 KiB.
#[cfg(not(any(shuttle, weak_memory)))]
const SLOTS: usize = 32_768;

/// Number of counters of a model, which creates them for each schedule.
#[cfg(any(shuttle, weak_memory))]
const SLOTS: usize = 4096;

/// The state of a key's counters at one time: their sum, which grows with either of them.
///
/// A record that is older than a change has a generation from before it. A request after the change compares that with counters of which
/// none is lower and one is higher.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::cache) struct Generation(u64);

/// The counters.
#[derive(Debug)]
pub(in crate::cache) struct Generations {
    slots: Box<[Atomic]>,
    all: Atomic,
}

impl Generations {
    pub(in crate::cache) fn new() -> Self {
        Self { slots: (0..SLOTS).map(|_| Atomic::new(0)).collect(), all: Atomic::new(0) }
    }

    /// Returns the generation for a read that starts now.
    pub(in crate::cache) fn current(&self, digest: &Digest) -> Generation {
        Generation(self.slot(digest).load(Ordering::SeqCst) + self.all.load(Ordering::SeqCst))
    }

    /// Returns the generation for a read by any of several digests of a key: the sum of their counters, which grows with each of them.
    pub(in crate::cache) fn current_of(&self, digests: &[Digest]) -> Generation {
        let slots: u64 = digests.iter().map(|digest| self.slot(digest).load(Ordering::SeqCst)).sum();
        Generation(slots + self.all.load(Ordering::SeqCst))
    }

    /// Invalidates everything that was read of this key.
    pub(in crate::cache) fn bump(&self, digest: &Digest) {
        self.slot(digest).fetch_add(1, Ordering::SeqCst);
    }

    /// Invalidates everything that was read of any key.
    pub(in crate::cache) fn bump_all(&self) {
        self.all.fetch_add(1, Ordering::SeqCst);
    }

    fn slot(&self, digest: &Digest) -> &Atomic {
        &self.slots[digest.shard() as usize % SLOTS]
    }
}
