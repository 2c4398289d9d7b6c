//! An authenticator with a usage meter, and a manual clock.

use std::sync::Arc;
use std::time::Duration;

use tower_api_key::clock::ManualClock;
use tower_api_key::usage::{Usage, UsageBuilder};
use tower_api_key::{Authenticator, AuthenticatorBuilder, MemoryStore};

use crate::usage::faulty_store::FaultyStore;
use support::{Key, START};

pub(crate) struct World {
    pub(crate) keys: MemoryStore,
    pub(crate) usage_store: FaultyStore,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) usage: Usage,
    pub(crate) authenticator: Authenticator,
}

impl World {
    /// Creates a world whose meter writes when it is flushed, or after an hour.
    pub(crate) fn new() -> Self {
        Self::with(|usage| usage.flush_interval(Duration::from_secs(3_600)), |authenticator| authenticator)
    }

    pub(crate) fn with(
        meter: impl FnOnce(UsageBuilder) -> UsageBuilder,
        configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
    ) -> Self {
        let keys = MemoryStore::new();
        let usage_store = FaultyStore::new(&keys);
        let clock = Arc::new(ManualClock::new(START));
        let usage = meter(Usage::builder(usage_store.clone())).build().unwrap();
        let builder = configure(Authenticator::builder(keys.clone()));
        let authenticator = builder.usage(usage.clone()).with_clock(Arc::clone(&clock)).build().unwrap();
        Self { keys, usage_store, clock, usage, authenticator }
    }

    pub(crate) async fn key(&self) -> Key {
        Key::mint().insert_into(&self.keys).await
    }

    pub(crate) async fn keys(&self, count: usize) -> Vec<Key> {
        let mut keys = Vec::new();
        for _ in 0..count {
            keys.push(self.key().await);
        }
        keys
    }

    /// Makes a request, and returns whether it was admitted.
    pub(crate) async fn request(&self, key: &Key) -> bool {
        self.authenticator.authenticate(key.bearer().headers()).await.is_ok()
    }

    /// Makes requests that are admitted.
    pub(crate) async fn requests(&self, key: &Key, times: usize) {
        for _ in 0..times {
            assert!(self.request(key).await);
        }
    }

    /// Advances the clock and the time of the runtime.
    pub(crate) async fn passes(&self, time: Duration) {
        settle().await;
        self.clock.advance(time);
        tokio::time::advance(time).await;
        settle().await;
    }
}

/// Runs every task that can run.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
