//! The entries of keys that exist.
//!
//! A cached admission reads a concurrent map: it takes no lock, and writes only the first mark that an entry was used. A [ring](Sieve) of the same
//! entries chooses which of them are evicted.

// Layer 6 of 10: cache.

use std::ops::Range;
use std::time::Duration;

use super::Entry;
use super::sieve::Sieve;
use crate::cache::sync::{Arc, Map, Mutex, lock};
use crate::clock::Moment;
use crate::digest::Digest;

/// Number of entries that an insertion checks for idleness, while a sweep runs.
const SWEPT: usize = 16;

/// Records by digest.
pub(super) struct Positive {
    entries: Map<Arc<Entry>>,
    /// The map is changed under this lock only, so both hold the same entries.
    ring: Mutex<Ring>,
    has_capacity: bool,
    idle_after: Duration,
}

struct Ring {
    sieve: Sieve,
    /// The places that the current sweep for idle entries has not checked.
    unswept: Range<u32>,
    next_sweep: Moment,
}

impl Positive {
    /// Creates a map of limited size. An entry is idle if it has been invalid for `idle_after`, and no request has asked for it between two
    /// sweeps, which are as far apart. Removing it only frees memory.
    pub(super) fn new(capacity: u64, idle_after: Duration) -> Self {
        let ring = Ring { sieve: Sieve::new(capacity), unswept: 0..0, next_sweep: Moment::from_nanos(0) };
        Self { entries: Map::new(), ring: Mutex::new(ring), has_capacity: capacity > 0, idle_after }
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<Entry>> {
        let entry = self.entries.get(digest)?;
        entry.uses.mark();
        Some(entry)
    }

    /// Returns whether an entry of this key exists, even if it is no longer valid, and marks it as used.
    pub(super) fn is_warm(&self, digest: &Digest) -> bool {
        self.get(digest).is_some()
    }

    /// Inserts an entry under the digest of its record.
    pub(super) fn insert(&self, entry: &Arc<Entry>, now: Moment) {
        if !self.has_capacity {
            return;
        }
        let mut ring = lock(&self.ring);
        if let Some(replaced) = self.entries.insert(entry.record().digest, Arc::clone(entry)) {
            ring.sieve.remove(&replaced);
            // A key that is read again is in use.
            entry.uses.mark();
        }
        let evicted = ring.sieve.push(entry);
        let idle = ring.sweep(self.idle_after, now);
        for removed in evicted.iter().chain(&idle) {
            self.entries.remove(&removed.record().digest);
        }
    }

    pub(super) fn remove(&self, digest: &Digest) {
        let mut ring = lock(&self.ring);
        if let Some(removed) = self.entries.remove(digest) {
            ring.sieve.remove(&removed);
        }
    }

    /// Checks that the map and the ring have the same entries, which have these digests, and returns their number.
    #[cfg(all(test, shuttle))]
    pub(super) fn check(&self, digests: &[Digest]) -> usize {
        let mut ring = lock(&self.ring);
        let entries: Vec<_> = digests.iter().filter_map(|digest| self.entries.get(digest)).collect();
        assert!(entries.iter().all(|entry| ring.sieve.holds(entry)), "an entry that is never evicted");
        assert_eq!(ring.sieve.len(), entries.len(), "the ring holds more entries");
        entries.len()
    }
}

impl Ring {
    /// Checks the next entries, and removes those that are idle.
    fn sweep(&mut self, idle_after: Duration, now: Moment) -> Vec<Arc<Entry>> {
        if self.unswept.is_empty() && now >= self.next_sweep {
            self.unswept = self.sieve.places();
            self.next_sweep = now.saturating_add(idle_after);
        }
        let is_idle = |entry: &Entry| entry.until.saturating_add(idle_after) <= now && !entry.uses.unmark();
        let places = self.unswept.by_ref().take(SWEPT);
        places.filter_map(|place| self.sieve.remove_if(place, is_idle)).collect()
    }
}

#[cfg(all(test, not(any(shuttle, weak_memory))))]
mod tests {
    use super::*;

    const IDLE_AFTER: Duration = Duration::from_nanos(100);

    fn digest(number: u32) -> Digest {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        Digest::from_bytes(bytes)
    }

    fn at(nanos: u64) -> Moment {
        Moment::from_nanos(nanos)
    }

    impl Positive {
        fn holds(&self, number: u32) -> bool {
            self.entries.get(&digest(number)).is_some()
        }

        /// Inserts an entry that is valid for ten nanoseconds.
        fn insert_at(&self, number: u32, nanos: u64) {
            self.insert(&Entry::of_digest(digest(number), at(nanos + 10)), at(nanos));
        }
    }

    #[test]
    fn idle_entries_are_removed() {
        let positive = Positive::new(1_000, IDLE_AFTER);
        for number in 0..100 {
            positive.insert_at(number, 0);
        }
        assert!(positive.get(&digest(1)).is_some());
        // Its first sweep has checked all entries after a few insertions.
        for _ in 0..10 {
            positive.insert_at(200, 109);
        }
        assert!((0..100).all(|number| positive.holds(number)), "invalid, but not for long enough");
        for _ in 0..10 {
            positive.insert_at(200, 209);
        }
        assert!((0..100).all(|number| positive.holds(number) == (number == 1)), "it was asked for");
        for _ in 0..10 {
            positive.insert_at(200, 308);
        }
        assert!(positive.holds(1), "two sweeps are further apart");
        for _ in 0..10 {
            positive.insert_at(200, 309);
        }
        assert!(!positive.holds(1) && positive.holds(200));
        assert_eq!(lock(&positive.ring).sieve.len(), 1);
    }

    #[test]
    fn a_key_that_is_read_again_is_not_evicted_first() {
        let positive = Positive::new(2, IDLE_AFTER);
        for number in [1, 1, 2, 3] {
            positive.insert_at(number, 0);
        }
        assert!(positive.holds(1) && !positive.holds(2) && positive.holds(3));
    }

    #[test]
    fn removed_entries_make_room() {
        let positive = Positive::new(2, IDLE_AFTER);
        positive.insert_at(1, 0);
        positive.insert_at(2, 0);
        positive.remove(&digest(2));
        positive.remove(&digest(2));
        positive.insert_at(3, 0);
        assert!(positive.holds(1) && !positive.holds(2) && positive.holds(3));
    }

    /// Returns the share of hits among requests for 10,000 keys by Zipf's law, with room for a tenth of them. Some percent of all requests
    /// are for 30,000 further keys in a row, and are not counted.
    fn hit_ratio(scan: u32) -> f64 {
        const KEYS: u32 = 10_000;
        let cumulated: Vec<f64> = (1..=KEYS)
            .scan(0.0, |sum, rank| {
                *sum += 1.0 / f64::from(rank);
                Some(*sum)
            })
            .collect();
        let total = cumulated[cumulated.len() - 1];
        let positive = Positive::new(u64::from(KEYS) / 10, IDLE_AFTER);
        let hits = |number| {
            let hits = positive.get(&digest(number)).is_some();
            if !hits {
                positive.insert_at(number, 0);
            }
            hits
        };
        let mut random = fastrand::Rng::with_seed(7);
        let (mut scanned, mut counted, mut hit) = (0, 0, 0);
        for request in 0..150_000 {
            if random.u32(..100) < scan {
                hits(KEYS + scanned % (3 * KEYS));
                scanned += 1;
            } else {
                let drawn = random.f64() * total;
                let is_hit = hits(cumulated.partition_point(|sum| *sum < drawn) as u32);
                if request >= 50_000 {
                    counted += 1;
                    hit += u32::from(is_hit);
                }
            }
        }
        f64::from(hit) / f64::from(counted)
    }

    #[test]
    fn room_for_a_tenth_of_the_keys_answers_three_quarters_of_the_requests() {
        let ratio = hit_ratio(0);
        assert!(ratio >= 0.73, "{ratio}");
    }

    #[test]
    fn a_scan_of_other_keys_costs_few_hits() {
        let ratio = hit_ratio(50);
        assert!(ratio >= 0.7, "{ratio}");
    }
}
