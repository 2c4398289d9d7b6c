//! A role with fewer connections than a store would use.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::{Authenticator, PostgresStore};

use super::is_absent;
use super::limited::Limited;
use crate::store::samples;

const KEYS: usize = 200;
const AT_A_TIME: usize = 20;

/// Long for a connection on a busy machine, and short for one that is rejected.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn lookups_wait_for_the_connections_that_a_role_may_have() {
    if is_absent() {
        return;
    }
    let limited = Limited::to(5).await;
    let all = PostgresStore::with_pool(limited.owner.clone()).await.unwrap();
    for number in 0..KEYS {
        all.change(KeyChange::insert(samples::plain(&format!("key-{number}")))).await.unwrap();
    }
    let pool = PgPoolOptions::new().min_connections(1).connect_lazy_with(limited.options());
    let (rejected, changed) = present_all(pool).await;
    limited.end().await;
    assert_eq!(rejected, 0, "of {KEYS}");
    assert!(changed, "management has a connection as well");
}

/// Presents all keys, some concurrently. Returns the number of keys that were not admitted, and whether a key could be added.
async fn present_all(pool: PgPool) -> (usize, bool) {
    let store = PostgresStore::with_pool(pool).await.unwrap();
    let node = Arc::new(Authenticator::builder(store.clone()).deadline(LOOKUP_TIMEOUT).build().unwrap());
    node.start().await.unwrap();
    let mut clients = JoinSet::new();
    for client in 0..AT_A_TIME {
        let node = Arc::clone(&node);
        clients.spawn(async move {
            let mut rejected = 0;
            for number in (client..KEYS).step_by(AT_A_TIME) {
                let mut headers = HeaderMap::new();
                let text = samples::text(&format!("key-{number}"));
                headers.insert("x-api-key", HeaderValue::try_from(text).unwrap());
                rejected += usize::from(node.authenticate(&headers).await.is_err());
            }
            rejected
        });
    }
    let changed = store.change(KeyChange::insert(samples::plain("new"))).await.is_ok();
    let rejected = clients.join_all().await.into_iter().sum();
    drop(node);
    store.close().await;
    (rejected, changed)
}
