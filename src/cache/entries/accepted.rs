//! The sources that have accepted the text of a key.

// Layer 6 of 10: cache.

use crate::cache::sync::{AtomicU8, Ordering};

/// A set of the first sources of an authenticator. Those beyond are in no set, so their format is checked each time.
///
/// A source is only ever added, and whether it accepts a text depends on nothing else. So a late reading only repeats a check.
#[derive(Debug, Default)]
pub(super) struct AcceptedBy(AtomicU8);

impl AcceptedBy {
    pub(super) fn contains(&self, source: usize) -> bool {
        self.0.load(Ordering::Relaxed) & bit(source) != 0
    }

    pub(super) fn add(&self, source: usize) {
        self.0.fetch_or(bit(source), Ordering::Relaxed);
    }
}

/// Returns the bit of a source, none for those beyond.
fn bit(source: usize) -> u8 {
    u32::try_from(source).ok().and_then(|source| 1_u8.checked_shl(source)).unwrap_or(0)
}

#[cfg(all(test, not(any(shuttle, weak_memory))))]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_in_the_set_once_it_is_added_and_unless_it_is_beyond() {
        for added in 0..300 {
            let set = AcceptedBy::default();
            set.add(added);
            for source in 0..300 {
                assert_eq!(set.contains(source), source == added && source < 8, "{source} of {added}");
            }
        }
    }
}
