//! The layer beside those of tower-http and axum-login, in the places that they take in applications.

mod compression;
mod cors;
mod login;
mod trace;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use tower::ServiceExt;

/// Starts a request that presents the key `test`.
fn with_key(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("x-api-key", "test")
}

async fn send(app: &Router, request: http::request::Builder) -> Response<Body> {
    app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn bytes(response: Response<Body>) -> Vec<u8> {
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}

/// Returns all lines of a header of the response.
fn lines<'r, B>(response: &'r Response<B>, name: &str) -> Vec<&'r str> {
    response.headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}
