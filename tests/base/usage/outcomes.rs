//! Of the requests that are counted, those are told apart that were rejected after their admission.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use tokio::runtime::Handle;
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt};
use tower_api_key::backend::{KeyChange, KeyStore, UsageBy, UsageQuery, UsageStore};
use tower_api_key::clock::Day;
use tower_api_key::limit_requests::Outage;
use tower_api_key::reject::{Forbidden, Reason};
use tower_api_key::rules::PathRules;
use tower_api_key::{AuthenticateLayer, LimitLayer, Principal, Rejection, RequireScopeLayer, Scope};

use crate::counters::{self, Away};
use crate::usage::faulty_store::Behaviour;
use crate::usage::world::World;
use support::{Body, Key, START, ok, revocation};

/// Requests, and of these the limited and the forbidden ones.
type Numbers = [u64; 3];
type Service = BoxCloneSyncService<Request<Body>, Response<Body>, std::convert::Infallible>;

const WRITE: Scope = Scope::from_static("notes.write");

/// Returns the numbers of a key over all days.
async fn numbers(world: &World, key: &Key) -> Numbers {
    let mut sum = Numbers::default();
    for line in world.usage_store.all().await.iter().filter(|line| line.key.as_ref() == Some(key.id())) {
        let line = [line.requests, line.limited, line.forbidden];
        sum.iter_mut().zip(line).for_each(|(sum, number)| *sum += number);
    }
    sum
}

async fn flushed(world: &World, key: &Key) -> Numbers {
    world.usage.flush().await.unwrap();
    numbers(world, key).await
}

async fn limited_key(world: &World, limits: &str, scopes: &str) -> Key {
    let key = Key::mint().scopes(scopes).with(|record| record.limits = limits.parse().unwrap());
    key.insert_into(&world.keys).await
}

/// Creates a service behind a limit and a scope.
fn guarded(world: &World) -> Service {
    let service = ServiceBuilder::new().layer(AuthenticateLayer::new(world.authenticator.clone()));
    let service = service.layer(LimitLayer::new()).layer(RequireScopeLayer::scope("notes.write").unwrap());
    BoxCloneSyncService::new(service.service_fn(ok))
}

/// Creates a service whose handler rejects its caller as told.
fn rejecting(
    world: &World,
    reject: impl Fn(&Principal) -> Rejection + Clone + Send + Sync + 'static,
) -> Service {
    let service = ServiceBuilder::new().layer(AuthenticateLayer::new(world.authenticator.clone()));
    BoxCloneSyncService::new(service.service_fn(move |request: Request<Body>| {
        let rejection = reject(request.extensions().get().expect("a principal"));
        async move { Ok(rejection.into_response_to(&request)) }
    }))
}

async fn status(service: &Service, key: &Key) -> StatusCode {
    service.clone().oneshot(key.bearer()).await.unwrap().status()
}

#[tokio::test]
async fn limited_and_forbidden_requests_are_counted_beside_all_requests() {
    for capacity in [1_000, 0] {
        let world = World::with(
            |usage| usage.flush_interval(Duration::from_secs(3_600)),
            |authenticator| authenticator.positive_capacity(capacity),
        );
        let writer = limited_key(&world, "burst=3/60s", "notes.write").await;
        let reader = limited_key(&world, "burst=3/60s", "notes.read").await;
        let service = guarded(&world);
        for number in 0..5 {
            let expected = if number < 3 { [200, 403] } else { [429, 429] };
            assert_eq!(status(&service, &writer).await, expected[0]);
            assert_eq!(status(&service, &reader).await, expected[1]);
        }
        assert_eq!(flushed(&world, &writer).await, [5, 2, 0]);
        assert_eq!(flushed(&world, &reader).await, [5, 2, 3]);
        let today = Day::from(START);
        let lines = world.keys.usage(&UsageQuery::new(today, today).by(UsageBy::Total)).await.unwrap();
        assert_eq!((lines.len(), lines[0].served()), (1, 3));
    }
}

#[tokio::test]
async fn requests_that_were_not_admitted_are_not_counted_as_rejected() {
    let world = World::new();
    let (key, disabled) = (world.key().await, world.key().await);
    world.requests(&key, 1).await;
    let change = KeyChange::revoke(disabled.id(), revocation());
    world.keys.change(change).await.unwrap();
    let service = guarded(&world);
    assert_eq!(status(&service, &disabled).await, 401);
    assert_eq!(status(&service, &Key::mint()).await, 401);
    world.usage.flush().await.unwrap();
    assert_eq!(world.usage_store.all().await.len(), 1);
    assert_eq!(numbers(&world, &key).await, [1, 0, 0]);
}

#[tokio::test]
async fn a_rejection_counts_once_and_only_as_a_response() {
    let world = World::new();
    let key = world.key().await;
    let twice = rejecting(&world, |caller| {
        let _dropped = caller.reject(Forbidden::Organization);
        caller.require(&WRITE).unwrap_err()
    });
    assert_eq!(status(&twice, &key).await, 403);
    assert_eq!(flushed(&world, &key).await, [1, 0, 1]);

    // Layers outside see the same response.
    let layer = AuthenticateLayer::new(world.authenticator.clone());
    let service = ServiceBuilder::new().layer(layer.clone()).layer(LimitLayer::new()).layer(layer);
    let service = service.layer(LimitLayer::new()).layer(RequireScopeLayer::new(WRITE.into()));
    assert_eq!(service.service_fn(ok).oneshot(key.bearer()).await.unwrap().status(), 403);
    assert_eq!(flushed(&world, &key).await, [2, 0, 2]);

    let rules = PathRules::new([("/other", "notes.write")]).unwrap();
    let layer = AuthenticateLayer::new(world.authenticator.clone()).rules(rules);
    let service = ServiceBuilder::new().layer(layer).service_fn(ok);
    assert_eq!(service.oneshot(key.bearer()).await.unwrap().status(), 403);
    assert_eq!(flushed(&world, &key).await, [3, 0, 3]);
}

#[tokio::test]
async fn each_rejection_of_an_admitted_caller_counts() {
    let world = World::new();
    let key = world.key().await;
    for (reason, expected) in [
        (Reason::Forbidden(Forbidden::Project), [1, 0, 1]),
        // The key ended after its admission.
        (Reason::Revoked, [2, 0, 2]),
        (Reason::Unavailable, [3, 0, 3]),
    ] {
        let service = rejecting(&world, move |caller| caller.reject(reason.clone()));
        assert!(!status(&service, &key).await.is_success());
        assert_eq!(flushed(&world, &key).await, expected);
    }
}

#[tokio::test]
async fn a_request_that_is_refused_because_the_counters_are_away_was_not_served() {
    let world = World::new();
    let key = limited_key(&world, "burst=3/60s", "").await;
    let counters = Away::new(world.clock.clone());
    counters.set(counters::Behaviour::Fail);
    let layer = LimitLayer::new().counters(counters, Outage::Refuse);
    let service =
        ServiceBuilder::new().layer(AuthenticateLayer::new(world.authenticator.clone())).layer(layer);
    let service = BoxCloneSyncService::new(service.service_fn(ok));
    assert_eq!(status(&service, &key).await, 503);
    assert_eq!(flushed(&world, &key).await, [1, 0, 1]);
}

#[tokio::test]
async fn a_rejection_after_midnight_counts_on_its_day() {
    let world = World::new();
    let key = world.key().await;
    let midnight = Day::from(START).plus(1).start();
    world.clock.set_wall(midnight.saturating_sub(Duration::from_secs(1)));
    let caller = world.authenticator.authenticate(key.bearer().headers()).await.unwrap();
    world.usage.flush().await.unwrap();
    world.clock.set_wall(midnight);
    let response: Response<Body> = caller.reject(Forbidden::Project).into();
    assert_eq!(response.status(), 403);
    world.usage.flush().await.unwrap();
    let lines = world.usage_store.all().await;
    let lines: Vec<_> =
        lines.iter().map(|line| (line.day, line.requests, line.forbidden, line.served())).collect();
    let first = Day::from(START);
    assert_eq!(lines, [(first, 1, 0, 1), (first.plus(1), 0, 1, 0)]);
}

#[tokio::test(start_paused = true)]
async fn rejections_survive_an_outage_of_the_store_and_count_once() {
    for behaviour in [Behaviour::Fail, Behaviour::AddAndFail, Behaviour::Panic] {
        let world = World::new();
        let key = limited_key(&world, "burst=2/60s", "notes.write").await;
        let service = guarded(&world);
        for _ in 0..3 {
            world.usage_store.set(behaviour);
            status(&service, &key).await;
            status(&service, &key).await;
            assert!(world.usage.flush().await.is_err());
        }
        world.usage_store.set(Behaviour::Add);
        assert_eq!(flushed(&world, &key).await, [6, 4, 0], "{behaviour:?}");
        assert_eq!((world.usage.backlog(), world.usage.lost()), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn served_limited_and_forbidden_requests_add_up_while_others_flush() {
    const THREADS: u64 = 4;
    const REQUESTS: u64 = 4_000;
    let world = World::new();
    let writer = limited_key(&world, "burst=1500/3600s", "notes.write").await;
    let reader = limited_key(&world, "burst=1500/3600s", "notes.read").await;
    let (service, seen) = (guarded(&world), [const { AtomicU64::new(0) }; 3]);
    let (runtime, service, seen) = (Handle::current(), &service, &seen);
    let send = async |key: &Key| {
        let outcome = match status(service, key).await.as_u16() {
            200 => 0,
            429 => 1,
            403 => 2,
            other => panic!("{other}"),
        };
        seen[outcome].fetch_add(1, Ordering::Relaxed);
    };
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let (runtime, send) = (&runtime, &send);
                    let key = if thread % 2 == 0 { &writer } else { &reader };
                    scope.spawn(move || {
                        runtime.block_on(async { for_each(REQUESTS, async || send(key).await).await });
                    })
                })
                .collect();
            while threads.iter().any(|thread| !thread.is_finished()) {
                let sums = runtime.block_on(flushed(&world, &reader));
                assert!(sums[1] + sums[2] <= sums[0], "more rejected than admitted: {sums:?}");
            }
        });
    });
    let [served, limited, forbidden] = seen.each_ref().map(|number| number.load(Ordering::Relaxed));
    assert_eq!((served, forbidden), (1_500, 1_500));
    let (writer, reader) = (flushed(&world, &writer).await, flushed(&world, &reader).await);
    let requests = THREADS * REQUESTS / 2;
    assert_eq!(writer, [requests, requests - 1_500, 0]);
    assert_eq!(reader, [requests, requests - 1_500, 1_500]);
    assert_eq!(served + limited + forbidden, 2 * requests);
}

async fn for_each(times: u64, each: impl AsyncFn()) {
    for _ in 0..times {
        each().await;
    }
}
