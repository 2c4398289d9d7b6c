//! Mistakes that the log names, once.

use axum::Router;
use axum::routing::get;
use tower::{Layer, ServiceExt};
use tower_api_key::axum::{RequireResourceLayer, RouteRules};
use tower_api_key::rules::{Access, PathRules, Rules};
use tower_api_key::{AuthenticateLayer, Principal, RequireScopeLayer, Requirement};

use super::{layer, request, scope, statuses};
use support::captured::Log;

/// Returns the lines of a level.
fn lines<'l>(logged: &'l [String], level: &str) -> Vec<&'l str> {
    logged.iter().map(String::as_str).filter(|line| line.starts_with(level)).collect()
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
        let (log, _guard) = Log::begin();
        for _ in 0..3 {
            let response = app.clone().oneshot(request("GET", "/a", Some("test"))).await.unwrap();
            assert_eq!(response.status(), 403);
        }
        let logged = log.lines();
        let errors = lines(&logged, "ERROR");
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
        let (log, _guard) = Log::begin();
        for path in ["/unknown", "/n/a"] {
            assert_eq!(statuses(&app, "GET", path).await, [401, 404, 401]);
        }
        let logged = log.lines();
        let warnings = lines(&logged, "WARN");
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].contains("`Router::route_layer`") && warnings[0].contains("`nest_service`"),
            "{}",
            warnings[0]
        );
        assert_eq!(lines(&logged, "ERROR"), [""; 0]);
    }
}

#[tokio::test]
async fn a_router_with_the_layer_in_its_place_logs_nothing_of_it() {
    let (log, _guard) = Log::begin();
    let app = routes().route_layer(layer("a").rules(rules()));
    assert_eq!(statuses(&app, "GET", "/a").await, [401, 200, 401]);
    assert_eq!(statuses(&app, "GET", "/unknown").await, [404, 404, 404]);
    let logged = log.lines();
    assert_eq!((lines(&logged, "WARN"), lines(&logged, "ERROR")), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_contradiction_of_public_and_rules_is_an_error_once() {
    let rules = || PathRules::new([("/a", Access::AnyKey), ("/b", Access::AnyKey)]).unwrap();
    let public = || layer("a").public("/a").unwrap().public("/b").unwrap();
    for app in [
        routes().layer(RequireScopeLayer::rules(rules())).layer(public()),
        routes().layer(public().rules(rules())),
    ] {
        let (log, _guard) = Log::begin();
        for path in ["/a", "/a", "/b"] {
            assert_eq!(statuses(&app, "GET", path).await[0], 401);
        }
        let logged = log.lines();
        let errors = lines(&logged, "ERROR");
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains("remove the path from `public`"), "{}", errors[0]);
    }
}

#[tokio::test]
async fn one_mistake_does_not_hide_another() {
    // Clones of rules share their flags.
    let rules: Rules = rules().into();
    let (inside, around) = (routes().layer(layer("a").rules(rules.clone())), layer("a").rules(rules));
    let (log, _guard) = Log::begin();
    assert_eq!(statuses(&inside, "GET", "/scanned").await, [401, 404, 401]);
    assert_eq!(log.take("WARN").len(), 1);
    let around = around.layer(routes());
    for expected in [1, 0] {
        let response = around.clone().oneshot(request("GET", "/a", Some("test"))).await.unwrap();
        assert_eq!((response.status().as_u16(), log.take("ERROR").len()), (403, expected));
    }
}

#[tokio::test]
async fn a_contradiction_names_the_rule() {
    let public = || layer("a").public_prefix("/n").unwrap();
    let by_route = || RouteRules::new([("/n/{id}", Access::AnyKey)]).unwrap();
    let by_path = PathRules::new([("POST /n/7", Access::AnyKey)]).unwrap();
    let routes = || Router::new().route("/n/{id}", get("here"));
    for (app, route) in [
        (routes().layer(public().rules(by_route())), "/n/{id}"),
        (routes().layer(RequireScopeLayer::rules(by_route())).layer(public()), "/n/{id}"),
        (routes().layer(public().rules(by_path)), "/n/7"),
    ] {
        let (log, _guard) = Log::begin();
        assert_eq!(statuses(&app, "GET", "/n/7").await[0], 401);
        let errors = log.take("ERROR");
        assert!(errors.len() == 1 && errors[0].contains(&format!("route={route:?}")), "{errors:?}");
    }
}

#[tokio::test]
async fn a_missing_layer_is_an_error_once_for_each_scope_layer() {
    let (log, _guard) = Log::begin();
    for _ in 0..2 {
        let app = routes().layer(layer("a")).layer(RequireScopeLayer::scope("a").unwrap());
        for expected in [1, 0, 0] {
            assert_eq!(super::send(&app, request("GET", "/a", None)).await.status(), 500);
            assert_eq!(log.take("ERROR").len(), expected);
        }
    }
}

#[tokio::test]
async fn a_rejection_is_logged_with_the_template_and_the_resource_and_no_text_of_a_client() {
    let needed = Requirement::all_of(["a"]).unwrap();
    let app = Router::new()
        .route("/n/{id}", get("here"))
        .route("/o/{organization}", get("here").route_layer(RequireResourceLayer::new(needed)))
        .layer(
            layer("").rules(
                RouteRules::new([("POST /n/{id}", Access::AnyKey), ("/o/{organization}", Access::AnyKey)])
                    .unwrap(),
            ),
        );
    let (log, _guard) = Log::begin();
    for (path, reason) in [
        (
            "/n/sent-by-a-client",
            r#"reason="forbidden" key_id=key_test resource="undeclared" route="/n/{id}""#,
        ),
        (
            "/o/sent-by-a-client",
            r#"reason="forbidden" key_id=key_test resource="organization" route="/o/{organization}""#,
        ),
        ("/o/test", r#"reason="missing_scope" key_id=key_test route="/o/{organization}""#),
        ("/sent-by-a-client", r#"reason="no_route" key_id=key_test"#),
    ] {
        super::send(&app, request("GET", path, Some("test"))).await;
        let lines = log.take("INFO");
        assert!(lines.len() == 1 && lines[0].ends_with(reason), "{lines:?}");
    }
}

#[tokio::test]
async fn a_rejection_of_an_extractor_is_logged_with_the_template() {
    let app = Router::new()
        .route("/n/{id}", get(async |principal: Principal| principal.key_id().to_string()))
        .layer(layer("").optional());
    let (log, _guard) = Log::begin();
    assert_eq!(super::send(&app, request("GET", "/n/sent-by-a-client", None)).await.status(), 401);
    let lines = log.take("INFO");
    assert!(lines.len() == 1 && lines[0].ends_with(r#"reason="missing" route="/n/{id}""#), "{lines:?}");
}

#[tokio::test]
async fn the_404_of_a_caller_closes_the_connection_if_a_large_body_is_left_unread() {
    let app = routes().layer(layer("a").rules(rules()));
    for (length, closes) in [("8192", false), ("8193", true)] {
        let mut request = request("POST", "/unknown", Some("test"));
        request.headers_mut().insert("content-length", length.parse().unwrap());
        let response = super::send(&app, request).await;
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers().contains_key("connection"), closes, "{length} bytes");
    }
}

#[tokio::test]
async fn the_404_of_a_caller_is_private() {
    for app in [
        routes().layer(layer("a").rules(rules())),
        routes().layer(RequireScopeLayer::rules(rules())).layer(layer("a")),
    ] {
        let response = super::send(&app, request("GET", "/unknown", Some("test"))).await;
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["cache-control"], "private");
        assert_eq!(response.headers()["vary"], "authorization, x-api-key");
    }
}
