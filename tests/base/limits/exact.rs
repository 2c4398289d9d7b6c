//! Exactly as many requests are admitted as the limits allow, by many tasks at once, and whatever happens to the key's entry meanwhile.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use support::Key;
use tower_api_key::{Authenticator, LimitLayer, Owner, Scopes};

use super::{Records, Service, limited, status, use_up, within};

const TASKS: u64 = 16;

/// The requests of all tasks, a multiple of 200. `LIMIT_REQUESTS` sets another number.
fn requests() -> u64 {
    env::var("LIMIT_REQUESTS").map_or(100_000, |text| text.parse().unwrap())
}

/// Sends requests from 16 tasks, with 64 by each key in turn, and returns how many were admitted. `between` runs before each request, with
/// its number.
async fn storm(service: &Service, keys: &[Key], between: impl Fn(u64) + Send + Sync + 'static) -> u64 {
    let (next, admitted, between) =
        (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)), Arc::new(between));
    let keys: Arc<[Key]> = keys.into();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (service, keys) = (service.clone(), Arc::clone(&keys));
            let (next, admitted, between) = (Arc::clone(&next), Arc::clone(&admitted), Arc::clone(&between));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= requests() {
                        return;
                    }
                    between(number);
                    match status(&service, &keys[(number / 64) as usize % keys.len()]).await {
                        200 => _ = admitted.fetch_add(1, Ordering::Relaxed),
                        // If the key changed during each of four reads, 503.
                        429 | 503 => {}
                        other => panic!("{other}"),
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    admitted.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_are_admitted_exactly_as_often_as_a_rate_allows_while_time_passes() {
    let key = limited("burst=1000/1000s");
    let records = Records::new([&key]);
    let (service, clock) = super::service(&records, LimitLayer::new());
    // From the first request on, the allowance is never whole: the tasks ask for more than comes back.
    assert_eq!(status(&service, &key).await, 200);
    let moved = Arc::clone(&clock);
    let admitted = storm(&service, std::slice::from_ref(&key), move |number| {
        if number % 500 == 0 {
            moved.advance(Duration::from_millis(500));
        }
    })
    .await;
    let came_back = requests().div_ceil(500) / 2;
    assert_eq!(1 + admitted + use_up(&service, &key).await, 1_000 + came_back);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_count_is_lost_while_the_key_is_read_again_evicted_and_changed() {
    let owned = |limits: &str| limited(limits).with(|record| record.owner = Owner::organization("other"));
    let key = limited("burst=1000/1000s daily=1500/day");
    // Of another owner, in the way of the first one: the cache has room for one entry.
    let other = owned("burst=500/1000s");
    let records = Records::new(&[key.clone(), other.clone()]);
    let builder = Authenticator::builder(records.backend()).positive_capacity(1);
    let (authenticator, clock) = support::build(builder);
    let service = within(authenticator, LimitLayer::new());
    let keys = [key.clone(), other.clone()];
    let (moved, changed, half) = (Arc::clone(&clock), key.clone(), requests() / 2);
    let admitted = storm(&service, &keys, move |number| {
        // In all, longer than the time to live of an entry.
        if number >= half && number % (half / 100) == 0 {
            moved.advance(Duration::from_secs(1));
        }
        if number % 97 == 0 {
            records.change(&changed, |record| {
                record.name = format!("name {number}").into();
                record.scopes = Scopes::parse(&format!("s{number}")).unwrap();
            });
        }
    })
    .await;
    assert_eq!(admitted, 1_000 + 100 + 500 + 50);
    clock.advance(Duration::from_secs(400));
    assert_eq!([use_up(&service, &key).await, use_up(&service, &other).await], [400, 200], "1500 in all");
    clock.advance(Duration::from_secs(1_000));
    assert_eq!([use_up(&service, &key).await, use_up(&service, &other).await], [0, 500]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_limits_all_are_spent_or_none_by_many_tasks() {
    // Keys of one owner, each with a limit of its own, which is spent first, and then that of all.
    let limits = "own=400/day shared=1000/day/owner";
    let keys: Vec<Key> = (0..4).map(|_| limited(limits)).collect();
    let records = Records::new(&keys);
    let (service, _clock) = super::service(&records, LimitLayer::new());
    assert_eq!(storm(&service, &keys, |_| {}).await, 1_000);
    let mut own = 0;
    for key in &keys {
        records.change(key, |record| record.limits = "own=400/day".parse().unwrap());
        own += use_up(&service, key).await;
    }
    assert_eq!(own, 4 * 400 - 1_000, "refused requests took nothing from the limits of the keys");
}
