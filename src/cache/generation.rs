//! Stamps: what makes an entry inert the moment its key changes.
//!
//! A stamp is taken before a record is read from the store and kept with whatever is made of the record. A change bumps a
//! counter, so that older stamps are equal to none that is taken later. Nothing has to be found and removed for that:
//! the bump alone is the point at which a revocation takes effect.

use super::sync::{Atomic, Ordering};
use crate::digest::Digest;

/// Keys share counters. A bump then costs the other keys of the counter one lookup each, and nothing else: a thousand changes a
/// second reach a thirtieth of the keys. The counters take 256 KiB.
#[cfg(not(any(shuttle, weak_memory)))]
const SLOTS: usize = 32_768;

/// An explored schedule makes its own.
#[cfg(any(shuttle, weak_memory))]
const SLOTS: usize = 4096;

/// The state of a key's counters at one time: their sum, which grows with either of them.
///
/// A record that is older than a change was stamped before it, and a request that comes after the change compares it with
/// counters that are all at least as high, and one of them higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(u64);

/// The counters.
#[derive(Debug)]
pub(super) struct Stamps {
    slots: Box<[Atomic]>,
    all: Atomic,
}

impl Stamps {
    pub(super) fn new() -> Self {
        Self { slots: (0..SLOTS).map(|_| Atomic::new(0)).collect(), all: Atomic::new(0) }
    }

    /// Returns the stamp that a read which starts now would carry.
    pub(super) fn current(&self, digest: &Digest) -> Stamp {
        Stamp(self.slot(digest).load(Ordering::SeqCst) + self.all.load(Ordering::SeqCst))
    }

    /// Makes everything inert that was read of this key.
    pub(super) fn bump(&self, digest: &Digest) {
        self.slot(digest).fetch_add(1, Ordering::SeqCst);
    }

    /// Makes everything inert that was read of any key.
    pub(super) fn bump_all(&self) {
        self.all.fetch_add(1, Ordering::SeqCst);
    }

    fn slot(&self, digest: &Digest) -> &Atomic {
        &self.slots[digest.shard() as usize % SLOTS]
    }
}
