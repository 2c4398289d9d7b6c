//! `CompressionLayer` and others that change the body, outside and inside.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::routing::get;
use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_api_key::{AuthenticateLayer, RequireScopeLayer, Scopes, test_util};
use tower_http::compression::CompressionLayer;
use tower_http::map_response_body::MapResponseBodyLayer;
use tower_http::trace::TraceLayer;

use super::{bytes, lines, send, with_key};

fn text() -> String {
    "a note ".repeat(100)
}

fn routes() -> Router {
    Router::new().route("/notes", get(async || text()))
}

/// The layers that write rejections.
fn layers() -> (AuthenticateLayer, RequireScopeLayer) {
    let scopes = Scopes::parse("notes.read").unwrap();
    let layer = test_util::layer("test", |record| record.scopes = scopes);
    (layer, RequireScopeLayer::scope("notes.read").unwrap())
}

fn gzip(request: http::request::Builder) -> http::request::Builder {
    request.header("accept-encoding", "gzip")
}

async fn compresses_responses_and_no_rejection(app: Router) {
    let response = send(&app, gzip(with_key("GET", "/notes"))).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(lines(&response, "content-encoding"), ["gzip"]);
    assert_eq!(lines(&response, "cache-control"), ["private"]);
    let vary = lines(&response, "vary").join(", ");
    assert!(vary.contains("x-api-key") && vary.contains("accept-encoding"), "{vary}");
    let compressed = bytes(response).await;
    assert!(compressed.starts_with(&[0x1f, 0x8b]) && compressed.len() < text().len());

    let rejected = send(&app, gzip(Request::get("/notes"))).await;
    assert_eq!(rejected.status(), StatusCode::UNAUTHORIZED);
    assert!(lines(&rejected, "content-encoding").is_empty());
    assert_eq!(bytes(rejected).await, br#"{"detail":"Missing API key"}"#);
}

#[tokio::test]
async fn added_one_by_one_to_a_router_it_works_on_both_sides() {
    let (authenticate, scope) = layers();
    let outside = routes().layer(scope.clone()).layer(authenticate.clone()).layer(CompressionLayer::new());
    compresses_responses_and_no_rejection(outside).await;
    let inside = routes()
        .layer(CompressionLayer::new())
        .layer(TraceLayer::new_for_http())
        .layer(scope)
        .layer(authenticate);
    compresses_responses_and_no_rejection(inside).await;
}

#[tokio::test]
async fn inside_a_service_builder_either_takes_its_body() {
    let (authenticate, scope) = layers();
    let built = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(authenticate.clone())
        .layer(scope.clone())
        .map_response(|response: Response<_>| response.map(Either::Left))
        .layer(CompressionLayer::new())
        .layer(TraceLayer::new_for_http());
    compresses_responses_and_no_rejection(routes().layer(built)).await;
    let mapped = ServiceBuilder::new()
        .layer(authenticate.clone())
        .layer(MapResponseBodyLayer::new(Either::Left))
        .layer(CompressionLayer::new());
    compresses_responses_and_no_rejection(routes().layer(mapped)).await;
    let into_body = ServiceBuilder::new()
        .layer(authenticate)
        .layer(MapResponseBodyLayer::new(Body::new))
        .layer(CompressionLayer::new());
    compresses_responses_and_no_rejection(routes().layer(into_body)).await;
}

/// Names the error of a stack that is no service, where a method of it would not.
fn service<S>(service: S) -> S
where
    S: Service<Request<Full<Bytes>>, Error = Infallible> + Clone,
{
    service
}

#[tokio::test]
async fn without_a_framework_either_takes_its_body() {
    let (authenticate, scope) = layers();
    let stack = service(
        ServiceBuilder::new()
            .layer(authenticate)
            .layer(scope)
            .map_response(|response: Response<_>| response.map(Either::Left))
            .layer(CompressionLayer::new())
            .layer(TraceLayer::new_for_http())
            .service(service_fn(async |_| Ok(Response::new(Full::<Bytes>::from(text()))))),
    );
    let response =
        stack.clone().oneshot(gzip(with_key("GET", "/")).body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(lines(&response, "content-encoding"), ["gzip"]);
    assert!(response.into_body().collect().await.unwrap().to_bytes().len() < text().len());

    let rejected = stack.oneshot(gzip(Request::get("/")).body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(rejected.status(), StatusCode::UNAUTHORIZED);
    let body = rejected.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, r#"{"detail":"Missing API key"}"#);
}
