//! Counts the admissions by a cache entry, and marks, in the same word, that the entry was looked up since the eviction or a sweep last
//! visited it.

// Layer 6 of 10: cache.

use crate::cache::sync::{Atomic, Ordering};

/// The count and the mark in one word: with a second word, an entry would not fit into one cache line of memory.
///
/// No other memory is read because of it, so relaxed ordering suffices: a read-modify-write always sees the last value, and so no use is
/// lost.
#[derive(Debug)]
pub(super) struct UseCounter(Atomic);

/// The lower bits count uses since they were last taken: nine quintillion before they overflow into the mark.
const USES: u64 = MARK - 1;
const MARK: u64 = 1 << 63;

impl UseCounter {
    pub(super) fn zero() -> Self {
        Self(Atomic::new(0))
    }

    /// Sets the mark. Writes nothing if it is set, so the processors that use an entry keep their copies of its memory.
    pub(super) fn mark(&self) {
        if !self.is_marked() {
            self.0.fetch_or(MARK, Ordering::Relaxed);
        }
    }

    pub(super) fn is_marked(&self) -> bool {
        self.0.load(Ordering::Relaxed) & MARK != 0
    }

    /// Removes the mark, and returns whether it was set.
    pub(super) fn unmark(&self) -> bool {
        self.is_marked() && self.0.fetch_and(!MARK, Ordering::Relaxed) & MARK != 0
    }

    /// Counts a use, and returns whether it is the first since the uses were taken.
    pub(super) fn count_use(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) & USES == 0
    }

    /// Returns the uses, and resets them to zero.
    pub(super) fn take_uses(&self) -> u64 {
        self.0.fetch_and(!USES, Ordering::Relaxed) & USES
    }
}

#[cfg(all(test, not(any(shuttle, weak_memory))))]
mod tests {
    use super::*;

    #[test]
    fn uses_and_the_mark_do_not_touch_each_other() {
        let uses = UseCounter::zero();
        assert!(!uses.unmark());
        assert!(uses.count_use());
        uses.mark();
        uses.mark();
        assert!(!uses.count_use());
        assert_eq!((uses.take_uses(), uses.take_uses()), (2, 0));
        assert!(uses.count_use());
        assert_eq!((uses.unmark(), uses.unmark()), (true, false));
        assert_eq!(uses.take_uses(), 1);
    }
}
