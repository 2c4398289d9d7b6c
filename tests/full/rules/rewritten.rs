//! Layers that rewrite the path below a router: the router keeps the path of the client, which is no longer that of the handler.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::any;
use tower::util::MapRequestLayer;
use tower::{Layer, ServiceExt};
use tower_api_key::axum::RouteRules;
use tower_api_key::rules::{Access, PathRules};
use tower_api_key::{AuthenticateLayer, RequireScopeLayer};

use super::{layer, request, scope, statuses};
use support::captured::Log;

type Rewrite = MapRequestLayer<fn(Request<Body>) -> Request<Body>>;

/// A layer that serves `/health` as `/admin/health`, as one that chooses a tenant by the host might.
fn rewrite() -> Rewrite {
    MapRequestLayer::new(|mut request| {
        *request.uri_mut() = format!("/admin{}", request.uri()).parse().unwrap();
        request
    })
}

fn routes() -> Router {
    Router::new().route("/health", any(async || "health")).route("/admin/health", any(async || "admin"))
}

fn paths(prefix: &str) -> PathRules {
    let admin = (format!("{prefix}/admin/health"), scope("admin"));
    PathRules::new([(format!("{prefix}/health"), Access::Public), admin]).unwrap()
}

fn templates(prefix: &str) -> RouteRules {
    let admin = (format!("{prefix}/admin/health"), Access::Public);
    RouteRules::new([(format!("{prefix}/health"), Access::Public), admin]).unwrap()
}

/// Returns the guarded routes, with one rule for each kind.
fn guarded(prefix: &str) -> [(Router, [u16; 3]); 3] {
    let public = layer("").public(&format!("{prefix}/health")).unwrap();
    [
        (routes().layer(layer("").rules(paths(prefix))), [401, 403, 401]),
        (routes().layer(layer("").rules(templates(prefix))), [401, 200, 401]),
        (routes().layer(public), [401, 200, 401]),
    ]
}

#[tokio::test]
async fn a_path_rewritten_below_a_router_is_never_public() {
    let below = |prefix: &str, app: Router| match prefix {
        "" => Router::new().fallback_service(rewrite().layer(app)),
        _ => Router::new().nest_service(prefix, rewrite().layer(app)),
    };
    for prefix in ["", "/v1"] {
        for (app, expected) in guarded(prefix) {
            let (log, _guard) = Log::begin();
            let app = below(prefix, app);
            for _ in 0..2 {
                assert_eq!(statuses(&app, "GET", &format!("{prefix}/health")).await, expected);
            }
            let errors = log.take("ERROR");
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].contains("put the layer that rewrites the path around"), "{}", errors[0]);
        }
    }
    // Between the router and the rules.
    let app = routes().layer(layer("admin").rules(paths(""))).layer(rewrite());
    assert_eq!(statuses(&app, "GET", "/health").await, [401, 403, 401]);
}

#[tokio::test]
async fn around_the_router_a_rewritten_path_is_judged_as_rewritten() {
    for (app, expected) in guarded("").into_iter().zip([[401, 403, 401], [200, 200, 200], [401, 200, 401]]) {
        let (log, _guard) = Log::begin();
        for (key, status) in [None, Some("test"), Some("bad")].into_iter().zip(expected) {
            let response = rewrite().layer(app.0.clone()).oneshot(request("GET", "/health", key)).await;
            assert_eq!(response.unwrap().status(), status);
        }
        assert_eq!(log.take("ERROR"), [""; 0]);
    }
}

#[tokio::test]
async fn a_path_that_was_rewritten_to_a_shorter_one_is_found() {
    let strip = || {
        MapRequestLayer::new(|mut request: Request<Body>| {
            *request.uri_mut() = request.uri().path().trim_start_matches("/old").parse().unwrap();
            request
        })
    };
    let rules = PathRules::new([("/old/admin/health", Access::Public), ("/admin/health", scope("admin"))]);
    let app = Router::new().fallback_service(strip().layer(routes().layer(layer("").rules(rules.unwrap()))));
    assert_eq!(statuses(&app, "GET", "/old/admin/health").await, [401, 403, 401]);
}

#[tokio::test]
async fn a_path_rewritten_before_a_scope_layer_is_no_longer_public() {
    for inside in [RequireScopeLayer::scope("admin").unwrap(), RequireScopeLayer::rules(paths(""))] {
        let between = layer("").public("/health").unwrap().layer(rewrite().layer(routes().layer(inside)));
        let app = Router::new().fallback_service(between);
        assert_eq!(statuses(&app, "GET", "/health").await, [401, 401, 401]);
    }
}

#[tokio::test]
async fn nesting_rewrites_nothing() {
    let inner = |authenticate: &AuthenticateLayer| {
        let root = Router::new().route("/", any(async || "root"));
        root.route("/health", any(async || "health")).layer(authenticate.clone())
    };
    let (log, _guard) = Log::begin();
    for (at, paths) in [
        ("/v1", ["/v1", "/v1/health"]),
        ("/v1/", ["/v1/", "/v1/health"]),
        ("/{tenant}", ["/acme", "/acme/health"]),
    ] {
        let authenticate = paths.iter().fold(layer(""), |layer, path| layer.public(path).unwrap());
        for app in [
            Router::new().nest(at, inner(&authenticate)),
            Router::new().nest_service(at, inner(&authenticate)),
        ] {
            for path in paths {
                let path = format!("{path}?a=b/c");
                assert_eq!(statuses(&app, "GET", &path).await, [200, 200, 200], "{path} at {at}");
            }
        }
    }
    let fallback = Router::new().fallback(async || "fallback").layer(layer("").public("/v1/page").unwrap());
    for app in [
        Router::new().nest("/v1", fallback.clone()),
        Router::new().nest("/v1", fallback.clone()).fallback(async || "outer"),
        Router::new().nest_service("/v1", fallback),
    ] {
        assert_eq!(statuses(&app, "GET", "/v1/page").await, [200, 200, 200]);
        assert_eq!(statuses(&app, "GET", "/v1/other").await, [401, 200, 401]);
    }
    let authenticate = layer("").public("/a/b/c/health").unwrap();
    let twice = Router::new().nest("/b", Router::new().nest_service("/c", inner(&authenticate)));
    let app = Router::new().nest("/a", twice);
    assert_eq!(statuses(&app, "GET", "/a/b/c/health").await, [200, 200, 200]);
    assert_eq!(log.take("ERROR"), [""; 0]);
}
