//! The function of the application that resolves the caller of a request.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::super::ExternalCaller;

type Resolved = Pin<Box<dyn Future<Output = Result<ExternalCaller, Response>> + Send>>;

/// Returns the caller of the request with this head, or the response to a request without one.
#[derive(Clone)]
pub(super) struct Resolver(Arc<dyn Fn(Parts) -> Resolved + Send + Sync>);

impl Resolver {
    /// Creates a resolver from a function of an extractor.
    pub(super) fn new<E, F, R>(resolve: impl Fn(E) -> F + Send + Sync + 'static) -> Self
    where
        E: FromRequestParts<()> + Send,
        F: Future<Output = Result<ExternalCaller, R>> + Send,
        R: IntoResponse,
    {
        let resolve = Arc::new(resolve);
        Self(Arc::new(move |mut head| {
            let resolve = Arc::clone(&resolve);
            Box::pin(async move {
                let extracted = E::from_request_parts(&mut head, &()).await;
                resolve(extracted.map_err(rejection)?).await.map_err(rejection)
            })
        }))
    }

    pub(super) async fn resolve(&self, head: &Parts) -> Result<ExternalCaller, Response> {
        (self.0)(head.clone()).await
    }
}

/// Returns the response of a rejection, which caches must not store: it depends on the session.
fn rejection(rejection: impl IntoResponse) -> Response {
    let mut response = rejection.into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
