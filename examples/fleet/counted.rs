//! A store that counts its lookups.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tower_api_key::backend::{Backend, BackendError, BoxedChangeFeed, Subscriber, WriteBack};
use tower_api_key::digest::Digest;
use tower_api_key::{PostgresStore, Record};

/// A count of lookups. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Reads(Arc<AtomicU64>);

impl Reads {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub(crate) struct Counted {
    store: PostgresStore,
    reads: Reads,
}

impl Counted {
    pub(crate) fn new(store: PostgresStore, reads: Reads) -> Self {
        Self { store, reads }
    }
}

/// A method that is not forwarded has its default: a wrapper of a store forwards all methods that are used.
impl Backend for Counted {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.reads.0.fetch_add(1, Ordering::Relaxed);
        self.store.find(digest).await
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.store.subscribe(subscriber);
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        self.store.feed()
    }

    fn max_concurrent_lookups(&self) -> usize {
        self.store.max_concurrent_lookups()
    }

    async fn write_back(&self, write: WriteBack) -> Result<(), BackendError> {
        self.store.write_back(write).await
    }
}
