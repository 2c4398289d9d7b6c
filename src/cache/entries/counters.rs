//! The counters of a cache entry: its reads, and the admissions that used it.

use crate::cache::sync::{Atomic, Ordering};

/// Both counts in one word: with a second word, an entry would not fit into one cache line of memory.
///
/// No other memory is read because of a count, so relaxed ordering suffices: a read-modify-write always sees the last value, and so no use
/// is lost.
#[derive(Debug)]
pub(super) struct Counters(Atomic);

/// The lower bits count uses since they were last taken: 281 trillion before they overflow into the upper bits.
const USES: u64 = (1 << 48) - 1;
/// The upper bits count reads, and wrap after 65,536.
const READ: u64 = USES + 1;

impl Counters {
    pub(super) fn zero() -> Self {
        Self(Atomic::new(0))
    }

    /// Counts a read, and returns whether it is one in `interval`, a power of two.
    pub(super) fn count_read(&self, interval: u64) -> bool {
        (self.0.fetch_add(READ, Ordering::Relaxed) / READ).is_multiple_of(interval)
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
    fn reads_and_uses_are_counted_apart() {
        let counters = Counters::zero();
        let sampled: Vec<_> = (0..200_000).filter(|_| counters.count_read(64)).collect();
        assert_eq!(sampled, (0..200_000).step_by(64).collect::<Vec<_>>());
        assert!(counters.count_use());
        assert!(!counters.count_use());
        assert_eq!((counters.take_uses(), counters.take_uses()), (2, 0));
        assert!(counters.count_use());
    }

    #[test]
    fn taking_the_uses_leaves_the_reads_as_they_are() {
        let counters = Counters::zero();
        assert!(counters.count_read(2));
        counters.count_use();
        counters.take_uses();
        assert!(!counters.count_read(2));
    }
}
