//! `CorsLayer`, outside and inside.

use axum::Router;
use axum::http::{Method, Request, StatusCode, header};
use axum::routing::get;
use tower_api_key::{AuthenticateLayer, RequireScopeLayer, test_util};
use tower_http::cors::CorsLayer;

use super::{lines, send, with_key};

const PAGE: &str = "https://app.example";

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin([PAGE.parse().unwrap()])
        .allow_methods([Method::GET])
        .allow_headers([header::AUTHORIZATION, "x-api-key".parse().unwrap()])
        .expose_headers([header::WWW_AUTHENTICATE, header::RETRY_AFTER])
}

fn routes() -> Router {
    Router::new()
        .route("/notes", get(async || "notes"))
        .layer(RequireScopeLayer::scope("notes.read").unwrap())
}

fn layer() -> AuthenticateLayer {
    test_util::layer("test", |_| {})
}

fn preflight(origin: &str) -> http::request::Builder {
    Request::options("/notes")
        .header("origin", origin)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "x-api-key")
}

#[tokio::test]
async fn outside_a_preflight_passes_without_a_key() {
    let app = routes().layer(layer()).layer(cors());
    let response = send(&app, preflight(PAGE)).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(lines(&response, "access-control-allow-origin"), [PAGE]);
    assert_eq!(lines(&response, "access-control-allow-headers"), ["authorization,x-api-key"]);
    assert!(!response.headers().contains_key("www-authenticate"));
}

#[tokio::test]
async fn outside_a_page_can_read_every_rejection() {
    let app = routes().layer(layer()).layer(cors());
    let without_key = Request::get("/notes").header("origin", PAGE);
    for (request, status) in [
        (without_key, StatusCode::UNAUTHORIZED),
        (with_key("GET", "/notes").header("origin", PAGE), StatusCode::FORBIDDEN),
    ] {
        let response = send(&app, request).await;
        assert_eq!(response.status(), status);
        assert_eq!(lines(&response, "access-control-allow-origin"), [PAGE]);
        assert_eq!(lines(&response, "access-control-expose-headers"), ["www-authenticate,retry-after"]);
        assert!(response.headers().contains_key("www-authenticate"));
    }
    let foreign = Request::get("/notes").header("origin", "https://other.example");
    assert!(lines(&send(&app, foreign).await, "access-control-allow-origin").is_empty());
}

#[tokio::test]
async fn outside_it_adds_its_own_line_of_vary_and_keeps_that_of_the_layer() {
    let app = routes().layer(layer()).layer(cors());
    let response = send(&app, Request::get("/notes").header("origin", PAGE)).await;
    let vary = lines(&response, "vary");
    assert_eq!(vary.len(), 2, "{vary:?}");
    assert!(vary.contains(&"authorization, x-api-key"), "{vary:?}");
}

#[tokio::test]
async fn inside_a_preflight_passes_if_the_layer_allows_it_and_one_line_of_vary_is_left() {
    let app = |layer| routes().layer(cors()).layer(layer);
    let rejected = send(&app(layer()), preflight(PAGE)).await;
    assert_eq!(rejected.status(), StatusCode::UNAUTHORIZED);
    assert!(lines(&rejected, "access-control-allow-origin").is_empty());

    let app = app(layer().allow_preflight());
    let response = send(&app, preflight(PAGE)).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(lines(&response, "access-control-allow-origin"), [PAGE]);

    let response = send(&app, with_key("GET", "/notes").header("origin", PAGE)).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let vary = lines(&response, "vary");
    assert!(vary.len() == 1 && vary[0].contains("origin") && vary[0].contains("x-api-key"), "{vary:?}");
}
