//! Requests that the layer admits as public, at a scope layer inside.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Uri};
use axum::middleware::map_request;
use axum::response::Response;
use axum::routing::any;
use tower::util::MapRequestLayer;
use tower::{Layer, service_fn};
use tower_api_key::axum::RouteRules;
use tower_api_key::rules::{Access, PathRules};
use tower_api_key::{Principal, RequireScopeLayer};

use super::{layer, scope, statuses};
use support::captured::Log;

fn todos() -> Router {
    Router::new().route("/todos", any(async || "todos")).route("/other", any(async || "other"))
}

const PUBLIC: [u16; 3] = [200, 200, 200];

#[tokio::test]
async fn a_public_path_passes_a_scope_layer_that_does_not_name_it() {
    for inside in [
        RequireScopeLayer::scope("a").unwrap(),
        RequireScopeLayer::by_path([("/other", scope("a"))]).unwrap(),
        RequireScopeLayer::by_path([("/todos", Access::Public)]).unwrap(),
        RequireScopeLayer::rules(RouteRules::new([("/other", scope("a"))]).unwrap()),
    ] {
        let app = todos().layer(inside).layer(layer("").public("/todos").unwrap());
        assert_eq!(statuses(&app, "GET", "/todos").await, PUBLIC);
        assert_eq!(statuses(&app, "GET", "/other").await, [401, 403, 401]);
    }
    let public = PathRules::new([("/todos", Access::Public), ("/other", Access::AnyKey)]).unwrap();
    let app = todos().layer(RequireScopeLayer::scope("a").unwrap()).layer(layer("").rules(public));
    assert_eq!(statuses(&app, "GET", "/todos").await, PUBLIC);
    assert_eq!(statuses(&app, "GET", "/other").await, [401, 403, 401]);
}

#[tokio::test]
async fn a_public_path_that_rules_name_needs_what_they_say() {
    for rule in [("/todos", scope("a")), ("/todos", Access::AnyKey), ("POST /todos", Access::Public)] {
        let rules = PathRules::new([rule]).unwrap();
        let app = todos().layer(RequireScopeLayer::rules(rules)).layer(layer("a").public("/todos").unwrap());
        assert_eq!(statuses(&app, "GET", "/todos").await, [401, 401, 401]);
    }
    // One layer knows both, and looks the key up.
    let rules = PathRules::new([("/todos", scope("a"))]).unwrap();
    let app = todos().layer(layer("a").public("/todos").unwrap().rules(rules));
    assert_eq!(statuses(&app, "GET", "/todos").await, [401, 200, 401]);
}

#[tokio::test]
async fn an_optional_request_is_not_public() {
    let app = todos().layer(RequireScopeLayer::scope("a").unwrap()).layer(layer("").optional());
    assert_eq!(statuses(&app, "GET", "/todos").await, [401, 403, 401]);
}

#[tokio::test]
async fn a_request_that_a_layer_in_between_changed_is_no_longer_public() {
    let changed = |change: fn(&mut Request<Body>)| {
        let inside = RequireScopeLayer::scope("a")
            .unwrap()
            .layer(service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty()))));
        let rewrite = MapRequestLayer::new(move |mut request: Request<Body>| {
            change(&mut request);
            request
        });
        layer("").public("/todos").unwrap().layer(rewrite.layer(inside))
    };
    for (change, status) in [
        ((|_| {}) as fn(&mut Request<Body>), 200),
        (|request| *request.method_mut() = Method::DELETE, 401),
        (|request| *request.uri_mut() = Uri::from_static("/admin"), 401),
    ] {
        let response =
            tower::ServiceExt::oneshot(changed(change), super::request("GET", "/todos", None)).await;
        assert_eq!(response.unwrap().status(), status);
    }
}

#[tokio::test]
async fn a_layer_inside_decides_again() {
    // The inner layer asks for a key, whatever the outer one calls public.
    let app = todos()
        .layer(RequireScopeLayer::scope("a").unwrap())
        .layer(layer(""))
        .layer(layer("").public("/todos").unwrap());
    assert_eq!(statuses(&app, "GET", "/todos").await, [401, 403, 401]);
    let app = todos()
        .layer(RequireScopeLayer::scope("a").unwrap())
        .layer(layer("").optional())
        .layer(layer("").public("/todos").unwrap());
    assert_eq!(statuses(&app, "GET", "/todos").await, [401, 403, 401]);
}

#[tokio::test]
async fn a_key_on_a_public_route_is_not_looked_up_and_a_forged_principal_is_removed() {
    let rules = RouteRules::new([("/todos", Access::Public)]).unwrap();
    let who = async |principal: Option<Principal>| principal.map_or("no caller", |_| "a caller");
    let forge = map_request(async |mut request: Request<Body>| {
        request.extensions_mut().insert(tower_api_key::test_util::principal(|_| {}));
        request
    });
    let app = Router::new().route("/todos", any(who)).layer(layer("").rules(rules)).layer(forge);
    for key in [None, Some("test"), Some("bad")] {
        let response = super::send(&app, super::request("GET", "/todos", key)).await;
        let body = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
        assert_eq!(body, "no caller");
    }
}

#[tokio::test]
async fn a_prefix_does_not_open_what_a_scope_layer_inside_guards() {
    let files = || Router::new().route("/files/{id}", any(async || "a file"));
    let by_prefix = || layer("a").public_prefix("/files").unwrap();
    let no_key = [401, 401, 401];
    for inside in [
        RequireScopeLayer::scope("a").unwrap(),
        RequireScopeLayer::by_path([("/other", scope("a"))]).unwrap(),
        RequireScopeLayer::rules(RouteRules::new([("/files/{name}", scope("a"))]).unwrap()),
    ] {
        let (log, _guard) = Log::begin();
        let app = files().layer(inside).layer(by_prefix());
        for path in ["/files/1", "/files/2"] {
            assert_eq!(statuses(&app, "GET", path).await, no_key);
        }
        let errors = log.take("ERROR");
        assert_eq!(errors.len(), 1, "{errors:?}");
        for part in [r#"public="/files""#, r#"route="/files/{id}""#, "`AuthenticateLayer::public`"] {
            assert!(errors[0].contains(part), "{}", errors[0]);
        }
    }
    // The exact path, or the rules inside, open it.
    let inside = || RequireScopeLayer::scope("a").unwrap();
    let app = files().layer(inside()).layer(by_prefix().public("/files/1").unwrap());
    assert_eq!(statuses(&app, "GET", "/files/1").await, PUBLIC);
    assert_eq!(statuses(&app, "GET", "/files/2").await, no_key);
    let public = RouteRules::new([("/files/{id}", Access::Public)]).unwrap();
    let app = files().layer(RequireScopeLayer::rules(public.clone())).layer(by_prefix());
    assert_eq!(statuses(&app, "GET", "/files/1").await, PUBLIC);
    let app = files().layer(inside()).layer(layer("").rules(public.clone()));
    assert_eq!(statuses(&app, "GET", "/files/1").await, PUBLIC);
}

#[tokio::test]
async fn a_public_template_does_not_open_what_an_inner_router_guards() {
    let inner = Router::new()
        .route("/files/admin", any(async || "admin"))
        .layer(RequireScopeLayer::scope("a").unwrap());
    let public = RouteRules::new([("/files/{*rest}", Access::Public)]).unwrap();
    let unchanged = MapRequestLayer::new(|request: Request<Body>| request);
    let app = Router::new()
        .route_service("/files/{*rest}", unchanged.layer(inner))
        .route_layer(layer("a").rules(public));
    let (log, _guard) = Log::begin();
    assert_eq!(statuses(&app, "GET", "/files/admin").await, [401, 401, 401]);
    let errors = log.take("ERROR");
    assert!(errors.len() == 1 && errors[0].contains(r#"public="/files/{*rest}""#), "{errors:?}");
}
