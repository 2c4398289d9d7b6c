//! A node of a fleet: connections, store, authenticator and feed of its own, behind a proxy of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use tower_api_key::backend::{Backend, BackendError, BoxedChangeFeed};
use tower_api_key::digest::Digest;
use tower_api_key::{Authenticator, AuthenticatorBuilder, KeyId, PostgresStore, Reason, Record, Timestamp};

use crate::clients::pass;
use crate::clock::Stepped;
use crate::database::Database;
use crate::keys;
use crate::proxy::Proxy;

/// A store whose announcements are not heard, as those of another process are not, and whose lookups are counted.
#[derive(Clone)]
pub(crate) struct Deaf {
    store: PostgresStore,
    reads: Arc<Mutex<HashMap<Digest, u64>>>,
}

impl Deaf {
    pub(crate) fn new(store: PostgresStore) -> Self {
        Self { store, reads: Arc::default() }
    }

    /// Returns how often each key was looked up.
    pub(crate) fn reads_by_key(&self) -> Vec<u64> {
        self.reads.lock().unwrap().values().copied().collect()
    }

    pub(crate) fn forget_reads(&self) {
        self.reads.lock().unwrap().clear();
    }
}

impl Backend for Deaf {
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

    async fn record_first_use(&self, id: &KeyId, at: Timestamp) -> Result<(), BackendError> {
        self.store.record_first_use(id, at).await
    }
}

pub(crate) struct Node {
    pub(crate) proxy: Proxy,
    pub(crate) authenticator: Authenticator,
    pub(crate) clock: Arc<Stepped>,
    pub(crate) backend: Deaf,
}

/// How a request was answered.
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
        let (backend, clock) = (Deaf::new(store), Arc::new(Stepped::new()));
        let builder = Authenticator::builder(backend.clone()).with_clock(Arc::clone(&clock));
        let authenticator = configure(builder).build().unwrap();
        // On a busy machine, a connection may take longer than the short deadlines of this suite.
        while authenticator.start().await.is_err() {
            pass(Duration::from_millis(10)).await;
        }
        Self { proxy, authenticator, clock, backend }
    }

    pub(crate) async fn present(&self, key: usize) -> Answer {
        present(&self.authenticator, key).await
    }
}

/// Tells whether a node is as well as it ever is: within its lease, and hearing of changes.
pub(crate) fn is_well(authenticator: &Authenticator) -> bool {
    let health = authenticator.health();
    let feed = health.feed.unwrap();
    health.is_store_asked && !feed.lease_remaining.is_zero() && feed.is_listening != Some(false)
}

pub(crate) async fn present(authenticator: &Authenticator, key: usize) -> Answer {
    match authenticator.authenticate(&keys::headers(key)).await {
        Ok(_) => Answer::Admitted,
        Err(rejection) if *rejection.reason() == Reason::Unavailable => Answer::Unavailable,
        Err(_) => Answer::Refused,
    }
}
