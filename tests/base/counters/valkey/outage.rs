//! A server that is killed, started again, or frozen, behind the layer.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderValue, Method, Version};
use support::Key;
use tokio::task::JoinSet;
use tower::{Layer, ServiceExt, service_fn};
use tower_api_key::clock::{Clock, ManualClock, SystemClock};
use tower_api_key::limit_requests::Outage;
use tower_api_key::{AuthenticateLayer, Authenticator, LimitLayer};

use super::server::{Server, is_absent};
use crate::limits::{Records, Service, limited, send, status, within};

/// Settings by which no acknowledged write is lost.
const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// A process of a fleet, with a connection of its own.
async fn node(server: &Server, records: &Records, outage: Outage) -> (Service, Arc<ManualClock>) {
    let (authenticator, clock) = support::build(Authenticator::builder(records.backend()));
    let layer = LimitLayer::new().counters(server.counters().await, outage);
    (within(authenticator, layer), clock)
}

/// Makes requests to two nodes while the server is killed and started again, and then until all refuse them. Returns the number of those
/// that were admitted, and of those that were answered 503.
async fn admitted_over_kills(limit: &str, outage: Outage) -> (u64, u64) {
    let key = limited(limit);
    let records = Records::new([&key]);
    let mut server = Server::start(DURABLE).await;
    let nodes = [node(&server, &records, outage).await, node(&server, &records, outage).await];
    let [admitted, away] = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
    for _ in 0..3 {
        let mut requests = JoinSet::new();
        for number in 0..8 {
            let (service, key) = (nodes[number % 2].0.clone(), key.clone());
            let (admitted, away) = (Arc::clone(&admitted), Arc::clone(&away));
            requests.spawn(async move {
                for _ in 0..60 {
                    match status(&service, &key).await {
                        200 => admitted.fetch_add(1, Ordering::SeqCst),
                        429 => 0,
                        503 => away.fetch_add(1, Ordering::SeqCst),
                        other => panic!("{other}"),
                    };
                    tokio::task::yield_now().await;
                }
            });
        }
        let before = admitted.load(Ordering::SeqCst);
        while admitted.load(Ordering::SeqCst) < before + 40 && !requests.is_empty() {
            tokio::task::yield_now().await;
            if requests.try_join_next().is_some() {
                break;
            }
        }
        server.kill();
        requests.join_all().await;
        server.restart().await;
        nodes.iter().for_each(|(_, clock)| clock.advance(Duration::from_secs(1)));
    }
    // The rest of the limit.
    for (service, clock) in &nodes {
        loop {
            match status(service, &key).await {
                200 => admitted.fetch_add(1, Ordering::SeqCst),
                429 => break,
                _ => {
                    clock.advance(Duration::from_secs(1));
                    0
                }
            };
        }
    }
    (admitted.load(Ordering::SeqCst), away.load(Ordering::SeqCst))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_and_started_again_admits_no_more_than_the_limit() {
    if is_absent() {
        return;
    }
    for limit in ["a=600/month", "a=600/2678400s"] {
        let (admitted, away) = admitted_over_kills(limit, Outage::Refuse).await;
        // Those in transit at a kill may have been taken, and once more by a new connection.
        assert!((600 - 3 * 8 * 2..=600).contains(&admitted), "{limit}: {admitted}");
        assert!(away > 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_local_share_no_more_are_admitted_than_the_limit_and_the_shares() {
    if is_absent() {
        return;
    }
    let two = NonZeroU32::new(2).unwrap();
    let (admitted, away) = admitted_over_kills("a=301/month", Outage::LocalShare(two)).await;
    assert!((301..=301 + 150 + 150).contains(&admitted), "{admitted}");
    assert_eq!(away, 0);
}

#[tokio::test]
async fn a_server_that_is_away_is_an_outage_over_http_and_grpc() {
    if is_absent() {
        return;
    }
    let key = limited("a=5/day");
    let records = Records::new([&key]);
    let mut server = Server::start([]).await;
    let (authenticator, _clock) = support::build(Authenticator::builder(records.backend()));
    let limits = LimitLayer::new().counters(server.counters().await, Outage::Refuse);
    let service = AuthenticateLayer::new(authenticator).grpc().layer(limits.layer(service_fn(support::ok)));
    server.kill();
    let call = |key: &Key| {
        let mut call = key.bearer();
        (*call.method_mut(), *call.version_mut()) = (Method::POST, Version::HTTP_2);
        call.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        call
    };
    for _ in 0..3 {
        let refused = service.clone().oneshot(key.bearer()).await.unwrap();
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["retry-after"]),
            (503, &HeaderValue::from(1))
        );
        let refused = service.clone().oneshot(call(&key)).await.unwrap();
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["grpc-status"]),
            (200, &HeaderValue::from(14))
        );
    }
}

#[tokio::test]
async fn a_server_that_is_frozen_costs_one_request_a_timeout() {
    if is_absent() {
        return;
    }
    let key = limited("a=100/day");
    let records = Records::new([&key]);
    let server = Server::start([]).await;
    let (service, clock) = node(&server, &records, Outage::Refuse).await;
    assert_eq!(status(&service, &key).await, 200);
    server.signal("-STOP");
    let real = SystemClock::new();
    let begun = real.monotonic();
    assert_eq!(status(&service, &key).await, 503);
    let first = real.monotonic().saturating_since(begun);
    // 100 ms, and what a busy machine takes besides.
    assert!(first >= Duration::from_millis(90) && first < Duration::from_secs(5), "{first:?}");
    let begun = real.monotonic();
    for _ in 0..1_000 {
        assert_eq!(status(&service, &key).await, 503);
    }
    let others = real.monotonic().saturating_since(begun);
    assert!(others < 50 * Duration::from_millis(100), "a thousand took {others:?}");
    server.signal("-CONT");
    clock.advance(Duration::from_secs(1));
    let mut answered = send(&service, &key).await;
    if answered.status() == 503 {
        // By the connection that has timed out.
        clock.advance(Duration::from_secs(1));
        answered = send(&service, &key).await;
    }
    assert_eq!(answered.status(), 200);
}
