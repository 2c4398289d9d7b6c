//! What the two middlewares do to a request and its response.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use http_body_util::{BodyExt, Full};
use support::probe::{Fault, Probe};
use support::{Body, Key, authenticator, ok, request, store_with_key};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_api_key::authenticate::{Authenticate, ResponseFuture};
use tower_api_key::credential::{Scheme, Source};
use tower_api_key::reject::{Payload, RejectionBody};
use tower_api_key::require_scope::RequireScope;
use tower_api_key::{
    AuthenticateLayer, Authenticator, MemoryStore, Principal, Reason, Rejection, RequireScopeLayer,
    Requirement,
};

async fn layer_and_key() -> (AuthenticateLayer, Key) {
    let (store, key) = store_with_key().await;
    (AuthenticateLayer::new(authenticator(store).0), key)
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// An inner service that answers with the id of the principal, or `anonymous`.
async fn name(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let principal = request.extensions().get::<Principal>();
    let name = principal.map_or("anonymous".to_owned(), |principal| principal.key_id().to_string());
    Ok(Response::new(Body::from(name)))
}

#[tokio::test]
async fn an_admitted_request_carries_its_principal() {
    let (layer, key) = layer_and_key().await;
    for request in [key.bearer(), key.x_api_key()] {
        let response = layer.layer(service_fn(name)).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(text(response).await, key.id().as_str());
    }
}

/// A service that must be polled before each call, as the contract of `Service` demands.
#[derive(Default)]
struct ReadyChecked {
    ready: bool,
}

impl Clone for ReadyChecked {
    /// The readiness of a service is not that of its clone.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Request<Body>> for ReadyChecked {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without having been ready");
        std::future::ready(Ok(Response::new(Body::default())))
    }
}

#[tokio::test]
async fn the_service_that_was_polled_is_the_one_that_is_called() {
    let (layer, key) = layer_and_key().await;
    let mut service = layer.layer(ReadyChecked::default());
    for _ in 0..3 {
        // The first is a miss, the others are hits.
        assert_eq!(service.ready().await.unwrap().call(key.bearer()).await.unwrap().status(), StatusCode::OK);
        let rejected = service.ready().await.unwrap().call(Request::default()).await.unwrap();
        assert_eq!(rejected.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn an_admission_from_the_cache_clones_no_service() {
    struct Cloned(Arc<AtomicUsize>);
    impl Clone for Cloned {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, Ordering::Relaxed);
            Self(Arc::clone(&self.0))
        }
    }
    let (layer, key) = layer_and_key().await;
    let clones = Arc::new(AtomicUsize::new(0));
    let cloned = Cloned(Arc::clone(&clones));
    let mut service = layer.layer(service_fn(move |request| {
        let _ = &cloned;
        ok(request)
    }));
    for expected in [1, 1, 1] {
        let response = service.ready().await.unwrap().call(key.bearer()).await.unwrap();
        assert_eq!((response.status(), clones.load(Ordering::Relaxed)), (StatusCode::OK, expected));
    }
}

#[tokio::test]
async fn a_concurrency_limit_of_one_neither_panics_nor_deadlocks() {
    let (layer, key) = layer_and_key().await;
    let stack =
        ServiceBuilder::new().layer(layer).layer(ConcurrencyLimitLayer::new(1)).service(service_fn(ok));
    let mut service = stack.clone();
    for _ in 0..3 {
        assert_eq!(service.ready().await.unwrap().call(key.bearer()).await.unwrap().status(), StatusCode::OK);
        let rejected = service.ready().await.unwrap().call(Request::default()).await.unwrap();
        assert_eq!(rejected.status(), StatusCode::UNAUTHORIZED);
    }
    let crowd = (0..20).map(|_| tokio::spawn(stack.clone().oneshot(key.bearer())));
    for task in crowd.collect::<Vec<_>>() {
        assert_eq!(task.await.unwrap().unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_rejection_gives_back_the_permit_of_the_request() {
    let (authenticate, key) = layer_and_key().await;
    let limited = || ServiceBuilder::new().layer(ConcurrencyLimitLayer::new(1)).service(service_fn(ok));
    let mut first = authenticate.layer(limited());
    let mut second = first.clone();
    first.ready().await.unwrap().call(Request::default()).await.unwrap();
    second.ready().await.unwrap().call(key.bearer()).await.unwrap();

    let mut first = RequireScopeLayer::new(Requirement::all_of(["a"]).unwrap()).layer(limited());
    let mut second = first.clone();
    first.ready().await.unwrap().call(Request::default()).await.unwrap();
    second.ready().await.unwrap();
}

#[tokio::test]
async fn a_buffered_service_can_be_layered() {
    let (layer, key) = layer_and_key().await;
    let stack = ServiceBuilder::new().layer(layer).buffer(1).service(service_fn(ok));
    for _ in 0..3 {
        assert_eq!(stack.clone().oneshot(key.bearer()).await.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_rejected_request_never_reaches_the_inner_service() {
    let (layer, key) = layer_and_key().await;
    let unreachable =
        service_fn(|_: Request<Body>| async { Err::<Response<Body>, _>("the inner service was called") });
    let wrong = Key { text: format!("{}x", key.text), ..key.clone() };
    for request in
        [Request::default(), wrong.bearer(), request("authorization", "Bearer"), request("x-api-key", "")]
    {
        let response = layer.layer(unreachable).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(response.extensions().get::<Rejection>().is_some());
    }
}

/// A body that must not be polled.
struct Untouchable;

impl http_body::Body for Untouchable {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        panic!("the body was polled before the decision")
    }
}

#[tokio::test]
async fn the_body_is_not_polled_before_the_decision() {
    let (layer, key) = layer_and_key().await;
    let inner =
        service_fn(|_: Request<Untouchable>| async { Ok::<_, Infallible>(Response::new(Body::default())) });
    for request in [key.bearer(), Request::default()] {
        layer.layer(inner).oneshot(request.map(|_| Untouchable)).await.unwrap();
    }
}

#[tokio::test]
async fn a_principal_from_upstream_is_removed() {
    let (layer, key) = layer_and_key().await;
    let (other_layer, other_key) = layer_and_key().await;
    let stack = |outer: AuthenticateLayer| {
        ServiceBuilder::new()
            .layer(outer)
            // Between the two layers the credential is exchanged.
            .map_request({
                let key = key.clone();
                move |mut request: Request<Body>| {
                    if request.headers_mut().remove("x-exchange").is_some() {
                        *request.headers_mut() = key.bearer().headers().clone();
                    }
                    request
                }
            })
            .layer(layer.clone().public("/open").unwrap())
            .service(service_fn(name))
    };
    let mut exchanged = other_key.bearer();
    exchanged.headers_mut().insert("x-exchange", header::HeaderValue::from_static("1"));
    let response = stack(other_layer.clone()).oneshot(exchanged).await.unwrap();
    assert_eq!(text(response).await, key.id().as_str());

    let mut open = other_key.bearer();
    *open.uri_mut() = "/open".parse().unwrap();
    assert_eq!(text(stack(other_layer).oneshot(open).await.unwrap()).await, "anonymous");
}

#[tokio::test]
async fn credentials_are_marked_sensitive_and_stripped_on_request() {
    let (store, key) = store_with_key().await;
    let sources = [Source::bearer(), Source::x_api_key()];
    let authenticator = Authenticator::builder(store).sources(sources).build().unwrap();
    let layer = AuthenticateLayer::new(authenticator);
    let headers = service_fn(|request: Request<Body>| async move {
        Ok::<_, Infallible>(Response::new(Body::from(format!("{:?}", request.headers()))))
    });
    for request in [key.bearer(), key.x_api_key()] {
        let seen = text(layer.layer(headers).oneshot(request).await.unwrap()).await;
        assert!(seen.contains("Sensitive"), "{seen}");
        assert!(!seen.contains(&key.text));
    }
    for request in [key.bearer(), key.x_api_key()] {
        assert_eq!(text(layer.clone().strip().layer(headers).oneshot(request).await.unwrap()).await, "{}");
    }
}

#[tokio::test]
async fn nothing_is_stripped_but_what_is_read_as_a_credential() {
    const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=a/b, Signature=c";
    let (layer, key) = layer_and_key().await;
    let inner = service_fn(|request: Request<Body>| async move {
        assert!(!request.headers().contains_key("x-api-key"));
        assert_eq!(request.headers()["authorization"], SIGNED);
        Ok::<_, Infallible>(Response::new(Body::default()))
    });
    let mut request = key.x_api_key();
    request.headers_mut().insert("authorization", SIGNED.parse().unwrap());
    assert_eq!(layer.clone().strip().layer(inner).oneshot(request).await.unwrap().status(), 200);

    // On a public path as well, where two of them may stand.
    let inner = service_fn(|request: Request<Body>| async move {
        let lines: Vec<_> = request.headers().get_all("authorization").iter().collect();
        assert_eq!(lines, [SIGNED]);
        Ok::<_, Infallible>(Response::new(Body::default()))
    });
    let mut request = key.bearer();
    request.headers_mut().append("authorization", SIGNED.parse().unwrap());
    let public = layer.public("/").unwrap().strip();
    assert_eq!(public.layer(inner).oneshot(request).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_credential_on_a_public_path_is_marked_sensitive_as_well() {
    let (layer, key) = layer_and_key().await;
    let inner = service_fn(|request: Request<Body>| async move {
        assert!(request.headers()["authorization"].is_sensitive());
        assert!(!request.headers()["accept"].is_sensitive());
        Ok::<_, Infallible>(Response::new(Body::default()))
    });
    let mut request = key.bearer();
    *request.uri_mut() = "/health".parse().unwrap();
    request.headers_mut().insert("accept", "*/*".parse().unwrap());
    let response = layer.public("/health").unwrap().layer(inner).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn optional_admits_requests_without_a_key_but_none_with_a_bad_key() {
    let (layer, key) = layer_and_key().await;
    let service = layer.optional().layer(service_fn(name));
    assert_eq!(text(service.clone().oneshot(Request::default()).await.unwrap()).await, "anonymous");
    assert_eq!(text(service.clone().oneshot(key.bearer()).await.unwrap()).await, key.id().as_str());
    for bad in [
        request("authorization", "Bearer bad"),
        request("authorization", "Bearer "),
        request("x-api-key", ""),
    ] {
        assert_eq!(service.clone().oneshot(bad).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_preflight_passes_only_if_asked_for_and_only_if_it_is_one() {
    let (layer, _) = layer_and_key().await;
    let preflight = |method: Method, headers: &[&str]| {
        let request = Request::builder().method(method);
        let request = headers.iter().fold(request, |request, name| request.header(*name, "x"));
        request.body(Body::default()).unwrap()
    };
    let both = ["origin", "access-control-request-method"];
    let status = async |layer: &AuthenticateLayer, request| {
        layer.layer(service_fn(ok)).oneshot(request).await.unwrap().status().as_u16()
    };
    assert_eq!(status(&layer, preflight(Method::OPTIONS, &both)).await, 401);
    let layer = layer.allow_preflight();
    assert_eq!(status(&layer, preflight(Method::OPTIONS, &both)).await, 200);
    assert_eq!(status(&layer, preflight(Method::GET, &both)).await, 401);
    assert_eq!(status(&layer, preflight(Method::OPTIONS, &both[..1])).await, 401);
    assert_eq!(status(&layer, preflight(Method::OPTIONS, &both[1..])).await, 401);
}

#[tokio::test]
async fn a_preflight_that_is_let_through_is_asked_for_no_scope() {
    let (layer, _) = layer_and_key().await;
    let scope = RequireScopeLayer::new(Requirement::all_of(["a"]).unwrap());
    let request = || {
        let request = Request::builder().method(Method::OPTIONS).header("origin", "https://a.example");
        request.header("access-control-request-method", "GET").body(Body::default()).unwrap()
    };
    let status = async |layer: AuthenticateLayer| {
        let service = layer.layer(scope.layer(service_fn(ok)));
        service.oneshot(request()).await.unwrap().status().as_u16()
    };
    assert_eq!(status(layer.clone().allow_preflight()).await, 200);
    assert_eq!(status(layer.clone().optional()).await, 401);
    assert_eq!(status(layer).await, 401);
}

#[tokio::test]
async fn an_optional_route_takes_no_broken_credential_for_none() {
    let (layer, key) = layer_and_key().await;
    for separator in ["\t", ",", ":", "/", ""] {
        let request = request("authorization", &format!("Bearer{separator}{}", key.text));
        let status = layer.clone().optional().layer(service_fn(ok)).oneshot(request).await.unwrap().status();
        // Without any separator it is another scheme, of which nothing is known here.
        assert_eq!(status, if separator.is_empty() { 200 } else { 401 }, "{separator:?}");
    }
}

#[tokio::test]
async fn a_preflight_that_became_another_request_needs_the_scopes_of_that() {
    let (layer, _) = layer_and_key().await;
    let scope = RequireScopeLayer::scope("notes.delete").unwrap();
    for (method, expected) in [("OPTIONS", 200), ("DELETE", 401)] {
        let inner = scope.layer(service_fn(ok));
        let overriding = service_fn(move |mut request: Request<Body>| {
            *request.method_mut() = method.parse().unwrap();
            inner.clone().oneshot(request)
        });
        let mut preflight = request("origin", "https://example.com");
        *preflight.method_mut() = http::Method::OPTIONS;
        preflight.headers_mut().insert("access-control-request-method", "GET".parse().unwrap());
        let response = layer.clone().allow_preflight().layer(overriding).oneshot(preflight).await.unwrap();
        assert_eq!(response.status(), expected, "{method}");
    }
}

fn vary(response: &Response<Body>) -> Vec<&str> {
    response.headers().get_all("vary").iter().map(|line| line.to_str().unwrap()).collect()
}

#[tokio::test]
async fn a_response_to_a_caller_is_private_and_names_the_headers_that_it_depends_on() {
    const BOTH: &str = "authorization, x-api-key";
    let (layer, key) = layer_and_key().await;
    for request in [key.bearer(), key.x_api_key()] {
        let response = layer.layer(service_fn(ok)).oneshot(request.clone()).await.unwrap();
        assert_eq!(response.headers()["cache-control"], "private");
        assert_eq!(vary(&response), [BOTH]);

        // What a handler has decided stays, and what it depends on itself is named in the same line.
        let decided = service_fn(|_: Request<Body>| async {
            let response = Response::builder().header("cache-control", "public, max-age=60");
            let response = response.header("vary", "accept").header("vary", "X-API-Key, Origin");
            Ok::<_, Infallible>(response.body(Body::default()).unwrap())
        });
        let response = layer.layer(decided).oneshot(request.clone()).await.unwrap();
        assert_eq!(response.headers()["cache-control"], "public, max-age=60");
        assert_eq!(vary(&response), ["accept, X-API-Key, Origin, authorization"]);

        let left_alone = layer.clone().leave_cache_headers().layer(service_fn(ok));
        let response = left_alone.oneshot(request).await.unwrap();
        assert!(response.headers().is_empty(), "{:?}", response.headers());
    }
}

#[tokio::test]
async fn a_response_without_a_caller_names_the_headers_that_could_have_brought_one() {
    let (layer, _) = layer_and_key().await;
    let anonymous = layer.clone().optional().layer(service_fn(ok));
    let response = anonymous.oneshot(Request::new(Body::default())).await.unwrap();
    assert_eq!((response.status().as_u16(), vary(&response)), (200, vec!["authorization, x-api-key"]));
    assert!(!response.headers().contains_key("cache-control"), "it depends on no caller");

    let rejected = layer.clone().layer(service_fn(ok)).oneshot(Request::new(Body::default())).await.unwrap();
    assert_eq!((rejected.status().as_u16(), vary(&rejected)), (401, vec!["authorization, x-api-key"]));
    assert_eq!(rejected.headers()["cache-control"], "no-store");

    // No credential changes what a public path answers.
    let public = layer.public("/").unwrap().layer(service_fn(ok));
    let response = public.oneshot(Request::new(Body::default())).await.unwrap();
    assert!(response.headers().is_empty(), "{:?}", response.headers());
}

#[tokio::test]
async fn a_rejection_closes_the_connection_if_a_large_body_is_left_unread() {
    let (layer, _) = layer_and_key().await;
    let connection = async |name: &str, value: &str, version| {
        let mut request = request(name, value);
        *request.version_mut() = version;
        let response = layer.layer(service_fn(ok)).oneshot(request).await.unwrap();
        response.headers().get("connection").map(|value| value.to_str().unwrap().to_owned())
    };
    use http::Version;
    assert_eq!(connection("content-length", "1048576", Version::HTTP_11).await.as_deref(), Some("close"));
    assert_eq!(connection("transfer-encoding", "chunked", Version::HTTP_11).await.as_deref(), Some("close"));
    assert_eq!(connection("content-length", "20", Version::HTTP_11).await, None);
    assert_eq!(connection("accept", "*/*", Version::HTTP_11).await, None);
    assert_eq!(connection("content-length", "1048576", Version::HTTP_2).await, None);
}

#[tokio::test]
async fn a_body_that_the_server_reads_away_leaves_the_connection_open() {
    let (layer, _) = layer_and_key().await;
    for (length, closes) in [("8192", false), ("8193", true)] {
        let request = request("content-length", length);
        let response = layer.layer(service_fn(ok)).oneshot(request).await.unwrap();
        assert_eq!(response.headers().contains_key("connection"), closes, "{length} bytes");
    }
}

#[tokio::test]
async fn a_call_is_rejected_in_its_own_protocol_if_that_is_enabled() {
    let (layer, _) = layer_and_key().await;
    let call = || {
        let mut call = request("content-type", "application/grpc-web+proto");
        *call.method_mut() = http::Method::POST;
        call
    };
    let response = layer.clone().layer(service_fn(ok)).oneshot(call()).await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers().contains_key("grpc-status")), (401, false));
    let response = layer.grpc().layer(service_fn(ok)).oneshot(call()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/grpc-web");
    assert_eq!(response.headers()["grpc-status"], "16");
    assert_eq!(response.headers()["grpc-message"], "Missing API key");
    assert_eq!(response.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn an_outage_says_when_to_come_back_unless_it_is_told_not_to() {
    for (seconds, header) in [(7, Some("7")), (0, None)] {
        let down = Probe::empty();
        down.set(Fault::Unavailable("down"));
        let builder = Authenticator::builder(down).retry_after(Duration::from_secs(seconds));
        let layer = AuthenticateLayer::new(builder.build().unwrap());
        let response = layer.layer(service_fn(ok)).oneshot(Key::mint().bearer()).await.unwrap();
        assert_eq!(response.status(), 503);
        let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap());
        assert_eq!(retry_after, header);
    }
}

/// A service that is never ready.
#[derive(Clone)]
struct Busy;

impl Service<Request<Body>> for Busy {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Pending
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        panic!("called though it is not ready")
    }
}

#[tokio::test]
async fn a_service_is_as_ready_as_the_one_inside() {
    let (layer, _) = layer_and_key().await;
    let requirement = Requirement::all_of(["a"]).unwrap();
    let mut context = Context::from_waker(std::task::Waker::noop());
    assert!(layer.layer(Busy).poll_ready(&mut context).is_pending());
    assert!(RequireScopeLayer::new(requirement).layer(Busy).poll_ready(&mut context).is_pending());
}

#[tokio::test]
async fn a_scope_is_required_in_the_words_of_the_authenticator() {
    let store = MemoryStore::new();
    let key = Key::mint().scopes("notes.read").insert_into(&store).await;
    let authenticator = Authenticator::builder(store)
        .realm("notes")
        .respond(|rejection: &Rejection| Payload::json(format!("[{}]", rejection.reason().status().as_u16())))
        .build()
        .unwrap();
    let stack = |scope: &str| {
        ServiceBuilder::new()
            .layer(AuthenticateLayer::new(authenticator.clone()).optional())
            .layer(RequireScopeLayer::new(Requirement::all_of([scope]).unwrap()))
            .service(service_fn(ok))
    };
    assert_eq!(stack("notes.read").oneshot(key.bearer()).await.unwrap().status(), StatusCode::OK);

    let response = stack("notes.write").oneshot(key.bearer()).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let expected = r#"Bearer realm="notes", error="insufficient_scope", scope="notes.write""#;
    assert_eq!(response.headers()["www-authenticate"], expected);
    let rejection = response.extensions().get::<Rejection>().unwrap();
    assert_eq!((rejection.key_id(), rejection.scheme()), (Some(key.id()), Some(&Scheme::Bearer)));
    assert_eq!(text(response).await, "[403]");

    let response = stack("notes.read").oneshot(Request::default()).await.unwrap();
    assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="notes""#);
    assert_eq!(text(response).await, "[401]");
}

#[tokio::test]
async fn a_scope_that_is_declared_to_imply_all_others_does() {
    let store = MemoryStore::new();
    let key = Key::mint().scopes("admin").insert_into(&store).await;
    let layer = RequireScopeLayer::new(Requirement::all_of(["notes.read"]).unwrap());
    for (admin, status) in [(None, StatusCode::FORBIDDEN), (Some("admin"), StatusCode::OK)] {
        let builder = Authenticator::builder(store.clone());
        let builder = match admin {
            Some(scope) => builder.admin_scope(scope),
            None => builder,
        };
        let outer = AuthenticateLayer::new(builder.build().unwrap());
        let service = outer.layer(layer.layer(service_fn(ok)));
        assert_eq!(service.oneshot(key.bearer()).await.unwrap().status(), status, "{admin:?}");
    }
}

#[tokio::test]
async fn a_path_without_a_declared_scope_is_forbidden() {
    let store = MemoryStore::new();
    let key = Key::mint().scopes("*").insert_into(&store).await;
    let rules = [("/a", Requirement::all_of(["a"]).unwrap())];
    let layer = RequireScopeLayer::by_path(rules).unwrap();
    let service = AuthenticateLayer::new(authenticator(store).0).layer(layer.layer(service_fn(ok)));
    for (path, status) in [("/a", 200), ("/b", 403), ("/a/", 403), ("/", 403)] {
        let mut request = key.bearer();
        *request.uri_mut() = path.parse().unwrap();
        assert_eq!(service.clone().oneshot(request).await.unwrap().status().as_u16(), status, "{path}");
    }
    let twice = [("/a", Requirement::all_of(["a"]).unwrap()), ("/a", Requirement::all_of(["b"]).unwrap())];
    assert!(RequireScopeLayer::by_path(twice).is_err());
    assert!(RequireScopeLayer::by_path([("a", Requirement::all_of(["a"]).unwrap())]).is_err());
}

#[tokio::test]
async fn without_the_outer_layer_a_scope_is_a_mistake_of_the_service() {
    let layer = RequireScopeLayer::new(Requirement::all_of(["a"]).unwrap());
    let response = layer.layer(service_fn(ok)).oneshot(Request::default()).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.extensions().get::<Rejection>().unwrap().reason(), &Reason::NotAuthenticated);
}

#[tokio::test]
async fn every_kind_of_body_can_carry_a_rejection() {
    async fn reject<B>(layer: &AuthenticateLayer) -> String
    where
        B: RejectionBody + http_body::Body<Data = Bytes, Error: std::fmt::Debug> + Send + 'static,
    {
        let inner = service_fn(|_: Request<Body>| async { Err::<Response<B>, _>("called") });
        let response = layer.layer(inner).oneshot(Request::default()).await.unwrap();
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }
    let (layer, _) = layer_and_key().await;
    let expected = r#"{"detail":"Missing API key"}"#;
    assert_eq!(reject::<Full<Bytes>>(&layer).await, expected);
    assert_eq!(reject::<BoxBody<Bytes, std::io::Error>>(&layer).await, expected);
    assert_eq!(reject::<UnsyncBoxBody<Bytes, std::io::Error>>(&layer).await, expected);
    #[cfg(feature = "axum")]
    assert_eq!(reject::<axum::body::Body>(&layer).await, expected);
    #[cfg(feature = "tonic")]
    assert_eq!(reject::<tonic::body::Body>(&layer).await, expected);
}

#[tokio::test]
async fn a_slow_look_up_does_not_block_the_task_that_polls() {
    let (layer, key) = layer_and_key().await;
    let called = Arc::new(AtomicBool::new(false));
    let inner = {
        let called = Arc::clone(&called);
        service_fn(move |_: Request<Body>| {
            called.store(true, Ordering::SeqCst);
            async { Ok::<_, Infallible>(Response::new(Body::default())) }
        })
    };
    let mut service = layer.layer(inner);
    let miss = service.ready().await.unwrap().call(key.bearer());
    assert!(!called.load(Ordering::SeqCst), "a miss waits for the store");
    miss.await.unwrap();
    assert!(called.swap(false, Ordering::SeqCst));
    let hit = service.ready().await.unwrap().call(key.bearer());
    assert!(called.load(Ordering::SeqCst), "a hit is decided within the call");
    hit.await.unwrap();
}

#[test]
fn layers_services_and_futures_may_be_shared_between_threads() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    fn sendable<T: Send>() {}
    shared::<AuthenticateLayer>();
    shared::<RequireScopeLayer>();
    shared::<Authenticate<ReadyChecked>>();
    #[derive(Clone)]
    struct Inner;
    shared::<RequireScope<Inner>>();
    sendable::<ResponseFuture<ReadyChecked, Body>>();
}
