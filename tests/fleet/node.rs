//! A node of a fleet: connections, store, authenticator and feed of its own, behind a proxy of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use tower_api_key::backend::{Backend, BackendError, BoxedChangeFeed, WriteBack};
use tower_api_key::digest::Digest;
use tower_api_key::{Authenticator, AuthenticatorBuilder, PostgresStore, Reason, Record};

use crate::clients::pass;
use crate::clock::SteppedClock;
use crate::database::Database;
use crate::keys;
use crate::proxy::Proxy;

/// A store without notifications within the process, as in a process that makes no changes. It counts lookups.
#[derive(Clone)]
pub(crate) struct FeedOnly {
    store: PostgresStore,
    reads: Arc<Mutex<HashMap<Digest, u64>>>,
}

impl FeedOnly {
    pub(crate) fn new(store: PostgresStore) -> Self {
        Self { store, reads: Arc::default() }
    }

    /// Returns the number of lookups of each key.
    pub(crate) fn reads_by_key(&self) -> Vec<u64> {
        self.reads.lock().unwrap().values().copied().collect()
    }

    pub(crate) fn forget_reads(&self) {
        self.reads.lock().unwrap().clear();
    }
}

impl Backend for FeedOnly {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        *self.reads.lock().unwrap().entry(*digest).or_default() += 1;
        self.store.find(digest).await
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

pub(crate) struct Node {
    pub(crate) proxy: Proxy,
    pub(crate) authenticator: Authenticator,
    pub(crate) clock: Arc<SteppedClock>,
    pub(crate) backend: FeedOnly,
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Admitted,
    Refused,
    Unavailable,
}

impl Node {
    pub(crate) async fn start(
        database: &Database,
        configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
    ) -> Self {
        let proxy = Proxy::start(database.address()).await;
        let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(5));
        let pool = pool.connect(&database.url_by(proxy.port())).await.unwrap();
        let store = PostgresStore::with_pool(pool).await.unwrap();
        let (backend, clock) = (FeedOnly::new(store), Arc::new(SteppedClock::new()));
        let builder = Authenticator::builder(backend.clone()).with_clock(Arc::clone(&clock));
        let authenticator = configure(builder).build().unwrap();
        // On a busy machine, a connection may take longer than the short deadlines of these nodes.
        while authenticator.start().await.is_err() {
            pass(Duration::from_millis(10)).await;
        }
        Self { proxy, authenticator, clock, backend }
    }

    pub(crate) async fn present(&self, key: usize) -> Answer {
        present(&self.authenticator, key).await
    }
}

/// Returns whether a node is fully healthy: within its lease, with a closed circuit, and listening for notifications.
pub(crate) fn is_healthy(authenticator: &Authenticator) -> bool {
    let health = authenticator.health();
    let feed = health.feed.unwrap();
    !health.is_circuit_open && !feed.lease_remaining.is_zero() && feed.is_listening != Some(false)
}

pub(crate) async fn present(authenticator: &Authenticator, key: usize) -> Answer {
    match authenticator.authenticate(&keys::headers(key)).await {
        Ok(_) => Answer::Admitted,
        Err(rejection) if *rejection.reason() == Reason::Unavailable => Answer::Unavailable,
        Err(_) => Answer::Refused,
    }
}
