//! Methods: rules for one, for all, and for none.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use axum::routing::{any, get};
use tower::util::{MapRequestLayer, ServiceExt};
use tower::{Layer, service_fn};
use tower_api_key::axum::RouteRules;
use tower_api_key::rules::{Access, PathRules};

use super::{layer, request, scope, send, statuses};

#[tokio::test]
async fn a_rule_for_a_method_precedes_that_for_all_and_get_holds_for_head() {
    let rules = RouteRules::new([
        ("/a", scope("a")),
        ("GET /a", Access::Public),
        ("HEAD /b", Access::AnyKey),
        ("GET /b", Access::Public),
        ("GET /c", Access::AnyKey),
    ]);
    let handler = || any(async || "here");
    let app = Router::new().route("/a", handler()).route("/b", handler()).route("/c", handler());
    let app = app.route_layer(layer("").rules(rules.unwrap()));
    for (method, path, expected) in [
        ("GET", "/a", [200, 200, 200]),
        ("HEAD", "/a", [200, 200, 200]),
        ("POST", "/a", [401, 403, 401]),
        ("OPTIONS", "/a", [401, 403, 401]),
        ("BREW", "/a", [401, 403, 401]),
        ("get", "/a", [401, 403, 401]),
        ("HEAD", "/b", [401, 200, 401]),
        ("GET", "/b", [200, 200, 200]),
        ("HEAD", "/c", [401, 200, 401]),
        ("POST", "/c", [401, 403, 401]),
        ("OPTIONS", "/c", [401, 403, 401]),
    ] {
        assert_eq!(statuses(&app, method, path).await, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn a_preflight_needs_no_rule_if_the_layer_lets_preflights_pass() {
    let rules = RouteRules::new([("GET /a", scope("a"))]).unwrap();
    let preflight = || {
        let mut preflight = request("OPTIONS", "/a", None);
        preflight.headers_mut().insert("origin", "https://a.example".parse().unwrap());
        preflight.headers_mut().insert("access-control-request-method", "GET".parse().unwrap());
        preflight
    };
    let routes = || Router::new().route("/a", get("here").options(async || "preflight"));
    let app = routes().route_layer(layer("").rules(rules.clone()));
    assert_eq!(send(&app, preflight()).await.status(), 401);
    let app = routes().route_layer(layer("").rules(rules).allow_preflight());
    assert_eq!(send(&app, preflight()).await.status(), 200);
    assert_eq!(send(&app, request("OPTIONS", "/a", None)).await.status(), 401);
}

#[tokio::test]
async fn paths_without_axum_have_methods_as_well() {
    let rules = PathRules::new([("GET /a", Access::Public), ("POST /a", scope("a"))]).unwrap();
    let service = layer("a").rules(rules).layer(service_fn(|_| async {
        Ok::<_, std::convert::Infallible>(axum::response::Response::new(axum::body::Body::empty()))
    }));
    let app = Router::new().fallback_service(service);
    for (method, path, expected) in [
        ("GET", "/a", [200, 200, 200]),
        ("POST", "/a", [401, 200, 401]),
        ("DELETE", "/a", [401, 403, 401]),
        ("GET", "/a/", [401, 403, 401]),
        ("GET", "/a%2f", [401, 403, 401]),
        ("GET", "//a", [401, 403, 401]),
        ("GET", "/%61", [401, 403, 401]),
        ("GET", "/a?b=c", [200, 200, 200]),
    ] {
        assert_eq!(statuses(&app, method, path).await, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn a_method_changed_around_the_router_is_judged_as_changed() {
    let change = MapRequestLayer::new(|mut request: Request<Body>| {
        if request.headers().contains_key("x-delete") {
            *request.method_mut() = Method::DELETE;
        }
        request
    });
    let routes = || Router::new().route("/a", get(async || "a").delete(async || "deleted"));
    let by_route = RouteRules::new([("GET /a", Access::Public), ("DELETE /a", scope("a"))]).unwrap();
    let by_path = PathRules::new([("GET /a", Access::Public), ("DELETE /a", scope("a"))]).unwrap();
    for app in [routes().layer(layer("").rules(by_route)), routes().layer(layer("").rules(by_path))] {
        for (method, is_changed, status) in [("GET", false, 200), ("GET", true, 401), ("DELETE", false, 401)]
        {
            let mut request = request(method, "/a", None);
            if is_changed {
                request.headers_mut().insert("x-delete", "1".parse().unwrap());
            }
            let response = change.clone().layer(app.clone()).oneshot(request).await.unwrap();
            assert_eq!(response.status(), status, "{method} {is_changed}");
        }
    }
}
