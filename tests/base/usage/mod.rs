//! Every admitted request is counted once, whatever happens to the cache and the store meanwhile.

mod faulty_store;
mod flushing;
mod outages;
mod outcomes;
mod routes;
mod world;

use std::env;
use std::time::Duration;

use http::Request;
use tokio::runtime::Handle;
use tower::{ServiceBuilder, ServiceExt};
use tower_api_key::backend::{KeyChange, KeyStore, KeyUpdate, UsageLine};
use tower_api_key::clock::Day;
use tower_api_key::error::ConfigErrorKind;
use tower_api_key::usage::Usage;
use tower_api_key::{AuthenticateLayer, Environment, MemoryStore, Scopes};

use support::{Body, Key, START, revocation};
use world::World;

#[tokio::test]
async fn admitted_requests_are_counted_by_key_and_environment() {
    let world = World::new();
    let live = world.key().await;
    let test = Key::mint().with(|record| record.environment = Environment::Test);
    let test = test.insert_into(&world.keys).await;
    let revoked = Key::mint().with(|record| record.revoked = Some(revocation()));
    let revoked = revoked.insert_into(&world.keys).await;
    world.requests(&live, 3).await;
    world.requests(&test, 2).await;
    assert!(!world.request(&revoked).await && !world.request(&Key::mint()).await);
    world.usage.flush().await.unwrap();

    let line = |key: &Key, environment, requests| {
        UsageLine::new(Some(key.id().clone()), Day::from(START), environment, requests)
    };
    let mut expected = [line(&live, Environment::Live, 3), line(&test, Environment::Test, 2)];
    expected.sort_by(|one, other| one.key.cmp(&other.key));
    assert_eq!(world.usage_store.all().await, expected);
    assert_eq!((world.usage.backlog(), world.usage.lost()), (0, 0));
}

#[tokio::test]
async fn a_flush_writes_the_last_use_of_a_key() {
    let world = World::new();
    let key = world.key().await;
    world.requests(&key, 2).await;
    assert_eq!(world.keys.get(key.id()).await.unwrap().unwrap().last_used_at, None);
    world.usage.flush().await.unwrap();
    assert_eq!(world.keys.get(key.id()).await.unwrap().unwrap().last_used_at, Some(START));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_of_several_threads_is_counted_while_others_flush() {
    const THREADS: usize = 4;
    const REQUESTS: usize = 5_000;
    let world = World::new();
    let keys = world.keys(2).await;
    let runtime = Handle::current();
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| scope.spawn(|| runtime.block_on(spread_requests(&world, &keys, REQUESTS))))
                .collect();
            while threads.iter().any(|thread| !thread.is_finished()) {
                runtime.block_on(world.usage.flush()).unwrap();
            }
        });
    });
    world.usage.flush().await.unwrap();
    for key in &keys {
        assert_eq!(world.usage_store.requests_of(key.id()).await, (THREADS * REQUESTS / 2) as u64);
    }
}

async fn spread_requests(world: &World, keys: &[Key], count: usize) {
    for number in 0..count {
        world.requests(&keys[number % keys.len()], 1).await;
    }
}

#[tokio::test]
async fn uses_of_evicted_entries_count() {
    for capacity in [0, 1] {
        let world = World::with(
            |usage| usage.flush_interval(Duration::from_secs(3_600)),
            |authenticator| authenticator.positive_capacity(capacity),
        );
        let keys = world.keys(50).await;
        for _ in 0..3 {
            for key in &keys {
                world.requests(key, 1).await;
            }
        }
        world.usage.flush().await.unwrap();
        for key in &keys {
            assert_eq!(world.usage_store.requests_of(key.id()).await, 3);
        }
    }
}

#[tokio::test]
async fn uses_of_replaced_or_revoked_entries_count() {
    let world = World::new();
    let key = world.key().await;
    for scopes in ["a", "b", "c"] {
        world.requests(&key, 2).await;
        let mut update = KeyUpdate::default();
        update.scopes = Some(Scopes::parse(scopes).unwrap());
        world.keys.change(KeyChange::update(key.id(), update)).await.unwrap();
    }
    world.requests(&key, 1).await;
    world.keys.change(KeyChange::revoke(key.id(), revocation())).await.unwrap();
    assert!(!world.request(&key).await);
    world.usage.flush().await.unwrap();
    assert_eq!(world.usage_store.total().await, 7);
    // The flush has not restored the key.
    assert!(!world.request(&key).await);
    assert_eq!(world.keys.get(key.id()).await.unwrap().unwrap().revoked, Some(revocation()));
}

#[tokio::test]
async fn uses_of_a_deleted_key_count_and_do_not_restore_it() {
    let world = World::new();
    let key = world.key().await;
    world.requests(&key, 2).await;
    world.keys.change(KeyChange::revoke(key.id(), revocation())).await.unwrap();
    world.keys.change(KeyChange::purge_ended(START.saturating_add(Duration::from_secs(1)))).await.unwrap();
    world.usage.flush().await.unwrap();
    assert_eq!(world.usage_store.requests_of(key.id()).await, 2);
    assert_eq!(world.keys.get(key.id()).await.unwrap(), None);
}

#[tokio::test]
async fn a_meter_counts_for_several_authenticators() {
    let (world, other) = (World::new(), World::new());
    let key = world.key().await;
    let second = tower_api_key::Authenticator::builder(world.keys.clone()).usage(world.usage.clone());
    let second = second.with_clock(world.clock.clone()).build().unwrap();
    world.requests(&key, 2).await;
    assert!(second.authenticate(key.bearer().headers()).await.is_ok());
    world.usage.flush().await.unwrap();
    assert_eq!((world.usage_store.total().await, other.usage_store.total().await), (3, 0));
}

#[tokio::test]
async fn a_request_that_passes_two_layers_of_one_authenticator_is_counted_once() {
    let world = World::new();
    let (key, other) = (world.key().await, world.key().await);
    let layer = AuthenticateLayer::new(world.authenticator.clone());
    let twice = ServiceBuilder::new().layer(layer.clone()).layer(layer.clone()).service_fn(support::ok);
    // During the first request, both layers wait for the store.
    for _ in 0..3 {
        assert_eq!(twice.clone().oneshot(key.bearer()).await.unwrap().status(), 200);
    }
    world.usage.flush().await.unwrap();
    assert_eq!(world.usage_store.requests_of(key.id()).await, 3);

    // A middleware between the layers presents another key, which counts as a use of that key.
    let text = other.text.clone();
    let exchanging =
        ServiceBuilder::new().layer(layer.clone()).map_request(move |mut request: Request<Body>| {
            let value = format!("Bearer {text}").parse().unwrap();
            request.headers_mut().insert("authorization", value);
            request
        });
    let exchanging = exchanging.layer(layer).service_fn(support::ok);
    assert_eq!(exchanging.oneshot(key.bearer()).await.unwrap().status(), 200);
    world.usage.flush().await.unwrap();
    assert_eq!(
        (world.usage_store.requests_of(key.id()).await, world.usage_store.requests_of(other.id()).await),
        (4, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_requests_count_exactly_after_an_orderly_shutdown() {
    const KEYS: usize = 1_000;
    let requests = env::var("USAGE_REQUESTS").map_or(50_000, |text| text.parse::<usize>().unwrap());
    let world = World::with(|usage| usage.flush_interval(Duration::from_millis(50)), |builder| builder);
    let keys = world.keys(KEYS).await;
    let headers: Vec<_> = keys.iter().map(|key| key.bearer().headers().clone()).collect();
    for number in 0..requests {
        let admitted = world.authenticator.authenticate(&headers[number % KEYS]).await;
        assert!(admitted.is_ok());
    }
    world.usage.flush().await.unwrap();
    let lines = world.usage_store.all().await;
    assert_eq!(lines.len(), KEYS.min(requests));
    for (number, key) in keys.iter().enumerate() {
        let expected = requests / KEYS + usize::from(number < requests % KEYS);
        assert_eq!(world.usage_store.requests_of(key.id()).await, expected as u64);
    }
}

#[test]
fn an_invalid_configuration_is_rejected_when_it_is_built() {
    let build = |interval, room| {
        let builder = Usage::builder(MemoryStore::new()).flush_interval(interval).backlog(room);
        builder.build().map(drop).map_err(|error| error.kind())
    };
    let hour = Duration::from_secs(3_600);
    assert_eq!(build(hour, 1), Ok(()));
    for (interval, room) in [(Duration::ZERO, 1), (hour + Duration::from_nanos(1), 1), (hour, 0)] {
        assert_eq!(build(interval, room), Err(ConfigErrorKind::Limit), "{interval:?}, {room}");
    }
}
