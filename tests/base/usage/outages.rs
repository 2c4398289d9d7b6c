//! A usage store that fails delays no request and loses no count, until the backlog is full.

use std::time::Duration;

use tower_api_key::backend::BackendErrorKind;

use crate::usage::faulty_store::Behaviour;
use crate::usage::world::World;

const INTERVAL: Duration = Duration::from_secs(10);

fn world(room: usize) -> World {
    World::with(|usage| usage.flush_interval(INTERVAL).backlog(room), |authenticator| authenticator)
}

#[tokio::test(start_paused = true)]
async fn counts_of_an_outage_arrive_once_when_it_is_over() {
    for behaviour in [Behaviour::Fail, Behaviour::AddAndFail, Behaviour::Hang, Behaviour::Panic] {
        let world = world(100);
        let keys = world.keys(3).await;
        world.usage_store.set(behaviour);
        for _ in 0..5 {
            for key in &keys {
                world.requests(key, 2).await;
            }
            world.passes(INTERVAL).await;
        }
        assert_eq!(
            world.usage.flush().await.unwrap_err().kind(),
            BackendErrorKind::Unavailable,
            "{behaviour:?}"
        );
        assert!((3..=6).contains(&world.usage.backlog()), "{behaviour:?}: {}", world.usage.backlog());

        world.usage_store.set(Behaviour::Add);
        world.passes(INTERVAL * 2).await;
        for key in &keys {
            assert_eq!(world.usage_store.requests_of(key.id()).await, 10, "{behaviour:?}");
        }
        assert_eq!((world.usage.backlog(), world.usage.lost()), (0, 0), "{behaviour:?}");
        // Counting continues.
        world.requests(&keys[0], 1).await;
        world.usage.flush().await.unwrap();
        assert_eq!(world.usage_store.total().await, 31, "{behaviour:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_request_waits_for_the_store_of_usage() {
    let world = world(100);
    let key = world.key().await;
    world.usage_store.set(Behaviour::Hang);
    world.requests(&key, 1).await;
    world.passes(INTERVAL).await;
    let before = tokio::time::Instant::now();
    let flush = tokio::spawn({
        let usage = world.usage.clone();
        async move { usage.flush().await }
    });
    world.requests(&key, 100).await;
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(flush.await.unwrap().unwrap_err().kind(), BackendErrorKind::Unavailable);
    world.usage_store.set(Behaviour::Add);
    world.usage.flush().await.unwrap();
    assert_eq!(world.usage_store.total().await, 101);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_flush_loses_nothing_and_counts_nothing_twice() {
    let world = world(100);
    let key = world.key().await;
    for behaviour in [Behaviour::Hang, Behaviour::AddAndFail] {
        world.requests(&key, 3).await;
        world.usage_store.set(behaviour);
        let abandoned = tokio::time::timeout(Duration::from_secs(1), world.usage.flush()).await;
        assert!(!matches!(abandoned, Ok(Ok(()))), "{behaviour:?}");
    }
    world.usage_store.set(Behaviour::Add);
    world.usage.flush().await.unwrap();
    assert_eq!(world.usage_store.total().await, 6);
}

#[tokio::test(start_paused = true)]
async fn counts_beyond_the_backlog_are_lost_and_reported() {
    let world = world(2);
    let keys = world.keys(3).await;
    world.usage_store.set(Behaviour::Fail);
    for _ in 0..2 {
        for key in &keys {
            world.requests(key, 5).await;
            // Flushes after each key, so that the last key is the one without room.
            world.usage.flush().await.unwrap_err();
        }
    }
    assert_eq!(world.usage.backlog(), 2);
    let lost = world.usage.lost();
    world.usage_store.set(Behaviour::Add);
    world.usage.flush().await.unwrap();
    assert_eq!(world.usage_store.requests_of(keys[1].id()).await, 10, "it was in the backlog from the start");
    assert_eq!(lost + world.usage_store.total().await, 30, "unwritten counts are reported");
    assert_eq!(world.usage_store.requests_of(keys[2].id()).await, 0);
    world.requests(&keys[2], 1).await;
    world.usage.flush().await.unwrap();
    assert_eq!((world.usage_store.requests_of(keys[2].id()).await, world.usage.lost()), (1, lost));
}

#[tokio::test(start_paused = true)]
async fn an_invalid_batch_does_not_block_the_rest() {
    let world = world(100);
    let key = world.key().await;
    world.usage_store.set(Behaviour::Reject);
    world.requests(&key, 3).await;
    assert_eq!(world.usage.flush().await.unwrap_err().kind(), BackendErrorKind::Invalid);
    assert_eq!((world.usage.backlog(), world.usage.lost()), (0, 3));
    world.usage_store.set(Behaviour::Add);
    world.requests(&key, 4).await;
    world.usage.flush().await.unwrap();
    assert_eq!(world.usage_store.total().await, 4);
}
