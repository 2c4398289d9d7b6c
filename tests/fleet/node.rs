//! A node of a fleet: connections, store, authenticator and feed of its own, behind a proxy of its own.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use support::probe::Probe;
use tower_api_key::{Authenticator, AuthenticatorBuilder, PostgresStore, Reason};

use crate::clients::pass;
use crate::clock::SteppedClock;
use crate::database::Database;
use crate::keys;
use crate::proxy::Proxy;

pub(crate) struct Node {
    pub(crate) proxy: Proxy,
    pub(crate) authenticator: Authenticator,
    pub(crate) clock: Arc<SteppedClock>,
    pub(crate) backend: Probe<PostgresStore>,
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Admitted,
    Rejected,
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
        let (backend, clock) = (Probe::over(store).deaf(), Arc::new(SteppedClock::new()));
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
        Err(_) => Answer::Rejected,
    }
}
