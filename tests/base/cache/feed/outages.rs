//! A store that does not answer: the circuit opens, and cached entries may be used for the stale grace.

use std::time::Duration;

use tower_api_key::error::ConfigErrorKind;
use tower_api_key::{Authenticator, AuthenticatorBuilder, MemoryStore, Reason};

use crate::cache::feed::node::{Behaviour, Node};
use crate::cache::feed::{MOMENT, SECOND};
use support::{Key, START, revocation};

/// A node without a cache: it asks the store for each request.
async fn uncached_node() -> Node {
    let node = Node::new(|builder| builder.positive_ttl(Duration::ZERO).negative_ttl(Duration::ZERO));
    node.authenticator.start().await.unwrap();
    node
}

/// A node whose store has failed often enough to open the circuit.
async fn circuit_open_node() -> Node {
    let node = uncached_node().await;
    node.store.go_down(true);
    for reads in 1..=5 {
        assert_eq!(node.request().await, Some(Reason::Unavailable));
        assert_eq!(node.store.reads(), reads);
    }
    node
}

#[tokio::test(start_paused = true)]
async fn five_failures_in_a_row_open_the_circuit_for_a_second() {
    let node = circuit_open_node().await;
    for _ in 0..100 {
        assert_eq!(node.request().await, Some(Reason::Unavailable));
    }
    assert_eq!(node.store.reads(), 5);
    node.pass(SECOND).await;
    assert_eq!(node.request().await, Some(Reason::Unavailable));
    assert_eq!(node.store.reads(), 6, "one lookup probes the store");
    assert_eq!(node.request().await, Some(Reason::Unavailable));
    assert_eq!(node.store.reads(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_successful_probe_closes_the_circuit() {
    let node = circuit_open_node().await;
    node.store.go_down(false);
    assert_eq!(node.request().await, Some(Reason::Unavailable));
    node.pass(SECOND).await;
    for reads in 6..20 {
        assert_eq!(node.request().await, None);
        assert_eq!(node.store.reads(), reads);
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_is_probed_after_half_of_the_pause_to_all_of_it() {
    let mut pauses = Vec::new();
    for _ in 0..20 {
        let node = circuit_open_node().await;
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
    assert!(pauses.len() > 3, "nodes probe at different times: {pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn answers_between_failures_keep_the_circuit_closed() {
    let node = uncached_node().await;
    for reads in 0..100 {
        node.store.go_down(reads % 5 != 0);
        node.request().await;
        assert_eq!(node.store.reads(), reads + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_zero_disables_the_circuit_breaker() {
    let node = Node::new(|builder| builder.positive_ttl(Duration::ZERO).circuit_breaker(1, Duration::ZERO));
    node.authenticator.start().await.unwrap();
    node.store.go_down(true);
    for reads in 1..=20 {
        assert_eq!(node.request().await, Some(Reason::Unavailable));
        assert_eq!(node.store.reads(), reads);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cached_key_is_admitted_while_the_circuit_is_open() {
    let node = Node::following().await;
    node.store.go_down(true);
    let other = Key::mint();
    for _ in 0..5 {
        let outcome = node.authenticator.authenticate(other.x_api_key().headers()).await;
        assert_eq!(outcome.unwrap_err().reason(), &Reason::Unavailable);
    }
    assert!(node.authenticator.health().is_circuit_open);
    assert_eq!(node.request().await, None);
}

/// A node in an outage that began just after its last poll.
async fn node_in_outage(grace: Duration) -> Node {
    let node = Node::following_with(|builder| builder.stale_grace(grace)).await;
    node.store.feed_shall(Behaviour::Fail);
    node.store.go_down(true);
    node
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_a_record_counts_for_the_grace_after_the_lease() {
    let node = node_in_outage(SECOND * 60).await;
    for _ in 0..64 {
        assert_eq!(node.request().await, None);
        node.pass(SECOND).await;
    }
    node.pass(SECOND).await;
    assert_eq!(node.request().await, Some(Reason::Unavailable), "the lease and the grace are over");
}

#[tokio::test(start_paused = true)]
async fn without_a_grace_a_record_counts_only_for_the_lease() {
    let node = node_in_outage(Duration::ZERO).await;
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
async fn the_grace_has_no_effect_while_the_store_answers() {
    let node = Node::following_with(|builder| builder.stale_grace(SECOND * 60)).await;
    node.store.feed_shall(Behaviour::Fail);
    node.store.revoke(&node.key);
    node.pass(SECOND * 6).await;
    assert_eq!(node.request().await, Some(Reason::Revoked));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_expires_in_an_outage_is_rejected_within_the_grace() {
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
    let node = node_in_outage(SECOND * 60).await;
    let other = Key::mint();
    node.store.add(&other);
    let outcome = node.authenticator.authenticate(other.x_api_key().headers()).await;
    assert_eq!(outcome.unwrap_err().reason(), &Reason::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_is_not_called_unknown_in_an_outage() {
    let mut node = Node::following_with(|builder| builder.stale_grace(SECOND * 60)).await;
    node.key = Key::mint();
    assert_eq!(node.request().await, Some(Reason::Unknown));
    node.store.feed_shall(Behaviour::Fail);
    node.store.go_down(true);
    node.pass(SECOND * 6).await;
    assert_eq!(node.request().await, Some(Reason::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn an_invalidated_key_gets_no_grace() {
    let node = Node::following_with(|builder| builder.stale_grace(SECOND * 60)).await;
    node.store.go_down(true);
    node.store.revoke(&node.key);
    node.pass(SECOND).await; // and the poll has reported the revocation
    assert_eq!(node.request().await, Some(Reason::Revoked), "it is known to be revoked");
    node.store.feed_shall(Behaviour::Fail);
    node.pass(SECOND * 20).await;
    assert_eq!(node.request().await, Some(Reason::Unavailable), "it is not admitted once that is forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_revoked_record_stays_revoked_within_the_grace() {
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
fn an_invalid_grace_or_circuit_breaker_is_rejected() {
    let rejected = |configure: fn(AuthenticatorBuilder) -> AuthenticatorBuilder| {
        let error = configure(Authenticator::builder(MemoryStore::new())).build().unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Limit);
        error.to_string()
    };
    assert_eq!(
        rejected(|builder| builder.circuit_breaker(0, SECOND)),
        "the circuit breaker must open after one failure or more, got zero"
    );
    for configure in [
        |builder: AuthenticatorBuilder| builder.positive_ttl(Duration::ZERO),
        |builder: AuthenticatorBuilder| builder.positive_capacity(0),
    ] {
        let error = configure(Authenticator::builder(MemoryStore::new()).stale_grace(SECOND)).build();
        assert_eq!(
            error.unwrap_err().to_string(),
            "the positive time to live and capacity must be above zero with a stale grace of 1s, got zero"
        );
    }
    assert_eq!(
        rejected(|builder| builder.circuit_breaker(5, SECOND * 61)),
        "the pause of the circuit breaker must be at most 60s, got 61s"
    );
    assert_eq!(
        rejected(|builder| builder.stale_grace(SECOND * 86_401)),
        "the stale grace must be at most 86400s, got 86401s"
    );
}

#[tokio::test(start_paused = true)]
async fn a_suspended_machine_gets_no_grace_for_the_time_it_was_suspended() {
    let node = node_in_outage(SECOND * 60).await;
    node.clock.set_wall(START.saturating_add(SECOND * 3_600));
    assert_eq!(node.request().await, Some(Reason::Unavailable));
}

/// A node in an outage, beyond its lease, with an open circuit that it may probe long before the next poll.
async fn circuit_open_beyond_lease() -> Node {
    let node = Node::following_with(|builder| builder.circuit_breaker(5, MOMENT)).await;
    node.store.feed_shall(Behaviour::Fail);
    node.store.go_down(true);
    node.pass(SECOND * 6).await;
    for _ in 0..5 {
        assert_eq!(node.request().await, Some(Reason::Unavailable));
    }
    assert!(node.authenticator.health().is_circuit_open);
    node
}

#[tokio::test(start_paused = true)]
async fn when_an_outage_is_over_a_key_is_read_once() {
    for was_replaced in [false, true] {
        let node = circuit_open_beyond_lease().await;
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
async fn an_answered_poll_closes_the_circuit() {
    let minute = SECOND * 60;
    let node = Node::following_with(|builder| builder.stale_grace(minute).circuit_breaker(5, minute)).await;
    node.store.feed_shall(Behaviour::Fail);
    node.store.go_down(true);
    node.pass(SECOND * 6).await;
    for _ in 0..6 {
        assert_eq!(node.request().await, None, "within the grace");
    }
    assert!(node.authenticator.health().is_circuit_open);
    // Now no entry read before is valid, not even within the grace.
    node.store.replace();
    node.store.feed_shall(Behaviour::Behave);
    node.store.go_down(false);
    node.pass(SECOND).await;
    assert_eq!(node.request().await, None);
}

#[tokio::test(start_paused = true)]
async fn when_an_outage_is_over_a_poll_that_still_hangs_is_given_up() {
    let node = circuit_open_beyond_lease().await;
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
async fn a_feed_that_hangs_delays_lookups_once_and_briefly() {
    let node = node_in_outage(Duration::ZERO).await;
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
