//! The store of a case, and how it behaves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower_api_key::backend::{Backend, Subscriber};
use tower_api_key::digest::Digest;
use tower_api_key::test_util::{Behaviour, Misbehaving};
use tower_api_key::{BackendError, MemoryStore, Record};

/// A store that takes its time and notes how often each key is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) store: MemoryStore,
    delay: Duration,
    reads: Arc<Mutex<HashMap<Digest, u64>>>,
}

impl Watched {
    /// Returns how often each key was asked for.
    pub(crate) fn reads(&self) -> HashMap<Digest, u64> {
        self.reads.lock().unwrap().clone()
    }
}

impl Backend for Watched {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        *self.reads.lock().unwrap().entry(*digest).or_default() += 1;
        pause(self.delay).await;
        self.store.find(digest).await
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.store.subscribe(subscriber);
    }
}

/// Puts `store` behind the behaviour that a case describes in words.
pub(crate) fn described(words: Option<&str>, store: MemoryStore) -> Misbehaving<Watched> {
    let (behaviour, delay) = match words {
        None => (Behaviour::Behave, Duration::ZERO),
        Some("error" | "error then ok") => (Behaviour::Fail, Duration::ZERO),
        Some("hang") => (Behaviour::Hang, Duration::ZERO),
        Some("panic once") => (Behaviour::Panic, Duration::ZERO),
        Some("slow 100ms") => (Behaviour::Behave, Duration::from_millis(100)),
        Some(other) => panic!("no backend that is described as {other:?}"),
    };
    let backend = Misbehaving::new(Watched { store, delay, reads: Arc::default() });
    backend.set(behaviour);
    backend
}

#[allow(clippy::disallowed_methods, reason = "a slow store and an impatient client are about real time")]
pub(crate) async fn pause(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}
