//! When a revocation is known to every node.

use std::time::{Duration, Instant};

use tower_api_key::PostgresStore;
use tower_api_key::backend::{Backend, KeyChange, KeyStore, Propagation};
use tower_api_key::reject::Reason;

use super::fleet::Node;
use super::{Database, is_absent, open};
use crate::store::samples;

const HOUR: Duration = Duration::from_secs(3_600);

async fn is_applied(store: &PostgresStore, lease: Duration) -> bool {
    store.wait_applied(lease, Duration::MAX).await == Propagation::EveryNode
}

#[tokio::test]
async fn a_change_that_all_nodes_have_acknowledged_is_in_effect_at_all_of_them() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let nodes = [Node::start(&database).await, Node::start(&database).await];
    for name in ["one", "two", "three"] {
        nodes[0].store.change(KeyChange::insert(samples::plain(name))).await.unwrap();
        for node in &nodes {
            node.answers(name, None).await;
        }
        nodes[0].store.change(samples::revoke(name, 1, "lost")).await.unwrap();
        assert!(is_applied(&nodes[0].store, HOUR).await);
        for node in &nodes {
            assert_eq!(node.present(name).await, Some(Reason::Revoked));
        }
    }
}

#[tokio::test]
async fn a_node_that_has_not_applied_a_change_is_waited_for_until_the_timeout() {
    if is_absent() {
        return;
    }
    let (store, _database) = open().await;
    let mut feed = store.feed().unwrap();
    let soon = Duration::from_millis(100);
    feed.set_lease(soon, Duration::ZERO);
    feed.poll().await.unwrap();
    feed.ack().await.unwrap();
    assert!(is_applied(&store, HOUR).await, "nothing has changed since");
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    assert!(!is_applied(&store, soon).await, "no poll has read it");
    feed.poll().await.unwrap();
    assert!(!is_applied(&store, soon).await, "it was read, and not acknowledged");
    feed.ack().await.unwrap();
    assert!(is_applied(&store, HOUR).await);
}

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "a lease takes the time that it takes")]
async fn a_node_with_a_longer_lease_than_the_callers_is_waited_for() {
    if is_absent() {
        return;
    }
    let (store, _database) = open().await;
    let mut feed = store.feed().unwrap();
    let (lease, grace) = (Duration::from_millis(700), Duration::from_millis(300));
    feed.set_lease(lease, grace);
    feed.poll().await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let began = Instant::now();
    // Long enough to read the list of nodes on a busy machine.
    assert!(!is_applied(&store, Duration::from_millis(300)).await);
    assert!(began.elapsed() >= lease + grace, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_new_node_acknowledges_a_first_poll_without_changes() {
    if is_absent() {
        return;
    }
    let (store, database) = open().await;
    let mut feed = store.feed().unwrap();
    feed.set_lease(HOUR, Duration::ZERO);
    feed.poll().await.unwrap();
    // As if a change had been made between its registration and the poll.
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let mut new = store.feed().unwrap();
    new.set_lease(HOUR, Duration::ZERO);
    new.poll().await.unwrap();
    let earlier = "UPDATE tower_api_key_node SET applied = (SELECT applied FROM tower_api_key_node
        ORDER BY pg_snapshot_xmax(applied) LIMIT 1)";
    sqlx::raw_sql(earlier).execute(&database.pool().await).await.unwrap();
    new.ack().await.unwrap();
    feed.poll().await.unwrap();
    feed.ack().await.unwrap();
    assert!(is_applied(&store, HOUR).await);
}

#[tokio::test]
async fn without_nodes_nothing_is_waited_for() {
    if is_absent() {
        return;
    }
    let (store, _database) = open().await;
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    assert!(is_applied(&store, HOUR).await);
}
