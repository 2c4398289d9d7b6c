//! The allocations of a cached admission: those of the request's extensions for the principal, and of the response's cache headers; and of a
//! rejection: those of the response's headers and extensions.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as STANDARD;
use http::{HeaderValue, Request, Response};
use support::probe::{Call, Probe};
use support::{Body, Key, authenticator, build, request, store_with_key};
use tower::{Layer, Service};
use tower_api_key::backend::BackendError;
use tower_api_key::digest::Digester;
use tower_api_key::{
    AuthenticateLayer, Authenticator, LimitLayer, MemoryStore, Owner, Rejection, RequireScopeLayer,
    Requirement, Source,
};

/// A service that does nothing.
#[derive(Clone)]
struct Idle;

impl Service<Request<Body>> for Idle {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        ready(Ok(Response::new(Body::default())))
    }
}

/// A service whose response has a header, as that of every handler.
#[derive(Clone)]
struct Typed;

impl Service<Request<Body>> for Typed {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let mut response = Response::new(Body::default());
        response.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
        ready(Ok(response))
    }
}

fn allocations(work: impl FnOnce()) -> u64 {
    let mut work = Some(work);
    measure(|| work.take().unwrap()()).count_total
}

fn call<S>(service: &mut S, request: Request<Body>)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    assert_eq!(answer(service, request).status(), 200);
}

fn answer<S>(service: &mut S, request: Request<Body>) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let mut response = pin!(service.call(request));
    match response.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => response,
        Poll::Pending => panic!("the response must be ready at once"),
    }
}

/// Adds an extension to a request, as every request in axum has one.
fn with_extension(mut request: Request<Body>) -> Request<Body> {
    request.extensions_mut().insert("something");
    request
}

/// Counts the allocations of the cache headers in a response without headers.
fn headers_of_a_response() -> u64 {
    allocations(|| {
        let mut response: Response<Body> = Response::default();
        response.headers_mut().insert("cache-control", HeaderValue::from_static("private"));
        response.headers_mut().insert("vary", HeaderValue::from_static("authorization, x-api-key"));
    })
}

#[tokio::test]
async fn a_cached_admission_allocates_only_for_the_extensions_and_the_cache_headers() {
    let (store, key) = store_with_key().await;
    let (authenticator, _clock) = authenticator(store);
    let principal = authenticator.authenticate(key.bearer().headers()).await.unwrap();
    let layer = AuthenticateLayer::new(authenticator);
    let mut without = layer.clone().leave_cache_headers().layer(Idle);
    let mut service = layer.layer(Idle);

    for request in [key.bearer(), with_extension(key.bearer()), key.x_api_key()] {
        let mut by_hand = request.clone();
        let expected = allocations(|| {
            by_hand.extensions_mut().insert(principal.clone());
        });
        assert!((1..=3).contains(&expected), "{expected}");
        let again = request.clone();
        assert_eq!(allocations(|| call(&mut without, again)), expected);
        assert_eq!(allocations(|| call(&mut service, request)), expected + headers_of_a_response());
    }
}

#[tokio::test]
async fn cache_headers_allocate_nothing_in_a_response_with_headers() {
    let (store, key) = store_with_key().await;
    let device = Source::header("device-key").unwrap();
    for sources in [vec![Source::bearer(), Source::x_api_key()], vec![device, Source::bearer()]] {
        let (authenticator, _clock) = build(Authenticator::builder(store.clone()).sources(sources));
        authenticator.authenticate(key.bearer().headers()).await.unwrap();
        let layer = AuthenticateLayer::new(authenticator);
        let mut without = layer.clone().leave_cache_headers().layer(Typed);
        let mut service = layer.layer(Typed);
        let [first, second] = [(); 2].map(|()| key.bearer());
        let expected = allocations(|| call(&mut without, first));
        assert_eq!(allocations(|| call(&mut service, second)), expected);
    }
}

#[tokio::test]
async fn a_cached_admission_under_a_former_digest_allocates_no_more() {
    let (store, key) = store_with_key().await;
    // It may not add a digest, so the key stays under the former one.
    let backend = Probe::over(store).before(async |call| match call {
        Call::Write => Err(BackendError::invalid("told to reject")),
        _ => Ok(()),
    });
    let current = Digester::hmac_sha256(b"a pepper of 32 random bytes here").unwrap();
    let builder =
        Authenticator::builder(backend.clone()).digester(current).former_digester(Digester::sha256());
    let (authenticator, _clock) = build(builder);
    let principal = authenticator.authenticate(key.bearer().headers()).await.unwrap();
    let mut service = AuthenticateLayer::new(authenticator).layer(Idle);

    let mut by_hand = key.bearer();
    let expected = allocations(|| {
        by_hand.extensions_mut().insert(principal.clone());
    });
    let request = key.bearer();
    assert_eq!(allocations(|| call(&mut service, request)), expected + headers_of_a_response());
    assert_eq!(backend.reads(), 1);
}

#[tokio::test]
async fn a_cached_admission_by_basic_allocates_no_more() {
    for email in ["ann@example.com", "\u{e4}nn@example.com"] {
        let store = MemoryStore::new();
        let owner = Owner::user(email, []);
        let key = Key::mint().with(|record| record.owner = owner).insert_into(&store).await;
        let (authenticator, _clock) = build(Authenticator::builder(store).sources([Source::basic()]));
        let pair = format!("{}:{}", email.to_ascii_uppercase(), key.text);
        let basic = || request("authorization", &format!("Basic {}", STANDARD.encode(&pair)));
        let principal = authenticator.authenticate(basic().headers()).await.unwrap();
        let mut service = AuthenticateLayer::new(authenticator).layer(Idle);

        let mut by_hand = basic();
        let expected = allocations(|| {
            by_hand.extensions_mut().insert(principal.clone());
        });
        let request = basic();
        assert_eq!(
            allocations(|| call(&mut service, request)),
            expected + headers_of_a_response(),
            "{email}"
        );
    }
}

#[tokio::test]
async fn a_scope_is_checked_without_an_allocation() {
    let store = MemoryStore::new();
    let key = Key::mint().scopes("export.read notes.*").insert_into(&store).await;
    let (authenticator, _clock) = authenticator(store);
    let principal = authenticator.authenticate(key.bearer().headers()).await.unwrap();
    let requirement = Requirement::any_of(["webhook.write", "notes.write"]).unwrap();
    let mut service = RequireScopeLayer::new(requirement).layer(Idle);

    let mut request = key.bearer();
    request.extensions_mut().insert(principal);
    assert_eq!(allocations(|| call(&mut service, request)), 0);
}

#[tokio::test]
async fn a_request_is_counted_without_an_allocation() {
    let store = MemoryStore::new();
    let key = Key::mint().with(|record| {
        record.limits =
            "burst=100/60s hourly=1000/3600s daily=10000/day monthly=9/month/owner".parse().unwrap();
    });
    let key = key.insert_into(&store).await;
    let (authenticator, _clock) = authenticator(store);
    let principal = authenticator.authenticate(key.bearer().headers()).await.unwrap();
    let layer = LimitLayer::new().cost(|_| 2);
    let (mut counting, mut telling) = (layer.clone().without_headers().layer(Idle), layer.layer(Typed));

    let request = || {
        let mut request = key.bearer();
        request.extensions_mut().insert(principal.clone());
        request
    };
    // The first request finds the buckets.
    call(&mut counting, request());
    let requests = [request(), request()];
    assert_eq!(allocations(|| requests.into_iter().for_each(|request| call(&mut counting, request))), 0);
    let mut headers = Typed.call(request()).into_inner().unwrap();
    let of_headers = allocations(|| {
        for (name, number) in
            [("x-ratelimit-limit", 9), ("x-ratelimit-remaining", 1), ("x-ratelimit-reset", 1_800_000_000)]
        {
            headers.headers_mut().insert(name, HeaderValue::from(number));
        }
    });
    let (first, again) = (request(), request());
    let own = allocations(|| call(&mut Typed, first));
    assert!(allocations(|| call(&mut telling, again)) <= own + of_headers);
}

#[tokio::test]
async fn a_rejection_allocates_only_for_its_headers_and_its_extensions() {
    let (store, key) = store_with_key().await;
    let (authenticator, _clock) = authenticator(store);
    let mut service = AuthenticateLayer::new(authenticator).leave_cache_headers().layer(Idle);

    let mut ambiguous = key.bearer();
    ambiguous.headers_mut().insert("x-api-key", HeaderValue::from_static("abc"));
    let malformed = request("authorization", "Bearer a,b");
    for (request, status) in [(Request::default(), 401), (malformed, 401), (ambiguous, 400)] {
        // The first search of the cache allocates memory of the thread.
        answer(&mut service, request.clone());
        let mut rejected = Response::default();
        let found = allocations(|| rejected = answer(&mut service, request));
        assert_eq!(rejected.status(), status);
        let rejection = rejected.extensions().get::<Rejection>().unwrap().clone();
        let expected = allocations(|| {
            let mut copy = Response::new(());
            *copy.headers_mut() = rejected.headers().clone();
            copy.extensions_mut().insert(rejection);
        });
        assert!((5..=6).contains(&expected), "{expected}");
        assert_eq!(found, expected, "{status}");
    }
}
