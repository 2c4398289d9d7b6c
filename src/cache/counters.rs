//! What is counted in a cached entry: how often it was found, and how often it admitted someone.

use super::sync::{Atomic, Ordering};

/// Both counts in one word: an entry fits into one line of memory, and a second word would not.
///
/// Nothing is read on the strength of a count, so nothing has to be ordered by it. That every change is made to the last
/// value holds in any order, and is all that keeps uses from getting lost.
#[derive(Debug)]
pub(super) struct Counters(Atomic);

/// The lower bits count uses since they were last taken: 281 million million before they touch the others.
const USES: u64 = (1 << 48) - 1;
/// The upper bits count reads, and begin anew after 65,536.
const READ: u64 = USES + 1;

impl Counters {
    pub(super) fn zero() -> Self {
        Self(Atomic::new(0))
    }

    /// Counts a read, and tells whether it is one of so many, which is a power of two.
    pub(super) fn read(&self, of: u64) -> bool {
        (self.0.fetch_add(READ, Ordering::Relaxed) / READ).is_multiple_of(of)
    }

    /// Counts a use, and tells whether it is the first since the uses were taken.
    pub(super) fn use_once(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) & USES == 0
    }

    /// Takes the uses, of which there are none from then on.
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
        let heard: Vec<_> = (0..200_000).filter(|_| counters.read(64)).collect();
        assert_eq!(heard, (0..200_000).step_by(64).collect::<Vec<_>>());
        assert!(counters.use_once());
        assert!(!counters.use_once());
        assert_eq!((counters.take_uses(), counters.take_uses()), (2, 0));
        assert!(counters.use_once());
    }

    #[test]
    fn taking_the_uses_leaves_the_reads_as_they_are() {
        let counters = Counters::zero();
        assert!(counters.read(2));
        counters.use_once();
        counters.take_uses();
        assert!(!counters.read(2));
    }
}
