//! A feed that panics is replaced, with or without requests.

use std::time::Duration;

use tower_api_key::Reason;

use crate::cache::feed::node::{Behaviour, Node};
use crate::cache::feed::{MOMENT, SECOND};

/// Returns how often the poller of a node was restarted.
fn restarts(node: &Node) -> u64 {
    node.authenticator.health().feed.unwrap().restarts
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_panicked_is_replaced_without_any_request() {
    for behaviour in [Behaviour::Panic, Behaviour::PanicBetweenPolls, Behaviour::PanicTwice] {
        let node = Node::following().await;
        assert_eq!(restarts(&node), 0);
        node.store.feed_shall(behaviour);
        node.pass(SECOND).await;
        assert_eq!(restarts(&node), 1);
        node.store.feed_shall(Behaviour::Behave);
        node.store.revoke(&node.key);
        node.pass(SECOND * 2).await;
        let health = node.authenticator.health();
        assert!(health.is_store_answering && health.is_cache_trusted);
        assert!(health.feed.unwrap().lag.unwrap() <= SECOND);

        // The lease still holds, so the key is looked up once and then cached.
        let reads = node.store.reads();
        for _ in 0..3 {
            assert_eq!(node.request().await, Some(Reason::Revoked));
        }
        assert_eq!(node.store.reads(), reads + 1);
        node.pass(SECOND * 60).await;
        assert_eq!(restarts(&node), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_keeps_panicking_is_restarted_after_growing_pauses() {
    let node = Node::following().await;
    node.store.feed_shall(Behaviour::Panic);
    node.pass(SECOND).await;
    let polls = node.store.polls();
    // After pauses of 1, 2, 4, 8, 16 and then of 30 seconds.
    node.pass(SECOND / 2).await;
    for (more, pause) in (1..).zip([1, 2, 4, 8, 16, 30, 30]) {
        node.pass(SECOND * pause).await;
        assert_eq!(node.store.polls(), polls + more, "after a pause of {pause} s");
    }
    assert_eq!(restarts(&node), 8);

    node.store.feed_shall(Behaviour::Behave);
    node.pass(SECOND * 31).await;
    node.store.feed_shall(Behaviour::Panic);
    node.pass(SECOND).await;
    let polls = node.store.polls();
    node.pass(SECOND + MOMENT).await;
    assert_eq!(node.store.polls(), polls + 1, "the pauses start short again");
}

#[tokio::test(start_paused = true)]
async fn requests_neither_fail_nor_poll_until_a_panicked_feed_is_replaced() {
    let node = Node::following().await;
    node.store.feed_shall(Behaviour::Panic);
    node.pass(SECOND).await;
    node.store.feed_shall(Behaviour::PanicWhenMade);
    node.pass(SECOND * 10).await;
    let polls = node.store.polls();
    for _ in 0..50 {
        assert_eq!(node.request().await, None, "the store is asked");
        node.pass(Duration::from_millis(10)).await;
    }
    assert_eq!(node.store.polls(), polls);
    node.store.feed_shall(Behaviour::Behave);
    node.pass(SECOND * 30).await;
    assert!(node.authenticator.health().is_cache_trusted);
}
