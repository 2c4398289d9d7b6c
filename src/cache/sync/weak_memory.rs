//! Counters for tests with `--cfg weak_memory`: a load may return a value as old as the orderings allow.

// Layer 6 of 10: cache.

#[cfg(test)]
mod orderings;

use std::cell::Cell;
use std::ops::Deref;
use std::sync::OnceLock;

use loom::sync::atomic::AtomicU64;

use super::Ordering;

thread_local! {
    /// The orderings of loads and of changes, in place of those in the code.
    static REPLACEMENT_ORDERINGS: Cell<Option<(Ordering, Ordering)>> = const { Cell::new(None) };
}

/// A counter whose orderings a test can weaken. It is created when it is first used: the cache has thousands.
#[derive(Debug)]
pub(in crate::cache) struct Atomic {
    initial: u64,
    used: OnceLock<AtomicU64>,
}

impl Atomic {
    pub(in crate::cache) fn new(initial: u64) -> Self {
        Self { initial, used: OnceLock::new() }
    }

    pub(in crate::cache) fn load(&self, order: Ordering) -> u64 {
        (**self).load(REPLACEMENT_ORDERINGS.get().map_or(order, |(load, _)| load))
    }

    pub(in crate::cache) fn fetch_add(&self, by: u64, order: Ordering) -> u64 {
        (**self).fetch_add(by, REPLACEMENT_ORDERINGS.get().map_or(order, |(_, change)| change))
    }

    pub(in crate::cache) fn fetch_max(&self, other: u64, order: Ordering) -> u64 {
        (**self).fetch_max(other, REPLACEMENT_ORDERINGS.get().map_or(order, |(_, change)| change))
    }
}

/// For the other operations of the cache.
impl Deref for Atomic {
    type Target = AtomicU64;

    fn deref(&self) -> &AtomicU64 {
        self.used.get_or_init(|| AtomicU64::new(self.initial))
    }
}
