//! A feed that panics is replaced, whether requests come or not.

use std::time::Duration;

use tower_api_key::Reason;

use crate::node::{Behaviour, Node};
use crate::{MOMENT, SECOND};

/// Returns how often the poller of a node was restarted.
fn restarts(node: &Node) -> u64 {
    node.authenticator.health().feed.unwrap().restarts
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_panicked_is_replaced_though_no_request_comes() {
    for behaviour in [Behaviour::Panic, Behaviour::PanicBetweenPolls] {
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

        // The lease goes on, so the key is looked up once and then remembered.
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
async fn a_feed_that_panics_each_time_is_tried_less_and_less_often() {
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
    assert_eq!(node.store.polls(), polls + 1, "it begins with a short pause again");
}

#[tokio::test(start_paused = true)]
async fn requests_neither_fail_nor_poll_while_a_feed_that_panicked_is_not_replaced_yet() {
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
