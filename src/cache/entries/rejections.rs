//! Counts the requests of a cache entry that were rejected after their admission.

// Layer 6 of 10: cache.

use crate::cache::sync::{Atomic, Ordering};
use crate::reject::Outcome;

/// Rejections since they were last taken.
///
/// A request is admitted before it is rejected: with this order, a thread that takes its rejection also sees its admission.
///
/// No case under the weak memory model shows it: that model carries out every read-modify-write on the last value, in the order of its
/// schedule, and finds no violation with relaxed orderings either. Processors that reorder two of them may.
#[derive(Debug)]
pub(super) struct Rejections {
    limited: Atomic,
    forbidden: Atomic,
}

impl Default for Rejections {
    fn default() -> Self {
        Self { limited: Atomic::new(0), forbidden: Atomic::new(0) }
    }
}

impl Rejections {
    /// Counts a rejection, and returns whether it is the first of its kind since they were taken.
    pub(super) fn count(&self, outcome: Outcome) -> bool {
        let counter = match outcome {
            Outcome::Limited => &self.limited,
            Outcome::Forbidden => &self.forbidden,
        };
        counter.fetch_add(1, Ordering::Release) == 0
    }

    /// Returns the limited and the forbidden requests, and resets them to zero.
    pub(super) fn take(&self) -> (u64, u64) {
        (self.limited.swap(0, Ordering::Acquire), self.forbidden.swap(0, Ordering::Acquire))
    }
}
