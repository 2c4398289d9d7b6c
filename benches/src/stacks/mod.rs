//! The compared stacks, all around the same inner service.

pub mod by_hand;
pub mod floor;
pub mod governed;
pub mod in_axum;
pub mod layer;
pub mod rejection;
pub mod sqlite;

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use sha2::{Digest as _, Sha256};
use tower::{Service, service_fn};

/// The body of requests and responses.
pub type Body = Full<Bytes>;

/// The time to live in the caches: longer than any measurement takes.
pub const TTL: Duration = Duration::from_secs(3600);

/// A service from requests with the body `B` to responses with the body `R`.
pub trait Stack<B, R = Body>:
    Service<Request<B>, Response = Response<R>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S, B, R> Stack<B, R> for S where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

/// Creates the inner service: it answers 200 with one header, as every handler does, and an empty body.
pub fn inner<B: Send + 'static>() -> impl Stack<B> {
    service_fn(async |request: Request<B>| {
        black_box(&request);
        let mut response = Response::new(Body::default());
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    })
}

/// Extracts the key in a hand-written stack: from a single header.
pub type Extract = fn(&HeaderMap) -> Option<&[u8]>;

/// Returns the key in `Authorization: Bearer`.
pub fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get("authorization")?.as_bytes().strip_prefix(b"Bearer ")
}

/// Returns the key in `X-API-Key`.
pub fn x_api_key(headers: &HeaderMap) -> Option<&[u8]> {
    Some(headers.get("x-api-key")?.as_bytes())
}

/// Returns the digest of the key in a request.
fn digest(extract: Extract, headers: &HeaderMap) -> Option<[u8; 32]> {
    extract(headers).map(|text| Sha256::digest(text).into())
}

/// Creates the rejection of the hand-written stacks.
fn unauthorized<B: Default>() -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response
}
