//! Requests are counted by route where a layer does, and no route has a text of a client.

use std::time::Duration;

use http::Request;
use tower::{ServiceBuilder, ServiceExt};
use tower_api_key::backend::{UsageBy, UsageQuery, UsageStore};
use tower_api_key::clock::Day;
use tower_api_key::error::ConfigErrorKind;
use tower_api_key::usage::UsageBuilder;
use tower_api_key::{AuthenticateLayer, CountRoutesLayer, RequireScopeLayer};

use crate::usage::faulty_store::Behaviour;
use crate::usage::world::World;
use support::{Body, Key, START, ok};

fn world(configure: impl FnOnce(UsageBuilder) -> UsageBuilder) -> World {
    World::with(|usage| configure(usage.flush_interval(Duration::from_secs(3_600))), |builder| builder)
}

/// Sends a request through the layer, with a scope inside of it that the key lacks.
async fn send(world: &World, layer: &CountRoutesLayer, key: &Key, path: &str) {
    let service = ServiceBuilder::new().layer(AuthenticateLayer::new(world.authenticator.clone()));
    let service = service.layer(layer.clone()).layer(RequireScopeLayer::scope("notes.write").unwrap());
    let mut request: Request<Body> = key.bearer();
    *request.uri_mut() = path.parse().unwrap();
    assert_eq!(service.service_fn(ok).oneshot(request).await.unwrap().status(), 403);
}

/// Returns the counted requests by route.
async fn routes(world: &World, query: impl FnOnce(UsageQuery) -> UsageQuery) -> Vec<(String, u64)> {
    let query = query(UsageQuery::new(Day::from(START), Day::from(START)).by(UsageBy::Route));
    let lines = world.keys.usage(&query).await.unwrap().into_iter();
    lines.map(|line| (line.route.expect("a route").into(), line.requests)).collect()
}

fn expect<const N: usize>(routes: [(&str, u64); N]) -> Vec<(String, u64)> {
    routes.map(|(route, requests)| (route.to_owned(), requests)).into()
}

#[tokio::test]
async fn requests_are_counted_by_named_paths_and_all_others_together() {
    let world = world(|usage| usage);
    let (key, other) = (world.key().await, world.key().await);
    let layer = CountRoutesLayer::paths(["/notes.v1.Notes/List", "/a"]).unwrap();
    for path in ["/a", "/a?q=1", "/a/", "/%61", "/", "/notes.v1.Notes/List", "/a"] {
        send(&world, &layer, &key, path).await;
    }
    send(&world, &layer, &other, "/a").await;
    world.usage.flush().await.unwrap();
    let all = expect([("/a", 4), ("/notes.v1.Notes/List", 1), ("other", 3)]);
    assert_eq!(routes(&world, |query| query).await, all);
    assert_eq!(routes(&world, |query| query.of_key(other.id().clone())).await, expect([("/a", 1)]));
    assert_eq!(world.usage_store.total().await, 8, "they are in the counts of their keys, once");
}

#[tokio::test]
async fn a_key_has_so_many_routes_between_two_flushes() {
    let world = world(|usage| usage.routes_per_key(2));
    let key = world.key().await;
    let paths = ["/a", "/b", "/c", "/d"];
    let layer = CountRoutesLayer::paths(paths).unwrap();
    for _ in 0..2 {
        for path in paths {
            send(&world, &layer, &key, path).await;
        }
    }
    world.usage.flush().await.unwrap();
    assert_eq!(routes(&world, |query| query).await, expect([("/a", 2), ("/b", 2), ("other", 4)]));
}

#[tokio::test(start_paused = true)]
async fn counts_by_route_survive_an_outage_of_the_store_and_count_once() {
    for behaviour in [Behaviour::Fail, Behaviour::AddAndFail, Behaviour::Panic] {
        let world = world(|usage| usage);
        let key = world.key().await;
        let layer = CountRoutesLayer::paths(["/a"]).unwrap();
        for _ in 0..3 {
            world.usage_store.set(behaviour);
            send(&world, &layer, &key, "/a").await;
            assert!(world.usage.flush().await.is_err());
        }
        world.usage_store.set(Behaviour::Add);
        world.usage.flush().await.unwrap();
        assert_eq!(routes(&world, |query| query).await, expect([("/a", 3)]), "{behaviour:?}");
        assert_eq!((world.usage.backlog(), world.usage.lost()), (0, 0));
    }
}

#[tokio::test]
async fn a_batch_has_few_rows_those_by_route_included() {
    let world = world(|usage| usage.routes_per_key(600));
    let paths: Vec<_> = (0..600).map(|number| format!("/{number}")).collect();
    let layer = CountRoutesLayer::paths(paths.iter().map(String::as_str)).unwrap();
    let send_to = async |key: &Key, routes: usize| {
        for path in &paths[..routes] {
            send(&world, &layer, key, path).await;
        }
    };
    send_to(&world.key().await, 600).await;
    world.usage.flush().await.unwrap();
    for key in world.keys(12).await {
        send_to(&key, 99).await;
    }
    world.usage.flush().await.unwrap();
    assert_eq!(*world.usage_store.batches.lock().unwrap(), [601, 500, 500, 200]);
    let sum = routes(&world, |query| query).await.iter().map(|(_, requests)| requests).sum::<u64>();
    assert_eq!((sum, world.usage.backlog()), (600 + 12 * 99, 0));
}

#[tokio::test(start_paused = true)]
async fn counts_by_route_take_room_in_the_backlog() {
    let world = world(|usage| usage.backlog(5));
    let keys = world.keys(3).await;
    let layer = CountRoutesLayer::paths(["/a", "/b", "/c", "/d"]).unwrap();
    world.usage_store.set(Behaviour::Fail);
    for (requests, backlog) in [
        (&[(0, "/a")][..], 2),
        (&[(1, "/a"), (1, "/b")], 5),
        // Full: a waiting count has one more route, whichever they are, and another key is not counted.
        (&[(1, "/a"), (1, "/c"), (1, "/d"), (2, "/a")], 6),
    ] {
        for (key, path) in requests {
            send(&world, &layer, &keys[*key], path).await;
        }
        world.usage.flush().await.unwrap_err();
        assert_eq!(world.usage.backlog(), backlog);
    }
    world.usage_store.set(Behaviour::Add);
    world.usage.flush().await.unwrap();
    assert_eq!(routes(&world, |query| query).await, expect([("/a", 3), ("/b", 1), ("other", 2)]));
    assert_eq!((world.usage.backlog(), world.usage.lost()), (0, 1));
}

#[tokio::test]
async fn a_layer_without_a_meter_or_a_key_lets_requests_pass() {
    let (store, key) = support::store_with_key().await;
    let layer = AuthenticateLayer::new(store).optional();
    let service = ServiceBuilder::new().layer(layer).layer(CountRoutesLayer::new()).service_fn(ok);
    for request in [key.bearer(), Request::new(Body::default())] {
        assert_eq!(service.clone().oneshot(request).await.unwrap().status(), 200);
    }
}

#[test]
fn a_path_that_is_no_route_is_an_error() {
    for path in ["", "a", "/a/{id}", "/a?b", "/a#b"] {
        let error = CountRoutesLayer::paths([path]).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Path, "{path}");
    }
}
