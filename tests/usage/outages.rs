//! A store that does not take counts costs no request anything, and no count either, until there are too many.

use std::time::Duration;

use tower_api_key::backend::BackendErrorKind;

use crate::books::Mood;
use crate::world::World;

const INTERVAL: Duration = Duration::from_secs(10);

fn world(room: usize) -> World {
    World::with(|usage| usage.flush_interval(INTERVAL).backlog(room), |authenticator| authenticator)
}

#[tokio::test(start_paused = true)]
async fn counts_of_an_outage_arrive_once_when_it_is_over() {
    for mood in [Mood::Fail, Mood::TakeAndFail, Mood::Hang, Mood::Panic] {
        let world = world(100);
        let keys = world.keys(3).await;
        world.books.set(mood);
        for _ in 0..5 {
            for key in &keys {
                world.requests(key, 2).await;
            }
            world.passes(INTERVAL).await;
        }
        assert_eq!(world.usage.flush().await.unwrap_err().kind(), BackendErrorKind::Unavailable, "{mood:?}");
        assert!((3..=6).contains(&world.usage.backlog()), "{mood:?}: {}", world.usage.backlog());

        world.books.set(Mood::Take);
        world.passes(INTERVAL * 2).await;
        for key in &keys {
            assert_eq!(world.books.of(key.id()).await, 10, "{mood:?}");
        }
        assert_eq!((world.usage.backlog(), world.usage.lost()), (0, 0), "{mood:?}");
        // And it goes on.
        world.requests(&keys[0], 1).await;
        world.usage.flush().await.unwrap();
        assert_eq!(world.books.total().await, 31, "{mood:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_request_waits_for_the_store_of_usage() {
    let world = world(100);
    let key = world.key().await;
    world.books.set(Mood::Hang);
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
    world.books.set(Mood::Take);
    world.usage.flush().await.unwrap();
    assert_eq!(world.books.total().await, 101);
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_is_given_up_loses_nothing_and_counts_nothing_twice() {
    let world = world(100);
    let key = world.key().await;
    for mood in [Mood::Hang, Mood::TakeAndFail] {
        world.requests(&key, 3).await;
        world.books.set(mood);
        let given_up = tokio::time::timeout(Duration::from_secs(1), world.usage.flush()).await;
        assert!(!matches!(given_up, Ok(Ok(()))), "{mood:?}");
    }
    world.books.set(Mood::Take);
    world.usage.flush().await.unwrap();
    assert_eq!(world.books.total().await, 6);
}

#[tokio::test(start_paused = true)]
async fn what_there_is_no_room_for_is_lost_and_told() {
    let world = world(2);
    let keys = world.keys(3).await;
    world.books.set(Mood::Fail);
    for _ in 0..2 {
        for key in &keys {
            world.requests(key, 5).await;
            // One after the other, so that it is the last one that finds no room.
            world.usage.flush().await.unwrap_err();
        }
    }
    assert_eq!(world.usage.backlog(), 2);
    let lost = world.usage.lost();
    world.books.set(Mood::Take);
    world.usage.flush().await.unwrap();
    assert_eq!(world.books.of(keys[1].id()).await, 10, "there was room for it from the start");
    assert_eq!(lost + world.books.total().await, 30, "what is not written is told");
    assert_eq!(world.books.of(keys[2].id()).await, 0);
    world.requests(&keys[2], 1).await;
    world.usage.flush().await.unwrap();
    assert_eq!((world.books.of(keys[2].id()).await, world.usage.lost()), (1, lost));
}

#[tokio::test(start_paused = true)]
async fn what_the_store_will_never_take_does_not_hold_up_the_rest() {
    let world = world(100);
    let key = world.key().await;
    world.books.set(Mood::Refuse);
    world.requests(&key, 3).await;
    assert_eq!(world.usage.flush().await.unwrap_err().kind(), BackendErrorKind::Invalid);
    assert_eq!((world.usage.backlog(), world.usage.lost()), (0, 3));
    world.books.set(Mood::Take);
    world.requests(&key, 4).await;
    world.usage.flush().await.unwrap();
    assert_eq!(world.books.total().await, 4);
}
