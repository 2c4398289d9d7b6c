//! A second node that receives no changes: no notification arrives, and only its first poll is answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_api_key::backend::{Backend, BackendError, BoxedChangeFeed, ChangeFeed, Invalidation};
use tower_api_key::digest::Digest;
use tower_api_key::{AuthenticateLayer, Authenticator, MemoryStore, Record};

use crate::conformance::answer::Answer;
use crate::conformance::http1;
use crate::conformance::message::Message;

/// The lease of the node.
pub(crate) const LEASE: Duration = Duration::from_millis(400);

pub(crate) struct OtherNode {
    address: SocketAddr,
    key: String,
    reads: Arc<AtomicU64>,
    server: JoinHandle<()>,
}

impl OtherNode {
    /// Starts a node over the same store, and makes it cache a key.
    pub(crate) async fn caching(key: &str, store: MemoryStore) -> Self {
        let reads = Arc::new(AtomicU64::new(0));
        let backend = FeedOnly { store, reads: Arc::clone(&reads) };
        let authenticator = Authenticator::builder(backend).lease(LEASE).poll_interval(LEASE / 4);
        let layer = AuthenticateLayer::new(authenticator.build().unwrap());
        let app = Router::new().route("/v1/things", get(|| async { StatusCode::OK })).layer(layer);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let node = Self { address, key: key.to_owned(), reads, server };
        while node.asks_the_store().await || node.asks_the_store().await {}
        node
    }

    pub(crate) async fn get(&self) -> Answer {
        http1::exchange(self.address, &Message::plain("GET", "/v1/things").bearer(&self.key)).await
    }

    async fn asks_the_store(&self) -> bool {
        let reads = self.reads.load(Ordering::SeqCst);
        assert_eq!(self.get().await.status, 200);
        self.reads.load(Ordering::SeqCst) > reads
    }
}

impl Drop for OtherNode {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct FeedOnly {
    store: MemoryStore,
    reads: Arc<AtomicU64>,
}

impl Backend for FeedOnly {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.find(digest).await
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        Some(BoxedChangeFeed::new(OnePoll(false)))
    }
}

struct OnePoll(bool);

impl ChangeFeed for OnePoll {
    async fn poll(&mut self) -> Result<Vec<Invalidation>, BackendError> {
        if std::mem::replace(&mut self.0, true) {
            std::future::pending::<()>().await;
        }
        Ok(Vec::new())
    }
}
