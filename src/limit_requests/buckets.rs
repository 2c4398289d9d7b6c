//! The buckets of a layer by what they count, and when they are forgotten.

// Layer 8 of 10: decision.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::bucket::{Bucket, Kind, Now};
use crate::clock::Clock;
use crate::environment::Environment;
use crate::key::KeyId;
use crate::limit::{Limit, Per};
use crate::owner::Owner;
use crate::record::Record;

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
    buckets: HashMap<Identity, Arc<Bucket>>,
    sweep_at: usize,
}

/// What a bucket counts. Limits of another window or period have another bucket, so that none shortens the time of another.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Identity {
    holder: Holder,
    environment: Environment,
    limit: Box<str>,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Holder {
    /// The first key of its rotations: a rotation gives no new allowance.
    Key(KeyId),
    Organization(Box<str>),
    Project {
        organization: Box<str>,
        id: Box<str>,
    },
    User(Box<str>),
}

impl Buckets {
    pub(super) fn new() -> Self {
        Self { shards: Default::default(), hashes: RandomState::new(), clock: OnceLock::new() }
    }

    /// Returns the clock that the words go by: `clock` for the first caller.
    pub(super) fn clock(&self, clock: &Arc<dyn Clock>) -> Arc<dyn Clock> {
        Arc::clone(self.clock.get_or_init(|| Arc::clone(clock)))
    }

    /// Returns the bucket of a limit of this key.
    pub(super) fn get(&self, record: &Record, limit: &Limit, kind: Kind, clock: &dyn Clock) -> Arc<Bucket> {
        let identity = Identity::of(record, limit, kind);
        let shard = self.hashes.hash_one(&identity) as usize % SHARDS;
        // No panic leaves a shard half written.
        let mut shard = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        shard.get(identity, clock)
    }
}

impl Shard {
    fn get(&mut self, identity: Identity, clock: &dyn Clock) -> Arc<Bucket> {
        if let Some(bucket) = self.buckets.get(&identity) {
            return Arc::clone(bucket);
        }
        if self.buckets.len() >= self.sweep_at.max(SWEPT_FROM) {
            self.sweep(Now::exact(clock));
        }
        Arc::clone(self.buckets.entry(identity).or_default())
    }

    /// Removes what can be forgotten. The next sweep is due once there are twice as many as are left, so an insertion sweeps two on
    /// average.
    fn sweep(&mut self, now: Now) {
        self.buckets.retain(|identity, bucket| match Arc::get_mut(bucket) {
            Some(bucket) => !identity.kind.is_unused(bucket.word_mut(), now),
            None => true,
        });
        self.sweep_at = 2 * self.buckets.len();
        self.buckets.shrink_to(self.sweep_at.max(SWEPT_FROM));
    }
}

impl Identity {
    fn of(record: &Record, limit: &Limit, kind: Kind) -> Self {
        let holder = match (limit.per(), &record.owner) {
            (Per::Key, _) => Holder::Key(record.first_of_rotations().clone()),
            (Per::Owner, Owner::Organization(own)) => Holder::Organization(own.id.clone()),
            (Per::Owner, Owner::Project(own)) => {
                Holder::Project { organization: own.organization.id.clone(), id: own.id.clone() }
            }
            (Per::Owner, Owner::User(own)) => Holder::User(own.email.clone()),
        };
        Self { holder, environment: record.environment, limit: limit.name().into(), kind }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::bucket::Terms;
    use super::*;
    use crate::clock::{ManualClock, Timestamp};
    use crate::digest::Digest;

    fn key(number: usize) -> Record {
        let id = KeyId::new(&format!("key_{number}")).unwrap();
        Record::imported(id, Digest::from_bytes([0; 32]), Owner::organization("acme"))
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
            let get = |number| buckets.get(&key(number), &limit, terms.kind(), &clock);
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

    #[test]
    fn what_shares_a_bucket() {
        let (buckets, clock) = (Buckets::new(), ManualClock::new(Timestamp::from_unix_millis(0)));
        let get = |record: &Record, text: &str| {
            let limit: Limit = text.parse().unwrap();
            buckets.get(record, &limit, Terms::of(&limit).kind(), &clock)
        };
        let (first, mut second) = (key(1), key(2));
        let is_shared = |second: &Record, a, b| Arc::ptr_eq(&get(&first, a), &get(second, b));
        assert!(is_shared(&first, "a=1/60s", "a=2/60s"), "a change of the requests");
        assert!(!is_shared(&first, "a=1/60s", "a=1/30s"), "a change of the window");
        assert!(!is_shared(&first, "a=1/60s", "b=1/60s") && !is_shared(&first, "a=1/day", "a=1/month"));
        assert!(!is_shared(&second, "a=1/60s", "a=1/60s"));
        assert!(is_shared(&second, "a=1/60s/owner", "a=1/60s/owner"));
        let replaced = Record { first_rotated_from: Some(first.id.clone()), ..key(4) };
        assert!(is_shared(&replaced, "a=1/60s", "a=1/60s"), "a rotation");
        second.environment = Environment::Test;
        assert!(!is_shared(&second, "a=1/60s/owner", "a=1/60s/owner"));
        for owner in [
            Owner::project(crate::owner::Organization::new("acme"), "acme"),
            Owner::user("acme", []),
            Owner::organization("other"),
        ] {
            second = Record { owner, ..key(3) };
            assert!(!is_shared(&second, "a=1/60s/owner", "a=1/60s/owner"));
        }
    }
}
