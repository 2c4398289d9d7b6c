//! The health of an authenticator, and its start.

use std::time::Duration;

use tower_api_key::backend::BackendErrorKind;
use tower_api_key::{Authenticator, MemoryStore, Reason};

use crate::cache::feed::node::{Behaviour, Node};
use crate::cache::feed::{MOMENT, SECOND};
use support::build;

#[tokio::test(start_paused = true)]
async fn a_started_authenticator_caches_the_first_lookup() {
    let node = Node::new(|builder| builder);
    node.authenticator.start().await.unwrap();
    for _ in 0..3 {
        assert_eq!(node.request().await, None);
    }
    assert_eq!(node.store.reads(), 1);
    node.store.revoke(&node.key);
    node.pass(SECOND + MOMENT).await;
    assert_eq!(node.request().await, Some(Reason::Revoked), "it keeps polling");
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_cannot_be_polled_fails_the_start() {
    let node = Node::new(|builder| builder);
    node.store.feed_shall(Behaviour::Fail);
    let error = node.authenticator.start().await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Unavailable);
    assert_eq!(
        error.to_string(),
        "cannot poll the changes of the key store. Check that its address leads to a server that is reachable and writable, that its \
         user may read the tables of keys, and that it answers within 500ms: cannot access the key store: told to fail"
    );

    node.store.feed_shall(Behaviour::Hang);
    let error = node.authenticator.start().await.unwrap_err();
    assert!(
        error.to_string().ends_with("cannot access the key store: it did not answer within 500ms"),
        "{error}"
    );

    node.store.feed_shall(Behaviour::Panic);
    let error = node.authenticator.start().await.unwrap_err();
    assert!(error.to_string().ends_with("cannot access the key store: it panicked"), "{error}");

    node.store.feed_shall(Behaviour::Behave);
    node.authenticator.start().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn starting_twice_changes_nothing() {
    let node = Node::new(|builder| builder);
    node.authenticator.start().await.unwrap();
    node.pass(MOMENT).await;
    let polls = node.store.polls();
    node.authenticator.start().await.unwrap();
    node.pass(MOMENT).await;
    assert_eq!(node.store.polls(), polls);
}

#[tokio::test(start_paused = true)]
async fn starting_fails_while_the_first_poll_is_unanswered() {
    let node = Node::new(|builder| builder);
    node.store.feed_shall(Behaviour::Hang);
    assert_eq!(node.request().await, None, "this starts the poller");
    let error = node.authenticator.start().await.unwrap_err();
    assert!(error.to_string().ends_with("cannot access the key store: no poll was answered yet"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_store_without_a_change_feed_has_nothing_to_start() {
    let (authenticator, _) = build(Authenticator::builder(MemoryStore::new()));
    authenticator.start().await.unwrap();
    let health = authenticator.health();
    assert_eq!((health.feed, health.is_cache_trusted, health.usage_backlog), (None, true, None));
}

#[tokio::test(start_paused = true)]
async fn health_reports_the_polls_and_the_lease() {
    let node = Node::new(|builder| builder);
    let health = node.authenticator.health();
    let feed = health.feed.clone().unwrap();
    assert_eq!((feed.lag, feed.lease_remaining), (None, Duration::ZERO));
    assert!(!health.is_circuit_open && !health.is_cache_trusted && health.is_ready());

    node.authenticator.start().await.unwrap();
    node.pass(MOMENT).await;
    node.store.feed_shall(Behaviour::Fail);
    node.pass(SECOND * 2).await;
    let feed = node.authenticator.health().feed.unwrap();
    assert_eq!(feed.lag, Some(SECOND * 2));
    assert_eq!(feed.lease_remaining, SECOND * 3);
    assert_eq!(feed.is_listening, Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_node_is_ready_while_it_can_admit_valid_keys() {
    let node = Node::following_with(|builder| builder.stale_grace(SECOND * 10)).await;
    node.store.feed_shall(Behaviour::Fail);
    node.store.go_down(true);
    let mut was_ready = Vec::new();
    for _ in 0..20 {
        let admitted = node.request().await.is_none();
        let health = node.authenticator.health();
        assert_eq!((health.is_cache_trusted, health.is_ready()), (admitted, admitted));
        was_ready.push(health.is_ready());
        node.pass(SECOND).await;
    }
    assert!(was_ready[..15].iter().all(|ready| *ready), "{was_ready:?}");
    assert!(!was_ready[19], "{was_ready:?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_in_an_outage_stays_unready_however_often_the_store_is_probed() {
    for requests in [0, 1, 50] {
        let node = Node::following().await;
        node.store.feed_shall(Behaviour::Fail);
        node.store.go_down(true);
        node.pass(SECOND * 5).await;
        for _ in 0..120 {
            assert!(!node.authenticator.health().is_ready());
            for _ in 0..requests {
                assert_eq!(node.request().await, Some(Reason::Unavailable));
            }
            node.pass(Duration::from_millis(500)).await;
        }
        node.store.feed_shall(Behaviour::Behave);
        node.store.go_down(false);
        node.pass(SECOND).await;
        assert!(node.authenticator.health().is_ready(), "the next poll ends the outage");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_store_has_never_answered_is_unready() {
    let node = Node::new(|builder| builder);
    node.store.feed_shall(Behaviour::Fail);
    node.store.go_down(true);
    assert_eq!(node.request().await, Some(Reason::Unavailable));
    let health = node.authenticator.health();
    assert!(!health.is_circuit_open && !health.is_store_answering && !health.is_ready());
}

#[tokio::test(start_paused = true)]
async fn an_uncached_node_is_ready_while_the_store_answers() {
    let node = Node::following().await;
    node.store.feed_shall(Behaviour::Fail);
    node.pass(SECOND * 6).await;
    for _ in 0..20 {
        assert_eq!(node.request().await, None);
        node.pass(SECOND * 4).await;
        assert!(node.authenticator.health().is_ready());
    }
    node.pass(SECOND).await;
    assert!(!node.authenticator.health().is_ready(), "the store has not answered for the length of a lease");
}

#[tokio::test(start_paused = true)]
async fn health_counts_pending_lookups() {
    let node = Node::new(|builder| builder);
    node.store.hang_lookups();
    let waiting = tokio::spawn({
        let (authenticator, request) = (node.authenticator.clone(), node.key.x_api_key());
        async move { authenticator.authenticate(request.headers()).await.is_ok() }
    });
    tokio::time::sleep(MOMENT).await;
    assert_eq!(node.authenticator.health().lookups, 1);
    assert!(!waiting.await.unwrap());
    tokio::time::sleep(MOMENT).await;
    assert_eq!(node.authenticator.health().lookups, 0);
}
