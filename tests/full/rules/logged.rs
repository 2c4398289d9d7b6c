//! Mistakes that the log names, once.

use axum::Router;
use axum::routing::get;
use tower::{Layer, ServiceExt};
use tower_api_key::axum::RouteRules;
use tower_api_key::rules::{Access, PathRules};
use tower_api_key::{AuthenticateLayer, RequireScopeLayer};
use tracing::subscriber::DefaultGuard;

use super::{layer, request, scope, statuses};
use support::captured::Log;

fn begin() -> (Log, DefaultGuard) {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).without_time().finish();
    (log.clone(), tracing::subscriber::set_default(subscriber))
}

/// Returns the lines of a level.
fn lines(log: &Log, level: &str) -> Vec<String> {
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::trim).filter(|line| line.starts_with(level)).map(str::to_owned).collect()
}

fn rules() -> RouteRules {
    RouteRules::new([("/a", scope("a"))]).unwrap()
}

fn routes() -> Router {
    Router::new().route("/a", get("here"))
}

#[tokio::test]
async fn a_layer_outside_of_the_router_is_an_error_once() {
    let inside = RequireScopeLayer::rules(rules());
    let layers: [AuthenticateLayer; 2] = [layer("a").rules(rules()), layer("a")];
    let apps =
        [layers[0].layer(routes()).boxed_clone(), layers[1].layer(inside.layer(routes())).boxed_clone()];
    for app in apps {
        let (log, _guard) = begin();
        for _ in 0..3 {
            let response = app.clone().oneshot(request("GET", "/a", Some("test"))).await.unwrap();
            assert_eq!(response.status(), 403);
        }
        let errors = lines(&log, "ERROR");
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains("add the layer by `Router::route_layer`"), "{}", errors[0]);
        assert!(errors[0].contains("not around the router by a `ServiceBuilder`"), "{}", errors[0]);
    }
}

#[tokio::test]
async fn a_request_without_a_route_is_a_warning_once() {
    for app in [
        routes().layer(layer("a").rules(rules())),
        Router::new().nest_service("/n", routes()).layer(layer("a").rules(rules())),
    ] {
        let (log, _guard) = begin();
        for path in ["/unknown", "/n/a"] {
            assert_eq!(statuses(&app, "GET", path).await, [401, 404, 401]);
        }
        let warnings = lines(&log, "WARN");
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].contains("`Router::route_layer`") && warnings[0].contains("`nest_service`"),
            "{}",
            warnings[0]
        );
        assert_eq!(lines(&log, "ERROR"), [""; 0]);
    }
}

#[tokio::test]
async fn a_router_with_the_layer_in_its_place_logs_nothing_of_it() {
    let (log, _guard) = begin();
    let app = routes().route_layer(layer("a").rules(rules()));
    assert_eq!(statuses(&app, "GET", "/a").await, [401, 200, 401]);
    assert_eq!(statuses(&app, "GET", "/unknown").await, [404, 404, 404]);
    assert_eq!((lines(&log, "WARN"), lines(&log, "ERROR")), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_contradiction_of_public_and_rules_is_an_error_once() {
    let rules = || PathRules::new([("/a", Access::AnyKey), ("/b", Access::AnyKey)]).unwrap();
    let public = || layer("a").public("/a").unwrap().public("/b").unwrap();
    for app in [
        routes().layer(RequireScopeLayer::rules(rules())).layer(public()),
        routes().layer(public().rules(rules())),
    ] {
        let (log, _guard) = begin();
        for path in ["/a", "/a", "/b"] {
            assert_eq!(statuses(&app, "GET", path).await[0], 401);
        }
        let errors = lines(&log, "ERROR");
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains("remove the path from `public`"), "{}", errors[0]);
    }
}
