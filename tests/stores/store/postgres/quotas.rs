//! Quotas that nodes share by blocks: never more requests than a quota has, whatever happens to a node or to the database.

mod killed;
mod outage;
mod periods;

use std::env;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use support::START;
use tokio::task::JoinSet;
use tower_api_key::PostgresStore;
use tower_api_key::clock::ManualClock;
use tower_api_key::limit_requests::{Count, Counters, PostgresCounters, Taken};

use super::{Database, is_absent};
use crate::store::samples;

mod contract {
    use tower_api_key::PostgresStore;
    use tower_api_key::limit_requests::PostgresCounters;

    use super::super::Database;

    async fn open() -> (PostgresCounters, (PostgresStore, Database)) {
        let (store, database) = super::super::open().await;
        (PostgresCounters::new(&store), (store, database))
    }

    tower_api_key_contract::counters!(open, unless super::is_absent);
    tower_api_key_contract::counters_of_each_request!(open, unless super::is_absent);
}

/// The requests of the quota that is used up by many tasks. `QUOTA_REQUESTS` sets another number.
fn requests() -> u64 {
    env::var("QUOTA_REQUESTS").map_or(3_000, |text| text.parse().unwrap())
}

/// The counts of a key with these limits.
fn counts(limits: &str) -> Vec<Count> {
    let key = samples::plain("key");
    limits.split(' ').map(|limit| Count::new(&key, limit.parse().unwrap())).collect()
}

async fn take(counters: &PostgresCounters, counts: &[Count], cost: u64) -> Taken {
    counters.take(counts, cost).await.unwrap()
}

async fn admits(counters: &PostgresCounters, counts: &[Count]) -> bool {
    take(counters, counts, 1).await.used_up().is_none()
}

/// Makes requests until one is refused, and returns the number of those that were admitted.
async fn use_up(counters: &PostgresCounters, counts: &[Count]) -> u64 {
    let mut admitted = 0;
    while admits(counters, counts).await {
        admitted += 1;
    }
    admitted
}

/// A node with a clock that stands still.
async fn node(database: &Database) -> (PostgresCounters, Arc<ManualClock>) {
    let store = PostgresStore::open(&database.url()).await.unwrap();
    let clock = Arc::new(ManualClock::new(START));
    (PostgresCounters::new(&store).with_clock(Arc::clone(&clock)), clock)
}

/// What all nodes have taken, of all quotas.
async fn taken(database: &Database) -> i64 {
    database.count("SELECT coalesce(sum(taken), 0)::BIGINT FROM tower_api_key_quota").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_admit_exactly_the_quota_together() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let counts = counts(&format!("a={}/month", requests()));
    let nodes = [node(&database).await.0, node(&database).await.0];
    let tasks = (0..8).map(|number| {
        let (node, counts) = (nodes[number % 2].clone(), counts.clone());
        async move { use_up(&node, &counts).await }
    });
    let together: u64 = tasks.collect::<JoinSet<_>>().join_all().await.into_iter().sum();
    assert!(together <= requests() && together > requests() / 2, "{together}");
    for node in &nodes {
        node.give_back().await.unwrap();
    }
    assert_eq!(taken(&database).await.unsigned_abs(), together);
    assert_eq!(together + use_up(&nodes[0], &counts).await, requests());
    assert_eq!(use_up(&nodes[1], &counts).await, 0);
}

#[tokio::test]
async fn a_block_is_a_tenth_of_what_is_left_and_at_most_the_largest() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    for (quota, largest, cost, block) in [
        (5_000, 100, 1, 100),
        (5_000, 7, 1, 7),
        (5_000, 7, 9, 9),
        (500, 100, 1, 50),
        (19, 100, 1, 1),
        (3, 100, 3, 3),
        (3, 100, 4, 0),
        (3, 100, 0, 0),
    ] {
        let node = node(&database).await.0.largest_block(NonZeroU32::new(largest).unwrap());
        let before = taken(&database).await;
        let counts = counts(&format!("q{quota}-{largest}-{cost}={quota}/month"));
        for _ in 0..2 {
            let request = take(&node, &counts, cost).await;
            assert_eq!(request.used_up().is_some(), cost > quota);
            if cost != 1 {
                break;
            }
        }
        // A second request of cost one takes another block only if the first was of one.
        let expected = if block == 1 { 2 } else { block };
        assert_eq!(taken(&database).await - before, expected, "{quota} {largest} {cost}");
    }
}

#[tokio::test]
async fn what_is_left_of_a_block_is_given_back_when_its_lease_has_ended() {
    if is_absent() {
        return;
    }
    let lease = Duration::from_millis(20);
    let database = Database::create().await;
    let counts = counts("a=1000/month");
    let (idle, idle_clock) = node(&database).await;
    let idle = idle.lease(lease).unwrap();
    assert!(admits(&idle, &counts).await);
    let (busy, busy_clock) = node(&database).await;
    let mut admitted = use_up(&busy, &counts).await;
    assert_eq!(admitted, 900, "a block of 100 is held elsewhere");
    busy_clock.advance(Duration::from_secs(1));
    assert!(!admits(&busy, &counts).await, "its lease has not ended");
    idle_clock.advance(lease);
    while admitted < 999 {
        busy_clock.advance(Duration::from_secs(1));
        admitted += use_up(&busy, &counts).await;
    }
    assert!(!admits(&idle, &counts).await);
    assert_eq!(taken(&database).await, 1_000);
}

#[tokio::test]
async fn requests_without_room_do_not_ask_again_for_a_second() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let (node, clock) = node(&database).await;
    let all = counts("a=10/month");
    assert_eq!(use_up(&node, &all).await, 10);
    database.run_all("UPDATE tower_api_key_quota SET taken = 0").await;
    clock.advance(Duration::from_millis(999));
    let refused = take(&node, &all, 1).await;
    assert!(refused.used_up().is_some() && refused.left()[0].remaining == 0);
    clock.advance(Duration::from_millis(1));
    assert_eq!(use_up(&node, &all).await, 10);
    // A larger quota is in force at once, and a smaller one too.
    assert_eq!(use_up(&node, &counts("a=12/month")).await, 2);
    assert!(!admits(&node, &counts("a=11/month")).await);
}

#[tokio::test]
async fn a_request_beyond_one_limit_takes_no_block_of_another() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let (node, _clock) = node(&database).await;
    let (rate, both) = (counts("r=5/60s"), counts("r=5/60s q=1000/month"));
    assert_eq!(use_up(&node, &rate).await, 5);
    for _ in 0..10 {
        assert_eq!(take(&node, &both, 1).await.used_up().unwrap().index, 0);
    }
    assert_eq!(database.count("SELECT count(*) FROM tower_api_key_quota").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_for_a_larger_number_is_not_used_beyond_a_smaller_one() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let (node, clock) = node(&database).await;
    let (larger, smaller) = (counts("a=1000/month"), counts("a=50/month"));
    assert!(admits(&node, &larger).await);
    assert_eq!(take(&node, &smaller, 0).await.left()[0].remaining, 49);
    assert_eq!(use_up(&node, &smaller).await, 49, "of the block of 100 that is held");
    clock.advance(Duration::from_secs(1));
    assert!(!admits(&node, &smaller).await);
    assert!(take(&node, &smaller, 0).await.used_up().is_none());
    for _ in 0..50 {
        assert!(admits(&node, &larger).await);
    }
    assert_eq!(taken(&database).await, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_wait_for_each_other_whatever_the_default_isolation_is() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let pool = database.pool_with("SET default_transaction_isolation = 'repeatable read'").await;
    let store = PostgresStore::with_pool(pool).await.unwrap();
    let counts = counts("a=200/month");
    let nodes: [_; 2] = std::array::from_fn(|_| PostgresCounters::new(&store).largest_block(NonZeroU32::MIN));
    let tasks = nodes.map(|node| {
        let counts = counts.clone();
        async move { use_up(&node, &counts).await }
    });
    assert_eq!(tasks.into_iter().collect::<JoinSet<_>>().join_all().await.into_iter().sum::<u64>(), 200);
}

#[tokio::test]
async fn a_node_never_holds_more_than_the_largest_block() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let (node, _clock) = node(&database).await;
    let counts = counts("a=5000/month");
    for cost in [40, 70] {
        assert!(take(&node, &counts, cost).await.used_up().is_none());
    }
    // 60 were left of the first block, and the second was of 40.
    assert_eq!(taken(&database).await, 140);
}

#[tokio::test]
async fn settings_that_cannot_be_kept_are_refused() {
    if is_absent() {
        return;
    }
    let (store, _database) = super::open().await;
    let counters = || PostgresCounters::new(&store);
    for seconds in [0, 3_601] {
        assert!(counters().lease(Duration::from_secs(seconds)).is_err());
        assert!(counters().timeout(Duration::from_secs(seconds)).is_err());
    }
    assert!(counters().lease(Duration::from_secs(3_600)).is_ok());
}
