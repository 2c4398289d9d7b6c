//! A store that gives no answer: it is left alone for a while, and what is known may count for longer.

use std::time::Duration;

use tower_api_key::{Authenticator, AuthenticatorBuilder, ConfigErrorKind, MemoryStore, Reason};

use crate::node::{Behaviour, Node};
use crate::support::{Key, START, revocation};
use crate::{MOMENT, SECOND};

/// A node that asks the store for each request.
async fn forgetful() -> Node {
    let node = Node::new(|builder| builder.positive_ttl(Duration::ZERO).negative_ttl(Duration::ZERO));
    node.authenticator.start().await.unwrap();
    node
}

/// A node whose store has failed so often that it is left alone.
async fn left_alone() -> Node {
    let node = forgetful().await;
    node.store.go_down(true);
    for reads in 1..=5 {
        assert_eq!(node.request().await, Some(Reason::Unavailable));
        assert_eq!(node.store.reads(), reads);
    }
    node
}

#[tokio::test(start_paused = true)]
async fn a_store_that_has_given_no_answer_five_times_is_left_alone_for_a_second() {
    let node = left_alone().await;
    for _ in 0..100 {
        assert_eq!(node.request().await, Some(Reason::Unavailable));
    }
    assert_eq!(node.store.reads(), 5);
    node.pass(SECOND).await;
    assert_eq!(node.request().await, Some(Reason::Unavailable));
    assert_eq!(node.store.reads(), 6, "one lookup has tried");
    assert_eq!(node.request().await, Some(Reason::Unavailable));
    assert_eq!(node.store.reads(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_answers_the_one_who_tries_is_asked_by_all() {
    let node = left_alone().await;
    node.store.go_down(false);
    assert_eq!(node.request().await, Some(Reason::Unavailable));
    node.pass(SECOND).await;
    for reads in 6..20 {
        assert_eq!(node.request().await, None);
        assert_eq!(node.store.reads(), reads);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_left_alone_is_tried_between_half_of_the_pause_and_all_of_it() {
    let mut pauses = Vec::new();
    for _ in 0..20 {
        let node = left_alone().await;
        let mut paused = Duration::ZERO;
        while node.store.reads() == 5 {
            assert_eq!(node.request().await, Some(Reason::Unavailable));
            node.pass(MOMENT * 10).await;
            paused += MOMENT * 10;
        }
        assert!((Duration::from_millis(500)..=Duration::from_millis(1_010)).contains(&paused), "{paused:?}");
        pauses.push(paused);
    }
    pauses.sort();
    pauses.dedup();
    assert!(pauses.len() > 3, "nodes try at different times: {pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn answers_between_failures_keep_the_store_from_being_left_alone() {
    let node = forgetful().await;
    for reads in 0..100 {
        node.store.go_down(reads % 5 != 0);
        node.request().await;
        assert_eq!(node.store.reads(), reads + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_is_never_left_alone_if_that_is_asked_for() {
    let node = Node::new(|builder| builder.positive_ttl(Duration::ZERO).circuit_breaker(1, Duration::ZERO));
    node.authenticator.start().await.unwrap();
    node.store.go_down(true);
    for reads in 1..=20 {
        assert_eq!(node.request().await, Some(Reason::Unavailable));
        assert_eq!(node.store.reads(), reads);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_cached_is_admitted_while_the_store_is_left_alone() {
    let node = Node::following().await;
    node.store.go_down(true);
    let other = Key::mint();
    for _ in 0..5 {
        let outcome = node.authenticator.authenticate(other.x_api_key().headers()).await;
        assert_eq!(outcome.unwrap_err().reason(), &Reason::Unavailable);
    }
    assert!(!node.authenticator.health().is_store_asked);
    assert_eq!(node.request().await, None);
}

/// A node in an outage that began just after its last poll.
async fn out(grace: Duration) -> Node {
    let node = Node::following_with(|builder| builder.stale_grace(grace)).await;
    node.store.feed_shall(Behaviour::Fail);
    node.store.go_down(true);
    node
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_a_record_counts_for_the_grace_after_the_lease() {
    let node = out(SECOND * 60).await;
    for _ in 0..64 {
        assert_eq!(node.request().await, None);
        node.pass(SECOND).await;
    }
    node.pass(SECOND).await;
    assert_eq!(node.request().await, Some(Reason::Unavailable), "the lease and the grace are over");
}

#[tokio::test(start_paused = true)]
async fn without_a_grace_a_record_counts_for_the_lease_and_no_longer() {
    let node = out(Duration::ZERO).await;
    node.pass(SECOND * 4).await;
    assert_eq!(node.request().await, None);
    node.pass(SECOND).await;
    assert_eq!(node.request().await, Some(Reason::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn the_grace_outlasts_the_time_to_live_of_a_record() {
    let node = Node::following_with(|builder| builder.stale_grace(SECOND * 60).positive_ttl(SECOND)).await;
    node.store.feed_shall(Behaviour::Fail);
    node.store.go_down(true);
    node.pass(SECOND * 58).await;
    assert_eq!(node.request().await, None);
    node.pass(SECOND * 3).await;
    assert_eq!(node.request().await, Some(Reason::Unavailable), "61 seconds after the time to live");
}

#[tokio::test(start_paused = true)]
async fn while_the_store_answers_the_grace_is_of_no_effect() {
    let node = Node::following_with(|builder| builder.stale_grace(SECOND * 60)).await;
    node.store.feed_shall(Behaviour::Fail);
    node.store.revoke(&node.key);
    node.pass(SECOND * 6).await;
    assert_eq!(node.request().await, Some(Reason::Revoked));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_expires_in_an_outage_is_refused_within_the_grace() {
    let mut node = Node::new(|builder| builder.stale_grace(SECOND * 60));
    let end = node.clock.as_ref();
    let end = tower_api_key::clock::Clock::wall(end).saturating_add(SECOND * 10);
    node.key = Key::mint().with(|record| record.expires_at = Some(end));
    node.store.add(&node.key);
    assert_eq!(node.request().await, None);
    node.pass(MOMENT).await;
    assert_eq!(node.request().await, None);
    node.store.feed_shall(Behaviour::Fail);
    node.store.go_down(true);
    node.pass(SECOND * 9).await;
    assert_eq!(node.request().await, None);
    node.pass(SECOND).await;
    assert_eq!(node.request().await, Some(Reason::Expired));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_never_read_gets_no_grace() {
    let node = out(SECOND * 60).await;
    let other = Key::mint();
    node.store.add(&other);
    let outcome = node.authenticator.authenticate(other.x_api_key().headers()).await;
    assert_eq!(outcome.unwrap_err().reason(), &Reason::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_unknown_before_an_outage_is_not_called_unknown_in_it() {
    let mut node = Node::following_with(|builder| builder.stale_grace(SECOND * 60)).await;
    node.key = Key::mint();
    assert_eq!(node.request().await, Some(Reason::Unknown));
    node.store.feed_shall(Behaviour::Fail);
    node.store.go_down(true);
    node.pass(SECOND * 6).await;
    assert_eq!(node.request().await, Some(Reason::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn a_key_of_which_a_change_is_known_gets_no_grace() {
    let node = Node::following_with(|builder| builder.stale_grace(SECOND * 60)).await;
    node.store.go_down(true);
    node.store.revoke(&node.key);
    node.pass(SECOND).await; // and the poll has told
    assert_eq!(node.request().await, Some(Reason::Revoked), "it is known to be dead");
    node.store.feed_shall(Behaviour::Fail);
    node.pass(SECOND * 20).await;
    assert_eq!(node.request().await, Some(Reason::Unavailable), "and is not admitted when that is forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_revoked_record_is_as_revoked_within_the_grace() {
    let mut node = Node::new(|builder| builder.stale_grace(SECOND * 60));
    node.key = Key::mint().with(|record| record.revoked = Some(revocation()));
    node.store.add(&node.key);
    for _ in 0..3 {
        assert_eq!(node.request().await, Some(Reason::Revoked));
        node.pass(MOMENT).await;
    }
    node.store.feed_shall(Behaviour::Fail);
    node.store.go_down(true);
    node.pass(SECOND * 20).await;
    assert_eq!(node.request().await, Some(Reason::Revoked));
}

#[test]
fn a_grace_or_a_breaker_that_cannot_work_is_refused() {
    let refused = |configure: fn(AuthenticatorBuilder) -> AuthenticatorBuilder| {
        let error = configure(Authenticator::builder(MemoryStore::new())).build().unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Limit);
        error.to_string()
    };
    assert_eq!(
        refused(|builder| builder.circuit_breaker(0, SECOND)),
        "expected a circuit breaker that opens after one failure or more, found zero"
    );
    for configure in [
        |builder: AuthenticatorBuilder| builder.positive_ttl(Duration::ZERO),
        |builder: AuthenticatorBuilder| builder.positive_capacity(0),
    ] {
        let error = configure(Authenticator::builder(MemoryStore::new()).stale_grace(SECOND)).build();
        assert_eq!(
            error.unwrap_err().to_string(),
            "expected a positive time to live and capacity above zero, as records are kept for a stale grace of 1s, found zero"
        );
    }
    assert_eq!(
        refused(|builder| builder.circuit_breaker(5, SECOND * 61)),
        "expected a pause of the circuit breaker of at most 60s, found 61s"
    );
    assert_eq!(
        refused(|builder| builder.stale_grace(SECOND * 86_401)),
        "expected a stale grace of at most 86400s, found 86401s"
    );
}

#[tokio::test(start_paused = true)]
async fn a_suspended_machine_gets_no_grace_for_the_time_that_it_slept() {
    let node = out(SECOND * 60).await;
    node.clock.set_wall(START.saturating_add(SECOND * 3_600));
    assert_eq!(node.request().await, Some(Reason::Unavailable));
}

/// A node in an outage, beyond the lease, that leaves the store alone, and may try it long before the next poll.
async fn tired() -> Node {
    let node = Node::following_with(|builder| builder.circuit_breaker(5, MOMENT)).await;
    node.store.feed_shall(Behaviour::Fail);
    node.store.go_down(true);
    node.pass(SECOND * 6).await;
    for _ in 0..5 {
        assert_eq!(node.request().await, Some(Reason::Unavailable));
    }
    assert!(!node.authenticator.health().is_store_asked);
    node
}

#[tokio::test(start_paused = true)]
async fn when_an_outage_is_over_a_key_is_read_once() {
    for was_replaced in [false, true] {
        let node = tired().await;
        if was_replaced {
            node.store.replace();
        }
        node.store.feed_shall(Behaviour::Behave);
        node.store.go_down(false);
        node.pass(MOMENT).await;
        let (reads, polls) = (node.store.reads(), node.store.polls());
        for _ in 0..10 {
            assert_eq!(node.request().await, None);
        }
        assert_eq!((node.store.reads(), node.store.polls()), (reads + 1, polls + 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_is_answered_ends_an_outage_for_all() {
    let minute = SECOND * 60;
    let node = Node::following_with(|builder| builder.stale_grace(minute).circuit_breaker(5, minute)).await;
    node.store.feed_shall(Behaviour::Fail);
    node.store.go_down(true);
    node.pass(SECOND * 6).await;
    for _ in 0..6 {
        assert_eq!(node.request().await, None, "by the grace");
    }
    assert!(!node.authenticator.health().is_store_asked);
    // Then nothing that was read before counts any more, be it within the grace.
    node.store.replace();
    node.store.feed_shall(Behaviour::Behave);
    node.store.go_down(false);
    node.pass(SECOND).await;
    assert_eq!(node.request().await, None);
}

#[tokio::test(start_paused = true)]
async fn when_an_outage_is_over_a_poll_that_still_hangs_is_given_up() {
    let node = tired().await;
    node.store.feed_shall(Behaviour::Hang);
    node.pass(SECOND).await;
    let polls = node.store.polls();
    node.store.feed_shall(Behaviour::Behave);
    node.store.go_down(false);
    assert_eq!(node.request().await, None);
    assert_eq!(node.store.polls(), polls + 1);
    assert!(node.authenticator.health().is_cache_trusted);
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_stays_silent_keeps_look_ups_waiting_once_and_not_for_long() {
    let node = out(Duration::ZERO).await;
    node.pass(SECOND * 6).await;
    node.store.feed_shall(Behaviour::Hang);
    node.store.go_down(false);
    let began = tokio::time::Instant::now();
    for _ in 0..10 {
        assert_eq!(node.request().await, None);
        tokio::time::sleep(SECOND).await;
    }
    let waited = began.elapsed().saturating_sub(SECOND * 10);
    assert!(waited <= Duration::from_millis(200), "{waited:?}");
}
