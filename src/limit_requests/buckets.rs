//! The buckets of a layer by what they count, and when they are forgotten.

// Layer 8 of 10: decision.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::bucket::{Bucket, Kind, Now};
use super::counters::Count;
use crate::clock::Clock;

const SHARDS: usize = 16;
/// The number of buckets of a shard below which it is not swept.
const SWEPT_FROM: usize = 64;

/// All buckets that are in use, or have something used.
///
/// A bucket is the same however often the record of its key is read or changed: entries of the cache come and go, and hold a reference. It
/// is removed only if no entry has one and a new bucket would be the same, so nothing is forgotten that was counted.
#[derive(Debug)]
pub(super) struct Buckets {
    /// Each behind a lock, which is taken when an entry is first used, not by each request.
    shards: [Mutex<Shard>; SHARDS],
    hashes: RandomState,
    /// That of the first authenticator, as the moments of different clocks cannot be compared.
    clock: OnceLock<Arc<dyn Clock>>,
}

#[derive(Debug, Default)]
struct Shard {
    /// By the ids of their counts. Limits of another window or period have another one, so that none shortens the time of another.
    buckets: HashMap<Box<str>, (Kind, Arc<Bucket>)>,
    sweep_at: usize,
}

impl Buckets {
    pub(super) fn new() -> Self {
        Self { shards: Default::default(), hashes: RandomState::new(), clock: OnceLock::new() }
    }

    /// Returns the clock that the words go by: `clock` for the first caller.
    pub(super) fn clock(&self, clock: &Arc<dyn Clock>) -> Arc<dyn Clock> {
        Arc::clone(self.clock.get_or_init(|| Arc::clone(clock)))
    }

    /// Returns the bucket of a count, whose words are of this kind.
    pub(super) fn get(&self, count: &Count, kind: Kind, clock: &dyn Clock) -> Arc<Bucket> {
        let shard = self.hashes.hash_one(count.id()) as usize % SHARDS;
        // No panic leaves a shard half written.
        let mut shard = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        shard.get(count.id(), kind, clock)
    }
}

impl Shard {
    fn get(&mut self, id: &str, kind: Kind, clock: &dyn Clock) -> Arc<Bucket> {
        if let Some((_, bucket)) = self.buckets.get(id) {
            return Arc::clone(bucket);
        }
        if self.buckets.len() >= self.sweep_at.max(SWEPT_FROM) {
            self.sweep(Now::exact(clock));
        }
        let bucket = Arc::new(Bucket::default());
        self.buckets.insert(id.into(), (kind, Arc::clone(&bucket)));
        bucket
    }

    /// Removes what can be forgotten. The next sweep is due once there are twice as many as are left, so an insertion sweeps two on
    /// average.
    fn sweep(&mut self, now: Now) {
        self.buckets.retain(|_, (kind, bucket)| match Arc::get_mut(bucket) {
            Some(bucket) => !kind.is_unused(bucket.word_mut(), now),
            None => true,
        });
        self.sweep_at = 2 * self.buckets.len();
        self.buckets.shrink_to(self.sweep_at.max(SWEPT_FROM));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::bucket::Terms;
    use super::*;
    use crate::clock::{ManualClock, Timestamp};
    use crate::digest::Digest;
    use crate::key::KeyId;
    use crate::limit::Limit;
    use crate::owner::Owner;
    use crate::record::Record;

    fn count_of(number: usize, limit: &Limit) -> Count {
        let id = KeyId::new(&format!("key_{number}")).unwrap();
        let key = Record::imported(id, Digest::from_bytes([0; 32]), Owner::organization("acme"));
        Count::new(&key, limit.clone())
    }

    fn count(buckets: &Buckets) -> usize {
        buckets.shards.iter().map(|shard| shard.lock().unwrap().buckets.len()).sum()
    }

    #[test]
    fn buckets_are_forgotten_once_nothing_is_used_and_no_entry_has_them() {
        let (buckets, clock) = (Buckets::new(), ManualClock::new(Timestamp::from_unix_millis(0)));
        for text in ["burst=60/60s", "daily=60/day"] {
            let limit: Limit = text.parse().unwrap();
            let terms = Terms::of(&limit);
            let get = |number| buckets.get(&count_of(number, &limit), terms.kind(), &clock);
            let spend = |bucket: &Bucket| bucket.spend(&terms, 1, Now::exact(&clock)).unwrap();
            let (used, held) = (get(0), get(1));
            let word = spend(&used);
            drop(used);
            // Unused ones make room, though no time passes.
            (2..20_000).for_each(|number| drop(get(number)));
            assert!(count(&buckets) <= 2 * SHARDS * (SWEPT_FROM + 1), "{}", count(&buckets));
            assert_eq!(get(0).word(), word, "{text}");
            assert!(Arc::ptr_eq(&held, &get(1)), "{text}");
            // Used ones do once their allowance is whole.
            for number in 20_000..40_000 {
                spend(&get(number));
            }
            assert!(count(&buckets) >= 20_000);
            clock.advance(Duration::from_secs(24 * 60 * 60));
            (40_000..80_000).for_each(|number| drop(get(number)));
            assert!(count(&buckets) <= 4 * SHARDS * (SWEPT_FROM + 1), "{}", count(&buckets));
            assert_eq!(get(0).word(), 0, "{text}");
            assert!(Arc::ptr_eq(&held, &get(1)), "{text}");
        }
    }
}
