//! Places of a layer with rules by route: on the router, around it, nested, merged.

use axum::Router;
use axum::routing::{any, get};
use tower::{Layer, ServiceBuilder};
use tower_api_key::axum::RouteRules;
use tower_api_key::rules::Access;
use tower_api_key::{AuthenticateLayer, RequireScopeLayer};

use super::{layer, request, scope, send, statuses};

fn rules() -> RouteRules {
    RouteRules::new([
        ("/docs/{page}", Access::Public),
        ("/files/{*rest}", Access::Public),
        ("/whoami", Access::AnyKey),
        ("/notes/{id}", scope("notes.read")),
        ("/notes/all", scope("notes.list")),
        ("/api/notes/{id}", scope("notes.read")),
        ("/{tenant}/notes/{id}", scope("notes.read")),
        ("/elsewhere/x", Access::Public),
    ])
    .unwrap()
}

fn authenticate() -> AuthenticateLayer {
    layer("notes.read").rules(rules())
}

fn notes() -> Router {
    Router::new().route("/notes/{id}", any(async || "a note"))
}

fn routes() -> Router {
    notes()
        .route("/docs/{page}", get("a page"))
        .route("/files/{*rest}", get("a file"))
        .route("/whoami", get("a caller"))
        .route("/notes/all", get("all notes"))
        .route("/notes/{id}/", get("a note with a slash"))
        .route("/undeclared/{id}", get("undeclared"))
}

const PUBLIC: [u16; 3] = [200, 200, 200];
const KEY: [u16; 3] = [401, 200, 401];
const FORBIDDEN: [u16; 3] = [401, 403, 401];
const HIDDEN: [u16; 3] = [401, 404, 401];
const UNKNOWN: [u16; 3] = [404, 404, 404];

#[tokio::test]
async fn a_route_is_judged_by_its_template_and_an_unknown_path_is_the_routers() {
    let fallback = || async { (axum::http::StatusCode::NOT_FOUND, "no such page") };
    for app in [routes().route_layer(authenticate()), routes().fallback(fallback).route_layer(authenticate())]
    {
        for (path, expected) in [
            ("/docs/start", PUBLIC),
            ("/docs/{page}", PUBLIC),
            ("/files/a/b", PUBLIC),
            ("/whoami", KEY),
            ("/notes/7", KEY),
            ("/notes/caf%C3%A9%2F", KEY),
            ("/notes/{id}", KEY),
            ("/notes/all", FORBIDDEN),
            ("/notes/al%6c", KEY),
            ("/notes/7/", FORBIDDEN),
            ("/undeclared/7", FORBIDDEN),
            ("/notes", UNKNOWN),
            ("/docs/start/", UNKNOWN),
            ("//docs/start", UNKNOWN),
            ("/elsewhere/x", UNKNOWN),
        ] {
            assert_eq!(statuses(&app, "GET", path).await, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn a_public_template_needs_a_key_for_a_path_with_two_readings() {
    let app = routes().route_layer(authenticate());
    for path in [
        "/docs/%2e%2e",
        "/docs/a%2Fb",
        "/docs/a;b",
        "/docs/..",
        "/docs/.",
        "/files/a//b",
        "/files/../notes/7",
        "/files/%2e%2e/notes/7",
        "/files/a\\b",
        "/files/hello%20world",
    ] {
        assert_eq!(statuses(&app, "GET", path).await, KEY, "{path}");
    }
}

#[tokio::test]
async fn a_layer_by_layer_hides_the_fallback() {
    let app = routes().fallback(async || "must not be called").layer(authenticate());
    for (path, expected) in
        [("/docs/start", PUBLIC), ("/notes/7", KEY), ("/undeclared/7", FORBIDDEN), ("/unknown", HIDDEN)]
    {
        assert_eq!(statuses(&app, "GET", path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn a_layer_around_the_router_forbids_everything() {
    let around = ServiceBuilder::new().layer(authenticate()).service(routes());
    let app = Router::new().fallback_service(around);
    // The outer router has seen the request, and knows no route.
    for path in ["/docs/start", "/whoami", "/notes/7", "/unknown"] {
        assert_eq!(statuses(&app, "GET", path).await, HIDDEN, "{path}");
    }
    let around = authenticate().layer(routes());
    for path in ["/docs/start", "/whoami", "/notes/7", "/unknown"] {
        for (key, status) in [(None, 401), (Some("test"), 403), (Some("bad"), 401)] {
            let response =
                tower::ServiceExt::oneshot(around.clone(), request("GET", path, key)).await.unwrap();
            assert_eq!(response.status(), status, "{path}");
        }
    }
}

#[tokio::test]
async fn the_template_of_a_nested_router_is_the_whole_one() {
    let inner = || notes().route_layer(authenticate());
    for app in [
        Router::new().nest("/api", inner()),
        Router::new().nest_service("/api", inner()),
        Router::new().nest("/api", notes()).route_layer(authenticate()),
        Router::new().nest("/api", notes()).layer(authenticate()),
    ] {
        assert_eq!(statuses(&app, "GET", "/api/notes/7").await, KEY);
    }
    let by_parameter = Router::new().nest("/{tenant}", inner());
    assert_eq!(statuses(&by_parameter, "GET", "/acme/notes/7").await, KEY);
    let elsewhere = Router::new().nest("/elsewhere", inner());
    assert_eq!(statuses(&elsewhere, "GET", "/elsewhere/notes/7").await, FORBIDDEN);
}

#[tokio::test]
async fn a_nested_service_is_closed_for_a_layer_outside_of_it() {
    let app = Router::new().nest_service("/api", notes()).layer(authenticate());
    assert_eq!(statuses(&app, "GET", "/api/notes/7").await, HIDDEN);
    let app = Router::new().nest_service("/api", notes()).route_layer(authenticate());
    assert_eq!(statuses(&app, "GET", "/api/notes/7").await, HIDDEN);
    assert_eq!(statuses(&app, "GET", "/unknown").await, UNKNOWN);
    // A rule of the route that leads to another router holds for that route alone.
    let app = Router::new().route("/files/{*rest}", any(move |request| send_to(notes(), request)));
    assert_eq!(statuses(&app.route_layer(authenticate()), "GET", "/files/a").await, [404, 404, 404]);
    let inner = Router::new().route("/files/{*rest}", get("here")).route_layer(authenticate());
    let app = Router::new().route("/files/{*rest}", any(move |request| send_to(inner.clone(), request)));
    assert_eq!(statuses(&app, "GET", "/files/a").await, FORBIDDEN);
}

async fn send_to(router: Router, request: axum::extract::Request) -> axum::response::Response {
    send(&router, request).await
}

#[tokio::test]
async fn merged_routers_keep_their_layers() {
    let open = Router::new().route("/open", get("open"));
    let guarded = routes().route_layer(authenticate());
    for app in [open.clone().merge(guarded.clone()), guarded.merge(open)] {
        for (path, expected) in [("/open", PUBLIC), ("/notes/7", KEY), ("/unknown", UNKNOWN)] {
            assert_eq!(statuses(&app, "GET", path).await, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn a_scope_layer_takes_the_same_rules() {
    for app in [
        routes().route_layer(RequireScopeLayer::rules(rules())).route_layer(layer("notes.read")),
        routes().route_layer(RequireScopeLayer::rules(rules())).layer(layer("notes.read")),
    ] {
        // The layer that authenticates asks for a key, also where these rules do not.
        for (path, expected) in
            [("/docs/start", KEY), ("/whoami", KEY), ("/notes/7", KEY), ("/notes/all", FORBIDDEN)]
        {
            assert_eq!(statuses(&app, "GET", path).await, expected, "{path}");
        }
    }
    let app = routes().layer(RequireScopeLayer::rules(rules())).layer(layer("notes.read"));
    assert_eq!(statuses(&app, "GET", "/unknown").await, HIDDEN);
    let around = layer("notes.read").layer(RequireScopeLayer::rules(rules()).layer(routes()));
    let response = tower::ServiceExt::oneshot(around, request("GET", "/docs/start", Some("test"))).await;
    assert_eq!(response.unwrap().status(), 403);
}

#[tokio::test]
async fn rules_say_which_requests_need_no_key_also_for_an_optional_layer() {
    let app = routes().route_layer(authenticate().optional());
    for (path, expected) in [("/docs/start", PUBLIC), ("/whoami", KEY), ("/undeclared/7", FORBIDDEN)] {
        assert_eq!(statuses(&app, "GET", path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn later_rules_replace_earlier_ones() {
    let none = RouteRules::new([("/whoami", scope("other"))]).unwrap();
    let app = routes().route_layer(authenticate().rules(none));
    assert_eq!(statuses(&app, "GET", "/docs/start").await, FORBIDDEN);
    assert_eq!(statuses(&app, "GET", "/whoami").await, FORBIDDEN);
}

#[tokio::test]
async fn the_templates_of_axum_are_those_that_the_documentation_names() {
    let inner = |template: &str| {
        let rules = RouteRules::new([(template, Access::AnyKey)]).unwrap();
        Router::new().route("/", any(async || "root")).route_layer(layer("").rules(rules))
    };
    for (app, path, expected) in [
        (Router::new().nest("/api", inner("/api")), "/api", KEY),
        (Router::new().nest_service("/api", inner("/api/")), "/api", KEY),
        (Router::new().nest_service("/api", inner("/api/")), "/api/", FORBIDDEN),
        (Router::new().nest_service("/api", inner("/api//")), "/api/", KEY),
        (Router::new().nest_service("/api", inner("/api")), "/api", FORBIDDEN),
    ] {
        assert_eq!(statuses(&app, "GET", path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn a_public_path_beside_rules_by_route_is_public_if_the_router_has_a_route_for_it() {
    let files = Router::new().fallback(async || "a file");
    let app = Router::new()
        .route("/whoami", any(async || "a caller"))
        .route("/health", any(async || "health"))
        .nest_service("/static", files.clone())
        .fallback(async || "page")
        .layer(
            authenticate()
                .public("/health")
                .unwrap()
                .public("/page")
                .unwrap()
                .public_prefix("/static")
                .unwrap(),
        );
    for (path, expected) in
        [("/health", PUBLIC), ("/static/a.css", HIDDEN), ("/page", HIDDEN), ("/whoami", KEY)]
    {
        assert_eq!(statuses(&app, "GET", path).await, expected, "{path}");
    }
    // What is added after the layer is not covered, nor is a fallback beside a `route_layer`.
    let app = Router::new()
        .route("/whoami", any(async || "a caller"))
        .route_layer(authenticate())
        .nest_service("/static", files)
        .fallback(async || "page");
    for (path, expected) in [("/static/a.css", PUBLIC), ("/page", PUBLIC), ("/whoami", KEY)] {
        assert_eq!(statuses(&app, "GET", path).await, expected, "{path}");
    }
}
