//! A backend that counts lookups.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tower_api_key::Record;
use tower_api_key::backend::{Backend, BackendError, BoxedChangeFeed, Subscriber, WriteBack};
use tower_api_key::digest::{Digest, Fingerprint};
use tower_api_key::owner::User;

/// A backend around another one, which counts its lookups. Clones share the number.
#[derive(Clone)]
pub struct Counting<B> {
    inner: B,
    reads: Arc<AtomicU64>,
}

impl<B> Counting<B> {
    pub fn new(inner: B) -> Self {
        Self { inner, reads: Arc::default() }
    }

    /// Returns the number of lookups.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }

    /// Returns the inner backend.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }
}

impl<B: Backend> Backend for Counting<B> {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.find(digest).await
    }

    async fn find_any(&self, digests: &[Digest]) -> Result<Option<Record>, BackendError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.find_any(digests).await
    }

    async fn fingerprints(&self) -> Result<Option<Vec<Fingerprint>>, BackendError> {
        self.inner.fingerprints().await
    }

    async fn find_user(&self, email: &str) -> Result<Option<User>, BackendError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.find_user(email).await
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.inner.subscribe(subscriber);
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        self.inner.feed()
    }

    fn max_concurrent_lookups(&self) -> usize {
        self.inner.max_concurrent_lookups()
    }

    async fn write_back(&self, write: WriteBack) -> Result<(), BackendError> {
        self.inner.write_back(write).await
    }
}
