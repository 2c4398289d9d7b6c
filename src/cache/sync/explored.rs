//! The primitives of a model, in which a scheduler decides who goes on at each of their uses.

pub(in crate::cache) use shuttle::future::spawn;
pub(in crate::cache) use shuttle::sync::atomic::AtomicU64 as Atomic;
pub(in crate::cache) use shuttle::sync::{Mutex, MutexGuard};

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};

use crate::digest::Digest;

/// A deadline that passes whenever the scheduler likes, and at last.
///
/// One of an hour or more never passes, for scenarios in which nobody gives up.
pub(in crate::cache) async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    const MOST_POLLS: u32 = 12;
    if limit >= Duration::from_secs(60 * 60) {
        return Ok(future.await);
    }
    let mut future = pin!(future);
    let mut left = thread_rng().gen_range(1..=MOST_POLLS);
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        left -= 1;
        if left == 0 {
            return Poll::Ready(Err(Elapsed));
        }
        // Time goes on though nothing happens.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

#[derive(Debug)]
pub(in crate::cache) struct Elapsed;

/// A map each of whose operations is one step.
pub(in crate::cache) struct Map<V>(Mutex<HashMap<Digest, V>>);

impl<V: Clone> Map<V> {
    pub(in crate::cache) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    pub(in crate::cache) fn get(&self, digest: &Digest) -> Option<V> {
        super::lock(&self.0).get(digest).cloned()
    }

    pub(in crate::cache) fn insert(&self, digest: Digest, value: V) {
        super::lock(&self.0).insert(digest, value);
    }

    pub(in crate::cache) fn remove_if(&self, digest: &Digest, goes: impl Fn(&V) -> bool) {
        let mut values = super::lock(&self.0);
        if values.get(digest).is_some_and(goes) {
            values.remove(digest);
        }
    }
}

/// A map that has room for everything: what is evicted is only read again.
pub(in crate::cache) struct Bounded<V> {
    values: Map<V>,
    gone: Box<dyn Fn(&Digest, &V) + Send + Sync>,
}

impl<V: Clone + Send + Sync + 'static> Bounded<V> {
    pub(in crate::cache) fn new(capacity: u64, ttl: Duration) -> Self {
        Self::telling(capacity, ttl, |_, _| ())
    }

    pub(in crate::cache) fn telling(
        _: u64,
        _: Duration,
        gone: impl Fn(&Digest, &V) + Send + Sync + 'static,
    ) -> Self {
        Self { values: Map::new(), gone: Box::new(gone) }
    }

    pub(in crate::cache) fn get(&self, digest: &Digest) -> Option<V> {
        self.values.get(digest)
    }

    pub(in crate::cache) fn insert(&self, digest: Digest, value: V) {
        let replaced = super::lock(&self.values.0).insert(digest, value);
        self.tell(&digest, replaced);
    }

    pub(in crate::cache) fn remove(&self, digest: &Digest) {
        let removed = super::lock(&self.values.0).remove(digest);
        self.tell(digest, removed);
    }

    fn tell(&self, digest: &Digest, gone: Option<V>) {
        if let Some(value) = gone {
            (self.gone)(digest, &value);
        }
    }
}
