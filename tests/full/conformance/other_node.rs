//! A second node that receives no changes: no notification arrives, and only its first poll is answered.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use support::probe::{Feed, Probe};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_api_key::{AuthenticateLayer, Authenticator, MemoryStore};

use crate::conformance::answer::Answer;
use crate::conformance::http1;
use crate::conformance::message::Message;

/// The lease of the node.
pub(crate) const LEASE: Duration = Duration::from_millis(400);

pub(crate) struct OtherNode {
    address: SocketAddr,
    key: String,
    backend: Probe<MemoryStore>,
    server: JoinHandle<()>,
}

impl OtherNode {
    /// Starts a node over the same store, and makes it cache a key.
    pub(crate) async fn caching(key: &str, store: MemoryStore) -> Self {
        let feed = || {
            Feed::answering(
                |number| async move { if number == 0 { Ok(Vec::new()) } else { pending().await } },
            )
        };
        let backend = Probe::over(store).deaf().followed_by(feed);
        let authenticator = Authenticator::builder(backend.clone()).lease(LEASE).poll_interval(LEASE / 4);
        let layer = AuthenticateLayer::new(authenticator.build().unwrap());
        let app = Router::new().route("/v1/things", get(|| async { StatusCode::OK })).layer(layer);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let node = Self { address, key: key.to_owned(), backend, server };
        while node.asks_the_store().await || node.asks_the_store().await {}
        node
    }

    pub(crate) async fn get(&self) -> Answer {
        http1::exchange(self.address, &Message::plain("GET", "/v1/things").bearer(&self.key)).await
    }

    async fn asks_the_store(&self) -> bool {
        let reads = self.backend.reads();
        assert_eq!(self.get().await.status, 200);
        self.backend.reads() > reads
    }
}

impl Drop for OtherNode {
    fn drop(&mut self) {
        self.server.abort();
    }
}
