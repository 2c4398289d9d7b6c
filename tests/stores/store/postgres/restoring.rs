//! A database that was restored from a server whose transactions had higher numbers.

use std::time::Duration;

use tower_api_key::backend::{Backend, Invalidation, KeyChange, KeyStore, Propagation};

use super::is_absent;
use crate::store::samples;

/// The steps of the guide.
const RESTORED: &str = include_str!("../../../../src/_guide/restored.sql");

/// The log of a dump.
const FROM_ELSEWHERE: &str =
    "INSERT INTO tower_api_key_change (tx, kind) VALUES ('900000000000', 'everything');
    UPDATE tower_api_key_change_trim SET tx = '900000000000'";

#[tokio::test]
async fn the_guides_steps_after_a_restore_keep_polls_from_invalidating_everything() {
    if is_absent() {
        return;
    }
    let (store, database) = super::open().await;
    let pool = database.pool().await;
    sqlx::raw_sql(FROM_ELSEWHERE).execute(&pool).await.unwrap();
    let mut feed = store.feed().unwrap();
    feed.set_lease(Duration::from_secs(5), Duration::ZERO);
    feed.poll().await.unwrap();
    for _ in 0..3 {
        assert_eq!(feed.poll().await.unwrap(), [Invalidation::Everything]);
        feed.ack().await.unwrap();
    }
    assert_ne!(
        store.wait_applied(Duration::from_millis(100), Duration::MAX).await,
        Propagation::EveryNode,
        "no node can ever have seen such a change"
    );

    sqlx::raw_sql(RESTORED).execute(&pool).await.unwrap();
    let mut feed = store.feed().unwrap();
    feed.set_lease(Duration::from_secs(5), Duration::ZERO);
    feed.poll().await.unwrap();
    assert_eq!(feed.poll().await.unwrap(), []);
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    assert_eq!(feed.poll().await.unwrap(), [Invalidation::Changed(samples::digest("key"))]);
    feed.ack().await.unwrap();
    assert_eq!(store.wait_applied(Duration::from_secs(10), Duration::MAX).await, Propagation::EveryNode);
}
