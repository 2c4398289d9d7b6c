//! The function of the application that resolves the caller of a request, for the routes and for the console.

// Layer 9 of 10: management.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::super::ExternalCaller;

type Resolved<C> = Pin<Box<dyn Future<Output = Result<C, Response>> + Send>>;

/// Returns the caller of the request with this head, or the response to a request without one.
pub(crate) struct Resolver<C = ExternalCaller>(Arc<dyn Fn(Parts) -> Resolved<C> + Send + Sync>);

impl<C> Clone for Resolver<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> Resolver<C> {
    /// Creates a resolver from a function of an extractor.
    pub(crate) fn new<E, F, O, R>(resolve: impl Fn(E) -> F + Send + Sync + 'static) -> Self
    where
        E: FromRequestParts<()> + Send,
        F: Future<Output = Result<O, R>> + Send,
        O: Into<C>,
        R: IntoResponse,
    {
        let resolve = Arc::new(resolve);
        Self(Arc::new(move |mut head| {
            let resolve = Arc::clone(&resolve);
            Box::pin(async move {
                let extracted = E::from_request_parts(&mut head, &()).await;
                resolve(extracted.map_err(rejection)?).await.map(Into::into).map_err(rejection)
            })
        }))
    }

    pub(crate) async fn resolve(&self, head: &Parts) -> Result<C, Response> {
        (self.0)(head.clone()).await
    }
}

/// Returns the response of a rejection, which caches must not store: it depends on the session.
fn rejection(rejection: impl IntoResponse) -> Response {
    let mut response = rejection.into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
