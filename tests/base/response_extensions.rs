//! What a layer outside finds in the extensions of a response: the principal, if the layer is told so, and the rejection.

use http::{Method, Request, Response, StatusCode, header};
use support::{Body, Key, START, authenticator, ok, store_with_key};
use tower::{Layer, ServiceExt, service_fn};
use tower_api_key::rules::{Access, PathRules};
use tower_api_key::{
    AuthenticateLayer, Authenticator, MemoryStore, Principal, Rejection, RequireScopeLayer, Source,
};

/// A store with a key that has the scope `notes.read`, and a layer that names its callers.
async fn layer_and_key() -> (MemoryStore, AuthenticateLayer, Key) {
    let store = MemoryStore::new();
    let key = Key::mint().scopes("notes.read").insert_into(&store).await;
    let layer = AuthenticateLayer::new(authenticator(store.clone()).0).principal_in_response();
    (store, layer, key)
}

async fn send(layer: &AuthenticateLayer, request: Request<Body>) -> Response<Body> {
    layer.layer(service_fn(ok)).oneshot(request).await.unwrap()
}

/// Returns the id of the key in the extensions, and the label of the rejection.
fn found<B>(response: &Response<B>) -> (Option<String>, Option<&str>) {
    let principal = response.extensions().get::<Principal>();
    let rejection = response.extensions().get::<Rejection>();
    (
        principal.map(|principal| principal.key_id().to_string()),
        rejection.map(|rejection| rejection.reason().label()),
    )
}

fn at(path: &str, mut request: Request<Body>) -> Request<Body> {
    *request.uri_mut() = path.parse().unwrap();
    request
}

#[tokio::test]
async fn a_response_has_no_principal_unless_the_layer_is_told_so() {
    let (store, key) = store_with_key().await;
    let response = send(&AuthenticateLayer::new(authenticator(store).0), key.bearer()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(found(&response), (None, None));
}

#[tokio::test]
async fn the_response_of_a_caller_has_its_principal_after_a_lookup_and_from_the_cache() {
    let (_, layer, key) = layer_and_key().await;
    for request in [key.bearer(), key.x_api_key()] {
        let response = send(&layer, request).await;
        assert_eq!(found(&response), (Some(key.id().to_string()), None));
        assert_eq!(response.headers()[header::CACHE_CONTROL], "private");
        assert_eq!(response.headers()[header::VARY], "authorization, x-api-key");
    }
}

#[tokio::test]
async fn the_principal_does_not_depend_on_the_headers_for_caches() {
    let (_, layer, key) = layer_and_key().await;
    let before = AuthenticateLayer::new(authenticator(MemoryStore::new()).0).leave_cache_headers();
    assert!(send(&before.principal_in_response(), Request::default()).await.headers().get("vary").is_none());
    let response = send(&layer.leave_cache_headers(), key.bearer()).await;
    assert_eq!(found(&response), (Some(key.id().to_string()), None));
    assert!(response.headers().is_empty(), "{:?}", response.headers());
}

#[tokio::test]
async fn a_rejected_request_has_the_reason_and_the_id_of_a_known_key() {
    let (store, layer, _) = layer_and_key().await;
    assert_eq!(found(&send(&layer, Request::default()).await), (None, Some("missing")));
    assert_eq!(found(&send(&layer, Key::foreign("unknown").bearer()).await), (None, Some("unknown")));
    let expired = Key::mint().with(|record| record.expires_at = Some(START)).insert_into(&store).await;
    let response = send(&layer, expired.bearer()).await;
    assert_eq!(found(&response), (None, Some("expired")));
    assert_eq!(response.extensions().get::<Rejection>().unwrap().key_id(), Some(expired.id()));
}

#[tokio::test]
async fn a_caller_that_lacks_a_scope_is_named_beside_the_reason() {
    let (_, layer, key) = layer_and_key().await;
    let expected = (Some(key.id().to_string()), Some("missing_scope"));

    let inside = RequireScopeLayer::scope("notes.write").unwrap().layer(service_fn(ok));
    let response = layer.layer(inside).oneshot(key.bearer()).await.unwrap();
    assert_eq!((response.status(), found(&response)), (StatusCode::FORBIDDEN, expected.clone()));

    let rules = || PathRules::new([("/write", Access::scope("notes.write").unwrap())]).unwrap();
    let by_rules = layer.clone().rules(rules());
    // A lookup, then the cache.
    for path in ["/write", "/write"] {
        let response = send(&by_rules, at(path, key.bearer())).await;
        assert_eq!((response.status(), found(&response)), (StatusCode::FORBIDDEN, expected.clone()));
    }
    let undeclared = send(&by_rules, at("/other", key.bearer())).await;
    assert_eq!(found(&undeclared), (Some(key.id().to_string()), Some("forbidden")));

    let (store, key) = store_with_key().await;
    let unnamed = AuthenticateLayer::new(authenticator(store).0).rules(rules());
    let response = send(&unnamed, at("/write", key.bearer())).await;
    assert_eq!(found(&response), (None, Some("missing_scope")));
}

#[tokio::test]
async fn a_request_that_passes_without_a_key_has_no_principal() {
    let (_, layer, key) = layer_and_key().await;
    let layer = layer.public("/health").unwrap().allow_preflight().optional();
    let preflight = Request::builder()
        .method(Method::OPTIONS)
        .header(header::ORIGIN, "https://example.com")
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET");
    let preflight = preflight.body(Body::default()).unwrap();
    for request in [at("/health", key.bearer()), preflight, Request::default()] {
        let response = send(&layer, request).await;
        assert_eq!((response.status(), found(&response)), (StatusCode::OK, (None, None)));
    }
}

#[tokio::test]
async fn of_two_layers_the_outer_one_names_its_caller() {
    let (_, outer, key) = layer_and_key().await;
    let (inner_store, inner_key) = store_with_key().await;
    let inner =
        Authenticator::builder(inner_store).sources([Source::header("Device-Key").unwrap()]).build().unwrap();
    let inner = AuthenticateLayer::new(inner).principal_in_response();
    let mut request = key.bearer();
    request.headers_mut().insert("device-key", inner_key.text.parse().unwrap());

    let response = outer.layer(inner.layer(service_fn(ok))).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(found(&response), (Some(key.id().to_string()), None));
}
