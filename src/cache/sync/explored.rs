//! The primitives of a model (`--cfg shuttle`), in which a scheduler chooses the next task at each of their uses.

// Layer 6 of 10: cache.

pub(in crate::cache) use shuttle::future::spawn;
pub(in crate::cache) use shuttle::sync::{Mutex, MutexGuard};

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::OnceLock;
use std::time::Duration;

use shuttle::sync::atomic::{AtomicU64, Ordering};

use crate::digest::Digest;

/// A counter that is created when it is first used. The cache has thousands, of which a scenario uses a few, and creating all of them for
/// each schedule would take longer than the schedule itself.
#[derive(Debug)]
pub(in crate::cache) struct Atomic {
    initial: u64,
    used: OnceLock<Box<AtomicU64>>,
}

impl Atomic {
    pub(in crate::cache) fn new(initial: u64) -> Self {
        Self { initial, used: OnceLock::new() }
    }
}

impl Deref for Atomic {
    type Target = AtomicU64;

    fn deref(&self) -> &AtomicU64 {
        self.used.get_or_init(|| Box::new(AtomicU64::new(self.initial)))
    }
}

/// A map whose operations are one step each. A change is part of the step before it, in which its caller has taken a lock.
pub(in crate::cache) struct Map<V> {
    step: AtomicU64,
    values: std::sync::Mutex<HashMap<Digest, V>>,
}

impl<V: Clone> Map<V> {
    pub(in crate::cache) fn new() -> Self {
        Self { step: AtomicU64::new(0), values: std::sync::Mutex::new(HashMap::new()) }
    }

    pub(in crate::cache) fn get(&self, digest: &Digest) -> Option<V> {
        self.take_step().get(digest).cloned()
    }

    pub(in crate::cache) fn insert(&self, digest: Digest, value: V) -> Option<V> {
        self.values().insert(digest, value)
    }

    pub(in crate::cache) fn remove(&self, digest: &Digest) -> Option<V> {
        self.values().remove(digest)
    }

    /// Lets other tasks run before an operation, but not during it: a lock of the model would let them run twice.
    fn take_step(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, V>> {
        self.step.load(Ordering::SeqCst);
        self.values()
    }

    fn values(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, V>> {
        self.values.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A map without a limit: an evicted value would only be read again.
pub(in crate::cache) struct Bounded<V>(Map<V>);

impl<V: Clone> Bounded<V> {
    pub(in crate::cache) fn new(_: u64, _: Duration) -> Self {
        Self(Map::new())
    }

    pub(in crate::cache) fn holds(&self, digest: &Digest, property: impl Fn(&V) -> bool) -> bool {
        self.0.take_step().get(digest).is_some_and(property)
    }

    pub(in crate::cache) fn insert(&self, digest: Digest, value: V) {
        self.0.take_step().insert(digest, value);
    }

    pub(in crate::cache) fn remove(&self, digest: &Digest) {
        self.0.take_step().remove(digest);
    }
}
