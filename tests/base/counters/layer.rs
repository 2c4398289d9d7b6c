//! A request that waits for counters: it is served by the service that was ready for it, and is answered as by the counts of a process.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::mem;
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use support::{Body, Key, ok};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_api_key::limit_requests::{LimitRequests, Outage, ProcessCounters, ResponseFuture};
use tower_api_key::{Authenticator, LimitLayer, Owner, Principal};

use super::{Behaviour, service};
use crate::limits::{Records, limited, said, send, status, use_up, within};

/// A service that panics if it is called without having been ready.
#[derive(Default)]
struct ReadyChecked {
    ready: bool,
}

impl Clone for ReadyChecked {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Request<Body>> for ReadyChecked {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(mem::take(&mut self.ready), "called without having been ready");
        ready(Ok(Response::default()))
    }
}

/// Returns a key with this limit, and its principal.
async fn caller(limit: &str) -> (Key, Principal) {
    let key = limited(limit);
    let (authenticator, _clock) = support::build(Authenticator::builder(Records::new([&key]).backend()));
    let principal = authenticator.authenticate(key.bearer().headers()).await.unwrap();
    (key, principal)
}

fn request(key: &Key, principal: &Principal) -> Request<Body> {
    let mut request = key.bearer();
    request.extensions_mut().insert(principal.clone());
    request
}

fn counting() -> LimitLayer {
    LimitLayer::new().counters(ProcessCounters::new(), Outage::Refuse)
}

#[tokio::test]
async fn the_service_that_was_polled_is_the_one_that_is_called() {
    let (key, principal) = caller("a=2/3600s").await;
    let mut service = counting().layer(ReadyChecked::default());
    for expected in [200, 200, 429, 429] {
        let response = service.ready().await.unwrap().call(request(&key, &principal)).await.unwrap();
        assert_eq!(response.status(), expected);
    }
}

#[tokio::test]
async fn a_refused_request_gives_back_what_the_inner_service_reserved() {
    let (key, principal) = caller("a=3/3600s").await;
    let inner = ServiceBuilder::new().layer(ConcurrencyLimitLayer::new(1)).service(service_fn(ok));
    let mut service = counting().layer(inner.clone());
    let is_free = || inner.clone().poll_ready(&mut Context::from_waker(Waker::noop())).is_ready();
    for expected in [200, 200, 200, 429, 429] {
        let response = service.ready().await.unwrap().call(request(&key, &principal)).await.unwrap();
        assert_eq!(response.status(), expected);
        assert!(is_free(), "{expected}");
    }
    // A request that is dropped while it waits gives it back as well, and holds it before.
    let waiting = service.ready().await.unwrap().call(request(&key, &principal));
    assert!(!is_free());
    drop(waiting);
    assert!(is_free());
}

#[tokio::test]
async fn an_admitted_request_reaches_the_service_once_and_only_after_the_answer() {
    let key = limited("a=5/60s");
    let records = Records::new([&key]);
    let (service, _clock, counters) = service(&records, Outage::Refuse);
    assert_eq!(said(&send(&service, &key).await)[..2], [5, 4]);
    counters.set(Behaviour::Hang);
    let mut waiting = std::pin::pin!(send(&service, &key));
    for _ in 0..3 {
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(counters.asked(), 2, "each request asks once");
}

#[tokio::test]
async fn keys_without_limits_ask_no_counters() {
    let key = limited("");
    let (service, _clock, counters) = service(&Records::new([&key]), Outage::Refuse);
    counters.set(Behaviour::Fail);
    assert_eq!(status(&service, &key).await, 200);
    assert_eq!(counters.asked(), 0);
}

#[tokio::test]
async fn layers_with_the_same_counters_count_together() {
    let (key, other) = (limited("a=3/day/owner"), limited("a=3/day/owner"));
    let foreign = limited("a=3/day/owner").with(|record| record.owner = Owner::organization("other"));
    let records = Records::new(&[key.clone(), other.clone(), foreign.clone()]);
    let counters = std::sync::Arc::new(ProcessCounters::new());
    let [first, second] = ["b=10/day", "c=10/day"].map(|defaults| {
        let layer = LimitLayer::new().counters(counters.clone(), Outage::Refuse);
        let (authenticator, _clock) = support::build(Authenticator::builder(records.backend()));
        within(authenticator, layer.default_limits(defaults.parse().unwrap()))
    });
    assert_eq!(status(&first, &key).await, 200);
    assert_eq!(use_up(&second, &other).await, 2);
    assert_eq!(status(&first, &key).await, 429);
    assert_eq!(use_up(&first, &foreign).await, 3);
}

#[tokio::test]
async fn several_layers_of_one_authenticator_keep_their_counts_with_the_key() {
    let key = limited("a=3/day");
    let records = Records::new([&key]);
    let (authenticator, _clock) = support::build(Authenticator::builder(records.backend()));
    // More than an entry keeps: the last ones find their counts anew, and lose none.
    let services: Vec<_> = (0..12)
        .map(|number| {
            let layer = if number % 2 == 0 { LimitLayer::new() } else { counting() };
            within(authenticator.clone(), layer)
        })
        .collect();
    for expected in [200, 200, 200, 429] {
        for service in &services {
            assert_eq!(status(service, &key).await, expected);
        }
    }
}

#[test]
fn services_and_futures_may_be_shared_between_threads() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    fn sendable<T: Send>() {}
    #[derive(Clone)]
    struct Inner;
    shared::<LimitLayer>();
    shared::<LimitRequests<Inner>>();
    sendable::<ResponseFuture<ReadyChecked, Body>>();
}
