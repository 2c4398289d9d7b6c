//! The times at which counts are written, and the task that writes them.

use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tower_api_key::clock::{Clock, Day};
use tower_api_key::{Authenticator, Timestamp};

use crate::usage::world::{World, settle};
use support::START;

const INTERVAL: Duration = Duration::from_secs(10);

fn world() -> World {
    World::with(|usage| usage.flush_interval(INTERVAL), |authenticator| authenticator)
}

#[tokio::test(start_paused = true)]
async fn counts_are_written_at_intervals() {
    let world = world();
    let key = world.key().await;
    for round in 1..=3 {
        world.requests(&key, 2).await;
        world.passes(INTERVAL - Duration::from_millis(1)).await;
        assert_eq!(world.usage_store.total().await, 2 * (round - 1), "before the interval is over");
        world.passes(Duration::from_millis(2)).await;
        assert_eq!(world.usage_store.total().await, 2 * round);
    }
}

#[tokio::test(start_paused = true)]
async fn a_count_belongs_to_the_day_on_which_it_was_made() {
    let world = world();
    let key = world.key().await;
    let today = Day::from(START);
    let midnight = today.plus(1).start();
    world.clock.set_wall(midnight.saturating_sub(Duration::from_secs(3)));
    world.requests(&key, 2).await;
    world.passes(Duration::from_secs(2)).await;
    world.requests(&key, 3).await;
    world.passes(Duration::from_secs(1)).await;
    assert_eq!(world.clock.wall(), midnight);
    // The five of one day are written long before the interval is over.
    assert_eq!(world.usage_store.total().await, 5);
    world.requests(&key, 7).await;
    world.usage.flush().await.unwrap();
    let days: Vec<_> = world.usage_store.all().await.iter().map(|line| (line.day, line.requests)).collect();
    assert_eq!(days, [(today, 5), (today.plus(1), 7)]);
}

#[tokio::test(start_paused = true)]
async fn a_flusher_runs_only_while_a_meter_has_something_to_count() {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let world = world();
    let key = world.key().await;
    let unmetered = Authenticator::builder(world.keys.clone()).build().unwrap();
    assert!(unmetered.authenticate(key.bearer().headers()).await.is_ok());
    settle().await;
    assert_eq!(tasks(), 0, "without a meter");
    world.requests(&key, 3).await;
    settle().await;
    assert_eq!(tasks(), 1);
    world.passes(INTERVAL).await;
    assert_eq!(tasks(), 1);
    drop(world);
    tokio::time::advance(INTERVAL).await;
    settle().await;
    assert_eq!(tasks(), 0);
}

#[test]
fn counts_survive_the_end_of_a_runtime_and_the_lack_of_one() {
    let runtime = || Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let world = world();
    let first = runtime();
    let key = first.block_on(async {
        let key = world.key().await;
        world.requests(&key, 2).await;
        settle().await;
        key
    });
    drop(first);
    // A cached key is admitted without a runtime.
    let headers = key.bearer().headers().clone();
    for _ in 0..3 {
        let mut admission = std::pin::pin!(world.authenticator.authenticate(&headers));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(admission.as_mut().poll(&mut context).is_ready());
    }
    runtime().block_on(async {
        world.requests(&key, 4).await;
        world.passes(INTERVAL).await;
        assert_eq!(world.usage_store.total().await, 9, "the flusher runs again");
    });
}

#[tokio::test(start_paused = true)]
async fn a_full_backlog_is_flushed_early() {
    let world = World::with(
        |usage| usage.flush_interval(INTERVAL).backlog(8),
        |authenticator| authenticator.positive_capacity(0),
    );
    let key = world.key().await;
    world.requests(&key, 8).await;
    settle().await;
    assert_eq!(world.usage_store.total().await, 8);
    assert_eq!(world.usage.lost(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_loses_nothing() {
    let world = world();
    let key = world.key().await;
    world.requests(&key, 2).await;
    world.clock.set_wall(Timestamp::from_unix_millis(-1));
    world.passes(INTERVAL).await;
    world.requests(&key, 2).await;
    world.usage.flush().await.unwrap();
    assert_eq!(world.usage_store.total().await, 4);
}
