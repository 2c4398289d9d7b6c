//! The common hand-written layer: tower-http's layer, SHA-256 and moka. It does nothing but find the record.

use std::sync::Arc;

use http::Request;
use tower::Layer;
use tower_api_key::backend::Backend;
use tower_api_key::digest::Digest;
use tower_api_key::{MemoryStore, Record};
use tower_http::auth::AsyncRequireAuthorizationLayer;

use super::{Extract, Stack, TTL, digest, inner, unauthorized};

/// A cached answer: a record, or `None` for an unknown key.
pub type Known = Option<Arc<Record>>;

/// A cache over a store.
pub trait Keys: Clone + Send + Sync + 'static {
    /// Returns the record of the key with this digest.
    fn find(&self, digest: [u8; 32]) -> impl Future<Output = Known> + Send;
}

/// Keys in the asynchronous half of moka.
#[derive(Clone)]
pub struct OverFuture {
    cache: moka::future::Cache<[u8; 32], Known>,
    store: MemoryStore,
}

impl OverFuture {
    /// Creates a cache for this many keys.
    pub fn new(store: MemoryStore, capacity: u64) -> Self {
        let cache = moka::future::Cache::builder().max_capacity(capacity).time_to_live(TTL).build();
        Self { cache, store }
    }

    /// Returns whether the cache has the key with this digest.
    pub fn holds(&self, digest: &[u8; 32]) -> bool {
        self.cache.contains_key(digest)
    }
}

impl Keys for OverFuture {
    async fn find(&self, digest: [u8; 32]) -> Known {
        if let Some(known) = self.cache.get(&digest).await {
            return known;
        }
        let known = read(&self.store, digest).await;
        self.cache.insert(digest, known.clone()).await;
        known
    }
}

/// Keys in the synchronous half of moka.
#[derive(Clone)]
pub struct OverSync {
    cache: moka::sync::Cache<[u8; 32], Known>,
    store: MemoryStore,
}

impl OverSync {
    /// Creates a cache for this many keys.
    pub fn new(store: MemoryStore, capacity: u64) -> Self {
        let cache = moka::sync::Cache::builder().max_capacity(capacity).time_to_live(TTL).build();
        Self { cache, store }
    }
}

impl Keys for OverSync {
    async fn find(&self, digest: [u8; 32]) -> Known {
        if let Some(known) = self.cache.get(&digest) {
            return known;
        }
        let known = read(&self.store, digest).await;
        self.cache.insert(digest, known.clone());
        known
    }
}

/// Reads the store.
pub(super) async fn read(store: &MemoryStore, digest: [u8; 32]) -> Known {
    store.find(&Digest::from_bytes(digest)).await.unwrap().map(Arc::new)
}

/// Creates the layer around the inner service.
pub fn service<B: Send + 'static>(keys: impl Keys, extract: Extract) -> impl Stack<B> {
    let authorize = move |mut request: Request<B>| {
        let keys = keys.clone();
        async move {
            let Some(digest) = digest(extract, request.headers()) else { return Err(unauthorized()) };
            match keys.find(digest).await {
                Some(record) => {
                    request.extensions_mut().insert(record);
                    Ok(request)
                }
                None => Err(unauthorized()),
            }
        }
    };
    AsyncRequireAuthorizationLayer::new(authorize).layer(inner())
}
