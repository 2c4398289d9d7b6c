//! A store that counts lookups.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tower_api_key::backend::{Backend, BackendError, Subscriber};
use tower_api_key::digest::Digest;
use tower_api_key::{MemoryStore, Record};

/// A store in memory that counts the lookups of one of its keys.
#[derive(Debug, Clone)]
pub struct Counting {
    store: MemoryStore,
    watched: Digest,
    reads: Arc<AtomicU64>,
}

impl Counting {
    /// Counts the lookups of `watched` in `store`.
    pub fn new(store: MemoryStore, watched: Digest) -> Self {
        Self { store, watched, reads: Arc::default() }
    }

    /// Returns the number of lookups.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

impl Backend for Counting {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        if *digest == self.watched {
            self.reads.fetch_add(1, Ordering::Relaxed);
        }
        self.store.find(digest).await
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.store.subscribe(subscriber);
    }
}
