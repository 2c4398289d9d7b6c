//! The store of a case, with its behaviour.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower_api_key::backend::{Backend, BackendError, Subscriber};
use tower_api_key::digest::Digest;
use tower_api_key::test_util::{Behaviour, Misbehaving};
use tower_api_key::{MemoryStore, Record};

/// A store with a delay that counts the lookups of each key.
#[derive(Debug, Clone)]
pub(crate) struct CountingStore {
    pub(crate) store: MemoryStore,
    delay: Duration,
    reads: Arc<Mutex<HashMap<Digest, u64>>>,
}

impl CountingStore {
    /// Returns the number of lookups of each key.
    pub(crate) fn reads(&self) -> HashMap<Digest, u64> {
        self.reads.lock().unwrap().clone()
    }
}

impl Backend for CountingStore {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        *self.reads.lock().unwrap().entry(*digest).or_default() += 1;
        pause(self.delay).await;
        self.store.find(digest).await
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.store.subscribe(subscriber);
    }
}

/// Returns `store` with the behaviour that a case describes in words.
pub(crate) fn described(words: Option<&str>, store: MemoryStore) -> Misbehaving<CountingStore> {
    let (behaviour, delay) = match words {
        None => (Behaviour::Behave, Duration::ZERO),
        Some("error" | "error then ok") => (Behaviour::Fail, Duration::ZERO),
        Some("hang") => (Behaviour::Hang, Duration::ZERO),
        Some("panic once") => (Behaviour::Panic, Duration::ZERO),
        Some("slow 100ms") => (Behaviour::Behave, Duration::from_millis(100)),
        Some(other) => panic!("no backend that is described as {other:?}"),
    };
    let backend = Misbehaving::new(CountingStore { store, delay, reads: Arc::default() });
    backend.set(behaviour);
    backend
}

#[allow(clippy::disallowed_methods, reason = "a slow store and an impatient client need real time")]
pub(crate) async fn pause(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}
