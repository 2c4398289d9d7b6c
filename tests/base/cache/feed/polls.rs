//! Polls, and the lease that each renews.

use std::time::Duration;

use tower_api_key::error::ConfigErrorKind;
use tower_api_key::{Authenticator, AuthenticatorBuilder, Reason};

use crate::cache::feed::SECOND;
use crate::cache::feed::node::{Behaviour, Node, Shared};
use support::{Key, START};

#[tokio::test(start_paused = true)]
async fn any_number_of_requests_share_one_poll() {
    let node = Node::new(|builder| builder.positive_ttl(Duration::ZERO).negative_ttl(Duration::ZERO));
    for _ in 0..10 {
        assert_eq!(node.request().await, None);
    }
    node.pass(Duration::from_millis(1)).await;
    assert_eq!(node.store.polls(), 1);
    for _ in 0..10 {
        assert_eq!(node.request().await, None);
    }
    node.pass(Duration::from_secs(1)).await;
    assert_eq!(node.store.polls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_another_process_revoked_is_rejected_after_the_next_poll() {
    let node = Node::following().await;
    let reads = node.store.reads();
    node.store.revoke(&node.key);
    assert_eq!(node.request().await, None, "not polled yet");
    assert_eq!(node.store.reads(), reads);
    node.pass(SECOND).await;
    assert_eq!(node.request().await, Some(Reason::Revoked));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_another_process_created_is_admitted_after_the_next_poll() {
    let mut node = Node::following().await;
    node.key = Key::mint();
    assert_eq!(node.request().await, Some(Reason::Unknown));
    node.store.add(&node.key);
    node.pass(SECOND).await;
    assert_eq!(node.request().await, None);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_cached_before_the_first_poll_is_answered() {
    let node = Node::new(|builder| builder);
    node.store.feed_shall(Behaviour::Hang);
    for reads in 1..=3 {
        assert_eq!(node.request().await, None);
        assert_eq!(node.store.reads(), reads);
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_read_before_the_first_poll_is_read_again_after_it() {
    let node = Node::new(|builder| builder);
    node.store.feed_shall(Behaviour::Fail);
    assert_eq!(node.request().await, None);
    // The first poll starts after the revocation, so no poll will ever report it.
    node.store.revoke(&node.key);
    node.store.feed_shall(Behaviour::Behave);
    node.pass(SECOND).await;
    assert_eq!(node.request().await, Some(Reason::Revoked));
}

#[tokio::test(start_paused = true)]
async fn while_polls_fail_records_count_until_the_lease_ends() {
    for behaviour in [Behaviour::Fail, Behaviour::Hang, Behaviour::Panic] {
        let node = Node::following().await;
        node.store.feed_shall(behaviour);
        node.store.revoke(&node.key);
        node.pass(SECOND * 4).await;
        assert_eq!(node.request().await, None, "the last good poll began less than five seconds ago");
        node.pass(SECOND).await;
        assert_eq!(node.request().await, Some(Reason::Revoked));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_lease_or_a_store_a_key_is_neither_admitted_nor_called_unknown() {
    let node = Node::following().await;
    node.store.feed_shall(Behaviour::Fail);
    node.store.go_down(true);
    node.pass(SECOND * 4).await;
    assert_eq!(node.request().await, None);
    node.pass(SECOND).await;
    assert_eq!(node.request().await, Some(Reason::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn a_slow_poll_does_not_extend_the_lease() {
    let node = Node::new(|builder| builder.deadline(SECOND * 4));
    assert_eq!(node.request().await, None);
    node.pass(Duration::from_millis(1)).await;
    node.store.feed_shall(Behaviour::Hold);
    node.pass(SECOND).await;
    let began = node.store.polls();
    // The poll has read the log, but has not returned yet, when the key is revoked.
    node.store.revoke(&node.key);
    node.pass(SECOND * 3).await;
    assert_eq!(node.store.polls(), began, "it is still the same poll");
    node.store.feed_shall(Behaviour::Hang);
    node.pass(Duration::from_millis(1)).await;
    assert_eq!(node.request().await, None, "the poll has renewed the lease");
    node.pass(SECOND * 2).await;
    assert_eq!(node.request().await, Some(Reason::Revoked), "five seconds after it began");
}

#[test]
fn an_authenticator_that_outlives_its_runtime_polls_in_the_next_one() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let node = runtime().unwrap().block_on(Node::following());
    runtime().unwrap().block_on(async {
        node.pass(SECOND * 6).await;
        assert_eq!(node.request().await, None);
        node.pass(Duration::from_millis(1)).await;
        assert_eq!(node.request().await, None);
        node.store.revoke(&node.key);
        node.pass(SECOND).await;
        assert_eq!(node.request().await, Some(Reason::Revoked));
    });
}

#[tokio::test(start_paused = true)]
async fn a_dropped_authenticator_stops_polling() {
    let Node { authenticator, store, .. } = Node::following().await;
    drop(authenticator);
    tokio::time::sleep(SECOND).await;
    let polls = store.polls();
    tokio::time::sleep(SECOND * 10).await;
    assert_eq!(store.polls(), polls);
}

#[tokio::test(start_paused = true)]
async fn the_first_request_waits_for_the_first_poll_and_reads_once() {
    let node = Node::new(|builder| builder);
    for _ in 0..10 {
        assert_eq!(node.request().await, None);
    }
    assert_eq!((node.store.reads(), node.store.polls()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_failing_feed_is_not_polled_with_each_lookup() {
    let node = Node::following().await;
    node.store.feed_shall(Behaviour::Fail);
    node.pass(SECOND * 6).await;
    let polls = node.store.polls();
    for _ in 0..10 {
        assert_eq!(node.request().await, None);
        node.pass(Duration::from_millis(1)).await;
    }
    assert_eq!(node.store.polls(), polls);
}

#[tokio::test(start_paused = true)]
async fn a_feed_is_given_the_lease_and_the_stale_grace() {
    for grace in [Duration::ZERO, 60 * SECOND] {
        let store = Shared::default();
        let builder = Authenticator::builder(store.clone()).lease(3 * SECOND).stale_grace(grace);
        builder.build().unwrap().start().await.unwrap();
        assert_eq!(store.lease(), (3 * SECOND, grace));
    }
}

#[test]
fn a_lease_that_would_end_between_two_polls_is_rejected() {
    let rejected = |configure: fn(AuthenticatorBuilder) -> AuthenticatorBuilder| {
        let error = configure(Authenticator::builder(Shared::default())).build().unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Limit);
        error.to_string()
    };
    assert_eq!(
        rejected(|builder| builder.lease(SECOND)),
        "the lease must be at least 10ms longer than the poll interval of 1s, got 1s"
    );
    assert_eq!(
        rejected(|builder| builder.lease(Duration::ZERO)),
        "the lease must be at least 10ms longer than the poll interval of 1s, got 0ns"
    );
    assert_eq!(
        rejected(|builder| builder.poll_interval(Duration::ZERO)),
        "the poll interval must be at least 1ms, got 0ns"
    );
    assert_eq!(
        rejected(|builder| builder.lease(SECOND * 3601)),
        "the lease must be at most 3600s, got 3601s"
    );
}

#[tokio::test(start_paused = true)]
async fn a_notification_brings_the_poll_forward() {
    let node = Node::following().await;
    node.store.revoke(&node.key);
    node.store.ping();
    node.pass(Duration::from_millis(1)).await;
    assert_eq!(node.request().await, Some(Reason::Revoked));
}

#[tokio::test(start_paused = true)]
async fn the_changes_of_a_poll_are_acknowledged_once_applied() {
    let node = Node::following().await;
    let before = node.store.acknowledged();
    assert!(before > 0);
    node.pass(SECOND).await;
    // The acknowledgement fails, without consequences here.
    assert_eq!(node.store.acknowledged(), before + 1);
    assert_eq!(node.request().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_runs_ahead_ends_the_lease() {
    let node = Node::following().await;
    node.store.feed_shall(Behaviour::Hang);
    let reads = node.store.reads();
    // As when the machine was suspended, and its monotonic clock with it.
    node.clock.set_wall(START.saturating_add(SECOND * 3_600));
    node.store.revoke(&node.key);
    assert_eq!(node.request().await, Some(Reason::Revoked));
    assert_eq!(node.store.reads(), reads + 1);
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_back_does_not_extend_the_lease() {
    let node = Node::new(|builder| builder);
    node.clock.set_wall(START.saturating_add(SECOND * 3_600));
    assert_eq!(node.request().await, None);
    node.pass(Duration::from_millis(1)).await;
    assert_eq!(node.request().await, None);
    node.store.feed_shall(Behaviour::Fail);
    node.clock.set_wall(START);
    node.store.revoke(&node.key);
    node.pass(SECOND * 4).await;
    assert_eq!(node.request().await, None, "the lease of the last poll still runs");
    node.pass(SECOND).await;
    assert_eq!(node.request().await, Some(Reason::Revoked));
}
