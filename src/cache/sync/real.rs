//! The primitives of a running service.

// Layer 6 of 10: cache.

pub(in crate::cache) use std::sync::{Mutex, MutexGuard};

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::time::Duration;

use moka::Equivalent;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::digest::Digest;
use crate::runtime::require_runtime;

/// Runs a future in a task of its own.
pub(in crate::cache) fn spawn<F: Future<Output: Send> + Send + 'static>(task: F) {
    require_runtime();
    tokio::spawn(task);
}

/// A map that is read without a lock.
pub(in crate::cache) struct Map<V>(papaya::HashMap<Digest, V, Keyed>);

impl<V: Clone> Map<V> {
    pub(in crate::cache) fn new() -> Self {
        // While the map grows, a read may have to look in two tables. Each insertion moves a few thousand entries, which ends that soon and
        // takes a tenth of a millisecond.
        let growth = papaya::ResizeMode::Incremental(4096);
        Self(papaya::HashMap::builder().hasher(Keyed::default()).resize_mode(growth).build())
    }

    pub(in crate::cache) fn get(&self, digest: &Digest) -> Option<V> {
        self.0.pin().get(digest).cloned()
    }

    /// Inserts a value, and returns the one that it replaces.
    pub(in crate::cache) fn insert(&self, digest: Digest, value: V) -> Option<V> {
        self.0.pin().insert(digest, value).cloned()
    }

    pub(in crate::cache) fn remove(&self, digest: &Digest) -> Option<V> {
        self.0.pin().remove(digest).cloned()
    }
}

/// A map of limited size that evicts the values that were inserted first.
///
/// A value is a part of its key, which `moka` compares without recording a read: a recorded one takes more than twice as long. An insertion
/// replaces the key too, in the version that is required. If it did not, a digest that is inserted again would have no value.
pub(in crate::cache) struct Bounded<V>(Cache<Held<V>, (), Keyed>)
where
    V: Send + Sync + 'static;

impl<V: Send + Sync + 'static> Bounded<V> {
    /// Creates a map for `capacity` values.
    ///
    /// Removing values after twice their time to live only collects garbage: the end of validity is in each value.
    pub(in crate::cache) fn new(capacity: u64, ttl: Duration) -> Self {
        // By idleness, because the order of access is kept anyway; the order of age would take memory for each value.
        let idle = ttl.max(Duration::from_millis(1)) * 2;
        let cache =
            Cache::builder().max_capacity(capacity).eviction_policy(EvictionPolicy::lru()).time_to_idle(idle);
        Self(cache.build_with_hasher(Keyed::default()))
    }

    /// Returns whether a digest has a value with this property.
    pub(in crate::cache) fn holds(&self, digest: &Digest, property: impl Fn(&V) -> bool) -> bool {
        self.0.contains_key(&Wanted { digest, property })
    }

    pub(in crate::cache) fn insert(&self, digest: Digest, value: V) {
        self.0.insert(Held { digest, value }, ());
    }

    pub(in crate::cache) fn remove(&self, digest: &Digest) {
        self.0.invalidate(&Wanted { digest, property: |_: &V| true });
    }
}

/// A value under a digest, by which alone it is told from others.
struct Held<V> {
    digest: Digest,
    value: V,
}

impl<V> PartialEq for Held<V> {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl<V> Eq for Held<V> {}

impl<V> Hash for Held<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

/// What stands for the value of a digest, if that has a property.
struct Wanted<'a, P> {
    digest: &'a Digest,
    property: P,
}

impl<P> Hash for Wanted<'_, P> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

impl<V, P: Fn(&V) -> bool> Equivalent<Held<V>> for Wanted<'_, P> {
    fn equivalent(&self, held: &Held<V>) -> bool {
        *self.digest == held.digest && (self.property)(&held.value)
    }
}

/// Mixes a digest, which is evenly distributed already, with a secret of this process: a client that imports keys could choose digests that
/// collide in a map.
#[derive(Clone)]
struct Keyed {
    mask: u64,
    factor: u64,
}

impl Default for Keyed {
    fn default() -> Self {
        let random = || RandomState::new().build_hasher().finish();
        Self { mask: random(), factor: random() | 1 }
    }
}

impl BuildHasher for Keyed {
    type Hasher = Mixer;

    fn build_hasher(&self) -> Mixer {
        Mixer { key: self.clone(), hash: 0 }
    }
}

struct Mixer {
    key: Keyed,
    hash: u64,
}

impl Hasher for Mixer {
    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.hash ^ word ^ self.key.mask) * u128::from(self.key.factor);
        self.hash = (product >> 64) as u64 ^ product as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::digest::Digester;

    /// Returns the hash of some words.
    fn mixed(keyed: &Keyed, words: &[u64]) -> u64 {
        let mut mixer = keyed.build_hasher();
        words.iter().for_each(|word| mixer.write_u64(*word));
        mixer.finish()
    }

    fn digest(number: u64) -> Digest {
        Digester::sha256().digest(&number.to_le_bytes())
    }

    #[test]
    fn a_later_value_of_a_digest_replaces_the_former_one() {
        let map = Bounded::new(16, Duration::from_secs(60));
        let holds = |value| map.holds(&digest(1), |held| *held == value);
        map.insert(digest(1), 1);
        assert!(holds(1) && !holds(2) && !map.holds(&digest(2), |_| true));
        map.insert(digest(1), 2);
        assert!(holds(2) && !holds(1));
        map.remove(&digest(1));
        assert!(!holds(2) && !holds(1));
        map.insert(digest(1), 3);
        assert!(holds(3));
    }

    #[test]
    fn values_of_many_digests_stand_beside_each_other() {
        let map = Bounded::new(10_000, Duration::from_secs(60));
        for number in 0..5_000 {
            map.insert(digest(number), number);
        }
        assert!((0..5_000).all(|number| map.holds(&digest(number), |held| *held == number)));
    }

    #[test]
    fn values_of_one_digest_take_the_room_of_one() {
        let map = Bounded::new(16, Duration::from_secs(60));
        for value in 0..10_000 {
            map.insert(digest(1), value);
        }
        map.0.run_pending_tasks();
        assert_eq!(map.0.entry_count(), 1);
        assert_eq!(map.0.iter().count(), 1);
    }

    #[test]
    fn the_values_inserted_first_are_evicted() {
        let map = Bounded::new(16, Duration::from_secs(60));
        for number in 0..1_000 {
            map.insert(digest(number), ());
            map.0.run_pending_tasks();
        }
        let held: Vec<_> = (0..1_000).filter(|number| map.holds(&digest(*number), |()| true)).collect();
        assert_eq!(held, (984..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn similar_words_have_different_hashes() {
        // Not random: about one key in a hundred leaves these bounds.
        let keyed = Keyed { mask: 0x9e37_79b9_7f4a_7c15, factor: 0xd134_2543_de82_ef95 };
        // In the lowest bits, and in those that a multiplication carries out of the word.
        for step in [1, 1 << 52] {
            let hashes: HashSet<_> = (0..4_096).map(|number| mixed(&keyed, &[number * step])).collect();
            assert_eq!(hashes.len(), 4_096);
            for bit in 0..64 {
                let set = hashes.iter().filter(|hash| **hash >> bit & 1 == 1).count();
                assert!((1_024..=3_072).contains(&set), "bit {bit} is set in {set} of 4,096, step {step}");
            }
        }
        let behind: HashSet<_> = (0..4_096).map(|number| mixed(&keyed, &[number, u64::MAX])).collect();
        assert_eq!(behind.len(), 4_096);
    }

    #[test]
    fn each_map_has_hashes_of_its_own() {
        let hashes: HashSet<_> = (0..64).map(|_| mixed(&Keyed::default(), &[7])).collect();
        assert_eq!(hashes.len(), 64);
    }
}
