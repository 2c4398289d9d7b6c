//! Returning connections to the pool when the server does not respond any more.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use tower_api_key::backend::{AuditLog, Backend, KeyChange, KeyStore, OwnerStore, UsageQuery, UsageStore};
use tower_api_key::clock::Day;
use tower_api_key::{PostgresStore, Timestamp};

use super::{Database, is_absent};
use crate::store::samples;

#[tokio::test]
async fn a_connection_that_does_not_get_back_to_its_pool_makes_room_for_another_one() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let (store, is_lost) = one_connection(&database).await;
    let mut feed = store.feed().unwrap();
    let (key, day) = (samples::full("key"), Day::from_unix_days(0));
    store.change(KeyChange::insert(key.clone())).await.unwrap();
    is_lost.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        assert_eq!(store.find(&key.digest).await.unwrap(), Some(key.clone()));
        feed.poll().await.unwrap();
    }
    assert_eq!(store.get(&key.id).await.unwrap(), Some(key.clone()));
    assert_eq!(store.organization("unknown").await.unwrap(), None);
    assert_eq!(store.usage(&UsageQuery::new(day, day)).await.unwrap(), []);
    store.purge_before(Timestamp::from_unix_millis(0)).await.unwrap();
    store.change(KeyChange::insert(samples::full("other"))).await.unwrap();
}

/// Opens a store with one connection for each purpose, none of which returns to its pool once the network is lost. A pool tests
/// each connection first; this one has to run a statement before, and waits for it.
async fn one_connection(database: &Database) -> (PostgresStore, Arc<AtomicBool>) {
    let is_lost = Arc::new(AtomicBool::new(false));
    let released = Arc::clone(&is_lost);
    let options = PgPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_secs(5));
    let options = options.after_release(move |_, _| {
        let is_lost = released.load(Ordering::SeqCst);
        Box::pin(async move { if is_lost { pending().await } else { Ok(true) } })
    });
    let pool = options.connect(&database.url()).await.unwrap();
    (PostgresStore::with_pool(pool).await.unwrap(), is_lost)
}
