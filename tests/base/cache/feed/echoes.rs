//! A change made by this process also comes back through the change feed; it costs one lookup all the same.

use std::time::Duration;

use tokio::time::Instant;

use crate::cache::feed::node::{Behaviour, Node};
use crate::cache::feed::{MOMENT, SECOND};

#[tokio::test(start_paused = true)]
async fn a_key_that_this_process_has_changed_is_looked_up_once() {
    let node = Node::following().await;
    for _ in 0..10 {
        let reads = node.store.reads();
        node.store.change_here(&node.key);
        let before = Instant::now();
        for _ in 0..5 {
            assert_eq!(node.request().await, None);
        }
        assert!(before.elapsed() <= MOMENT, "does not wait for an interval");
        node.pass(SECOND * 2).await;
        assert_eq!(node.request().await, None);
        assert_eq!(node.store.reads(), reads + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_during_a_poll_waits_for_the_next_one() {
    let node = Node::following().await;
    node.store.feed_shall(Behaviour::Hold);
    node.pass(SECOND).await;
    let (reads, polls) = (node.store.reads(), node.store.polls());
    // The poll has read the log, but has not returned yet.
    node.store.change_here(&node.key);
    let request = tokio::spawn({
        let (authenticator, request) = (node.authenticator.clone(), node.key.x_api_key());
        async move { authenticator.authenticate(request.headers()).await.is_ok() }
    });
    tokio::time::sleep(MOMENT).await;
    node.store.feed_shall(Behaviour::Behave);
    assert!(request.await.unwrap());
    assert!(node.store.polls() > polls);
    node.pass(SECOND * 2).await;
    assert_eq!(node.request().await, None);
    assert_eq!(node.store.reads(), reads + 1);
}

#[tokio::test(start_paused = true)]
async fn no_lookup_waits_long_for_an_echo() {
    for (behaviour, longest) in [(Behaviour::Hang, Duration::from_millis(101)), (Behaviour::Fail, MOMENT)] {
        let node = Node::following().await;
        node.store.feed_shall(behaviour);
        node.pass(SECOND).await;
        node.store.change_here(&node.key);
        let before = Instant::now();
        assert_eq!(node.request().await, None);
        assert!(before.elapsed() <= longest, "{:?}", before.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn other_keys_wait_for_no_echo() {
    let node = Node::following().await;
    node.store.feed_shall(Behaviour::Hang);
    node.pass(SECOND).await;
    node.store.change_here(&support::Key::mint());
    let before = Instant::now();
    node.store.revoke(&node.key);
    let outcome = node.authenticator.authenticate(support::Key::mint().x_api_key().headers()).await;
    assert!(outcome.is_err());
    assert_eq!(before.elapsed(), Duration::ZERO);
}
