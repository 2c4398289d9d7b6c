//! Many requests, clients that hang up, and a store that fails, hangs or lags, under random schedules.
//!
//! `MODEL_SCHEDULES` sets their number.

// Layer 6 of 10: cache.

use std::env;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use shuttle::future::{block_on, spawn};
use shuttle::scheduler::{PctScheduler, RandomScheduler};

use super::*;

const CALM: Weather = Weather { slow: true, ..STILL };
const STORMY: Weather = Weather { stormy: true, ..CALM };
const LAGGING: Weather = Weather { lag: Lag::AtTimes, ..STORMY };

/// Makes a request and leaves it, as a client does that hangs up.
async fn request_and_leave(world: &World) {
    let lookup_key = world.digests.into();
    let mut reading = pin!(world.cache.read(&lookup_key));
    poll_fn(|context| {
        let _ = reading.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
}

/// Makes two consecutive requests in each of several concurrent tasks, while the key changes.
fn requests_during(world: &World, changes: impl FnOnce(&World) + Send + 'static) {
    let changer = shuttle::thread::spawn({
        let world = world.clone();
        move || changes(&world)
    });
    let leaver = spawn({
        let world = world.clone();
        async move { request_and_leave(&world).await }
    });
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let world = world.clone();
            spawn(async move {
                world.request().await;
                world.request().await;
            })
        })
        .collect();
    block_on(async {
        for task in tasks {
            task.await.expect("a request");
        }
        leaver.await.expect("a request");
        // Fills outlive their requests. At the end of a schedule, none may be dropped that waits for a lock that another holds.
        while Arc::strong_count(&world.cache.loader) > 1 {
            yield_now().await;
        }
    });
    changer.join().expect("a change");
}

/// Runs a scenario under random schedules, and with a few preemptions at random places.
fn explore(scenario: impl Fn() + Clone + Send + Sync + 'static) {
    let wanted = env::var("MODEL_SCHEDULES").ok().and_then(|number| number.parse().ok());
    let schedules = wanted.unwrap_or(2_000);
    report(run(RandomScheduler::new(schedules), scenario.clone()), "at random");
    report(run(PctScheduler::new(4, schedules), scenario), "with preemptions at random places");
}

#[test]
fn no_request_uses_a_state_older_than_an_acknowledged_change() {
    for weather in [CALM, STORMY] {
        explore(move || {
            requests_during(&World::new(VALID, weather), |world| {
                world.change(RENAMED, Invalidation::Changed(DIGEST));
                world.change(REVOKED, Invalidation::Revoked(DIGEST));
            });
        });
    }
}

#[test]
fn a_key_that_is_disabled_and_enabled_is_decided_by_nothing_older() {
    for weather in [CALM, STORMY] {
        explore(move || {
            requests_during(&World::new(VALID, weather), |world| {
                world.change_to(DISABLED);
                world.change_to(ENABLED);
                world.change_to(REVOKED);
            });
        });
    }
}

#[test]
#[should_panic(expected = "but the store is in state")]
fn the_model_notices_a_tombstone_of_a_disabled_key() {
    explore(|| {
        requests_during(&World::new(VALID, CALM), |world| {
            world.change(DISABLED, Invalidation::Revoked(DIGEST));
            world.change_to(ENABLED);
        });
    });
}

#[test]
#[should_panic(expected = "was acknowledged")]
fn the_model_notices_a_disabling_that_is_not_announced() {
    explore(|| {
        requests_during(&World::new(VALID, CALM), |world| {
            world.commit(DISABLED).for_each(drop);
            world.acknowledged.store(DISABLED, Ordering::SeqCst);
        });
    });
}

#[test]
fn a_key_that_was_created_is_known_to_every_later_request() {
    for weather in [CALM, STORMY] {
        explore(move || {
            requests_during(&World::new(ABSENT, weather), |world| {
                world.change(VALID, Invalidation::Changed(DIGEST))
            });
        });
    }
}

#[test]
fn a_change_of_everything_reaches_every_later_request() {
    for weather in [CALM, STORMY] {
        explore(move || {
            requests_during(&World::new(VALID, weather), |world| {
                world.change(RENAMED, Invalidation::Everything)
            });
        });
    }
}

#[test]
fn a_cache_that_evicts_decides_no_request_by_what_was_changed_before_it_began() {
    for weather in [CALM, STORMY] {
        explore(move || {
            let world = World::new(VALID, weather);
            let evictor = world.meanwhile(|world| (0..4).for_each(|_| world.evict()));
            requests_during(&world, |world| {
                world.change(RENAMED, Invalidation::Changed(DIGEST));
                world.change(REVOKED, Invalidation::Revoked(DIGEST));
            });
            evictor.join().expect("evictions");
        });
    }
}

#[test]
fn a_replica_that_lags_behind_a_revocation_admits_no_request() {
    explore(|| {
        requests_during(&World::new(VALID, LAGGING), |world| {
            world.change(REVOKED, Invalidation::Revoked(DIGEST))
        });
    });
}

#[test]
fn a_key_that_gets_another_digest_is_decided_by_nothing_older() {
    for weather in [CALM, STORMY, LAGGING, Weather { one_by_one: true, ..STORMY }] {
        explore(move || {
            requests_during(&World::of_two_digests(VALID | UNDER_FORMER, weather), |world| {
                let adder = world.meanwhile(|world| {
                    world.add_digest();
                    world.retire_former();
                });
                world.change_each(REVOKED);
                adder.join().expect("an addition");
            });
        });
    }
}

#[test]
fn a_key_that_is_created_under_either_digest_is_known_to_every_later_request() {
    for under in [UNDER_CURRENT, UNDER_FORMER] {
        explore(move || {
            requests_during(&World::of_two_digests(ABSENT | under, STORMY), |world| {
                world.change_each(VALID);
                world.add_digest();
            });
        });
    }
}

#[test]
#[should_panic(expected = "was acknowledged")]
fn the_model_notices_a_change_that_is_applied_before_it_is_committed() {
    explore(|| {
        requests_during(&World::new(VALID, CALM), |world| {
            world.cache.apply(Invalidation::Changed(DIGEST));
            world.commit(RENAMED).for_each(drop);
            world.acknowledged.store(RENAMED, Ordering::SeqCst);
        });
    });
}
