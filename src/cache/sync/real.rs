//! The primitives of a running service.

pub(in crate::cache) use std::sync::atomic::AtomicU64 as Atomic;
pub(in crate::cache) use std::sync::{Mutex, MutexGuard};

pub(in crate::cache) use tokio::task::spawn;
pub(in crate::cache) use tokio::time::timeout;

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::digest::Digest;

/// A map that is read without a lock.
pub(in crate::cache) struct Map<V>(papaya::HashMap<Digest, V, BuildHasherDefault<AsItIs>>);

impl<V: Clone> Map<V> {
    pub(in crate::cache) fn new() -> Self {
        Self(papaya::HashMap::default())
    }

    pub(in crate::cache) fn get(&self, digest: &Digest) -> Option<V> {
        self.0.pin().get(digest).cloned()
    }

    pub(in crate::cache) fn insert(&self, digest: Digest, value: V) {
        self.0.pin().insert(digest, value);
    }

    pub(in crate::cache) fn remove_if(&self, digest: &Digest, goes: impl Fn(&V) -> bool) {
        self.0.pin().compute(*digest, |found| match found {
            Some((_, value)) if goes(value) => papaya::Operation::Remove,
            _ => papaya::Operation::<V, ()>::Abort(()),
        });
    }
}

/// A map of limited size that decides by itself what has to go.
pub(in crate::cache) struct Bounded<V>(moka::sync::Cache<Digest, V>)
where
    V: Clone + Send + Sync + 'static;

impl<V: Clone + Send + Sync + 'static> Bounded<V> {
    /// Creates a map for `capacity` values, which calls `gone` with each that it lets go of.
    ///
    /// The time to live only collects garbage: what counts is the deadline in each value.
    pub(in crate::cache) fn new(
        capacity: u64,
        ttl: Duration,
        gone: impl Fn(&Digest, &V) + Send + Sync + 'static,
    ) -> Self {
        let cache = moka::sync::Cache::builder()
            .max_capacity(capacity)
            .time_to_live(ttl.max(Duration::from_millis(1)) * 2)
            .eviction_listener(move |digest: Arc<Digest>, value, _| gone(&digest, &value));
        Self(cache.build())
    }

    pub(in crate::cache) fn get(&self, digest: &Digest) -> Option<V> {
        self.0.get(digest)
    }

    pub(in crate::cache) fn insert(&self, digest: Digest, value: V) {
        self.0.insert(digest, value);
    }

    pub(in crate::cache) fn remove(&self, digest: &Digest) {
        self.0.invalidate(digest);
    }
}

/// A digest is a hash already, and none that a stranger chose where the store knows all of them.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
