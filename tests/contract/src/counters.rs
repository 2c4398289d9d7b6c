//! Counters admit exactly as many requests as limits allow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::limit_requests::{Count, Counters, Taken};
use tower_api_key::owner::Organization;
use tower_api_key::{Environment, Owner, Record};

use crate::samples;

/// A key that no other test has, of an owner that no other test has.
fn key(name: &str) -> Record {
    with(&samples::plain(name), |record| record.owner = Owner::organization(format!("owner of {name}")))
}

fn with(record: &Record, change: impl FnOnce(&mut Record)) -> Record {
    let mut record = record.clone();
    change(&mut record);
    record
}

/// Returns the counts of limits of a key.
fn counts(record: &Record, limits: &str) -> Vec<Count> {
    limits.split(' ').map(|limit| Count::new(record, limit.parse().unwrap())).collect()
}

async fn take(counters: &impl Counters, counts: &[Count], cost: u64) -> Taken {
    let taken = counters.take(counts, cost).await.unwrap();
    assert_eq!(taken.left().len(), counts.len());
    taken
}

/// Returns whether a request is admitted.
async fn admits(counters: &impl Counters, counts: &[Count], cost: u64) -> bool {
    take(counters, counts, cost).await.used_up().is_none()
}

/// Makes requests of this cost until one is refused, and returns the number of those that were admitted.
async fn use_up(counters: &impl Counters, counts: &[Count], cost: u64) -> u64 {
    let mut admitted = 0;
    while admits(counters, counts, cost).await {
        admitted += 1;
    }
    admitted
}

pub async fn as_many_requests_are_admitted_as_a_limit_has(counters: impl Counters) {
    for limit in ["a=1/3600s", "a=7/86400s", "b=1/month", "c=100/month"] {
        let counts = counts(&key("key"), limit);
        assert_eq!(use_up(&counters, &counts, 1).await, counts[0].limit().requests(), "{limit}");
        let used_up = take(&counters, &counts, 1).await.used_up().unwrap();
        assert_eq!(used_up.index, 0);
        assert!(used_up.wait > Duration::ZERO && used_up.wait <= Duration::from_secs(31 * 86_400));
    }
}

pub async fn a_request_takes_from_all_limits_or_from_none(counters: impl Counters) {
    let both = counts(&key("key"), "a=10/month b=4/month/owner c=100/86400s");
    assert_eq!(use_up(&counters, &both, 1).await, 4);
    for _ in 0..20 {
        assert_eq!(take(&counters, &both, 1).await.used_up().unwrap().index, 1);
    }
    // Refused requests took nothing.
    assert_eq!(use_up(&counters, &both[..1], 1).await, 6);
    assert_eq!(use_up(&counters, &both[2..], 1).await, 96);
}

pub async fn a_request_takes_its_cost(counters: impl Counters) {
    for limit in ["a=10/3600s", "a=10/month"] {
        let counts = counts(&key("key"), limit);
        assert_eq!(use_up(&counters, &counts, 4).await, 2, "{limit}");
        assert_eq!(use_up(&counters, &counts, 2).await, 1, "{limit}");
        assert_eq!(use_up(&counters, &counts, 1).await, 0, "{limit}");
    }
}

pub async fn a_free_request_takes_nothing_and_is_never_refused(counters: impl Counters) {
    for limit in ["a=3/3600s", "a=3/month"] {
        let counts = counts(&key("key"), limit);
        for _ in 0..10 {
            assert!(admits(&counters, &counts, 0).await);
        }
        assert_eq!(use_up(&counters, &counts, 1).await, 3, "{limit}");
        assert!(admits(&counters, &counts, 0).await, "{limit}");
    }
}

pub async fn a_request_that_costs_more_than_a_limit_has_is_always_refused(counters: impl Counters) {
    for limit in ["a=3/3600s", "b=3/month", "c=4294967295/month", "a=1000000/1s"] {
        let counts = counts(&key("key"), limit);
        for cost in [counts[0].limit().requests() + 1, 1 << 53, u64::MAX - 1, u64::MAX] {
            assert!(!admits(&counters, &counts, cost).await, "{limit} {cost}");
        }
        assert!(admits(&counters, &counts, counts[0].limit().requests()).await, "{limit}");
    }
}

pub async fn keys_that_share_a_limit_are_counted_together(counters: impl Counters) {
    let (first, second) = (key("key_1"), with(&key("key_2"), |record| record.owner = key("key_1").owner));
    let shared = |record: &Record| counts(record, "shared=5/month/owner");
    assert!(admits(&counters, &shared(&first), 2).await);
    assert_eq!(use_up(&counters, &shared(&second), 1).await, 3);
    assert!(!admits(&counters, &shared(&first), 1).await);
    let own = |record: &Record| counts(record, "shared=5/month");
    let rotated = with(&second, |record| record.first_rotated_from = Some(first.id.clone()));
    assert!(admits(&counters, &own(&first), 3).await);
    assert_eq!(use_up(&counters, &own(&rotated), 1).await, 2, "a rotation gives no new allowance");
    assert_eq!(use_up(&counters, &own(&second), 1).await, 5);
}

pub async fn what_shares_no_limit_is_counted_apart(counters: impl Counters) {
    let live = key("key");
    let of = |owner: Owner| with(&live, |record| record.owner = owner);
    let records = [
        live.clone(),
        with(&live, |record| record.environment = Environment::Test),
        of(Owner::organization("}:live:a:month")),
        of(Owner::project(Organization::new("acme"), "acme")),
        of(Owner::user("acme", [])),
    ];
    let limits =
        ["a=2/month/owner", "b=2/month/owner", "a=2/day/owner", "a=2/3600s/owner", "a=2/3601s/owner"];
    for record in &records {
        for limit in limits {
            assert_eq!(use_up(&counters, &counts(record, limit), 1).await, 2, "{limit} of {}", record.owner);
        }
    }
}

pub async fn a_changed_limit_keeps_what_was_used(counters: impl Counters) {
    let of = |limit: &str| counts(&key("key"), limit);
    assert_eq!(use_up(&counters, &of("a=4/month"), 1).await, 4);
    assert!(!admits(&counters, &of("a=2/month"), 1).await);
    assert_eq!(use_up(&counters, &of("a=7/month"), 1).await, 3);
}

pub async fn many_tasks_are_admitted_exactly_as_often(counters: impl Counters) {
    let (counters, admitted) = (Arc::new(counters), Arc::new(AtomicU64::new(0)));
    let (first, second) = (key("key_1"), with(&key("key_2"), |record| record.owner = key("key_1").owner));
    let tasks = (0..16).map(|number| {
        let (counters, admitted) = (Arc::clone(&counters), Arc::clone(&admitted));
        let counts = counts([&first, &second][number % 2], "own=150/month shared=200/month/owner");
        async move {
            for _ in 0..25 {
                admitted.fetch_add(u64::from(admits(&*counters, &counts, 1).await), Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    tasks.collect::<JoinSet<_>>().join_all().await;
    assert_eq!(admitted.load(Ordering::Relaxed), 200);
}

pub async fn a_rate_comes_back_evenly(counters: impl Counters) {
    // Of 20 requests a second, one comes back each 50 ms.
    let (counts, clock) = (counts(&key("key"), "a=20/1s"), SystemClock::new());
    let begun = clock.monotonic();
    let mut admitted = use_up(&counters, &counts, 1).await;
    assert!(admitted >= 20);
    let wait = take(&counters, &counts, 1).await.used_up().map(|used_up| used_up.wait);
    assert!(wait.is_none_or(|wait| wait <= Duration::from_millis(50)), "{wait:?}");
    while admitted < 24 {
        admitted += u64::from(admits(&counters, &counts, 1).await);
    }
    let passed = clock.monotonic().saturating_since(begun);
    assert!(passed >= Duration::from_millis(190), "{passed:?}");
}

pub async fn what_is_left_is_known_after_each_request(counters: impl Counters) {
    let counts = counts(&key("key"), "rate=4/3600s quota=3/month");
    let fresh = take(&counters, &counts, 0).await;
    assert_eq!(fresh.left().iter().map(|left| left.remaining).collect::<Vec<_>>(), [4, 3]);
    assert!(fresh.left().iter().all(|left| left.whole_in.is_zero() && left.more_in.is_zero()));
    let is_about = |found: Duration, expected: u64| {
        let expected = Duration::from_secs(expected);
        found <= expected && found + Duration::from_secs(60) >= expected
    };
    for used in 1..=3 {
        let taken = take(&counters, &counts, 1).await;
        let [rate, quota] = taken.left() else { unreachable!() };
        assert_eq!([rate.remaining, quota.remaining], [4 - used, 3 - used]);
        assert!(is_about(rate.whole_in, used * 900) && is_about(rate.more_in, 900), "{rate:?}");
        assert!(quota.whole_in == quota.more_in && quota.whole_in > Duration::ZERO, "{quota:?}");
        assert!(taken.at() >= fresh.at());
    }
    let refused = take(&counters, &counts, 1).await;
    assert_eq!((refused.used_up().unwrap().index, refused.left()[0].remaining), (1, 1));
}
