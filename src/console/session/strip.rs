//! Middleware that takes the cookies of the console off requests.

// Layer 10 of 10: rim.

use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::Request;
use tower_layer::Layer;
use tower_service::Service;

use super::cookies::{CookieNames, Stripped};
use crate::inner_service::inner_service_accessors;

/// Layer that applies [`StripCookie`]: see [`Sessions::strip_cookie`](super::Sessions::strip_cookie).
#[derive(Debug, Clone)]
pub struct StripCookieLayer {
    pub(super) cookies: Arc<CookieNames>,
}

impl<S> Layer<S> for StripCookieLayer {
    type Service = StripCookie<S>;

    fn layer(&self, inner: S) -> Self::Service {
        StripCookie { inner, cookies: Arc::clone(&self.cookies) }
    }
}

/// Middleware that takes the cookies of a console off requests, so that no handler, log or service behind it holds a session. The pages of the
/// console find them nevertheless, so it may stand around the whole application.
#[derive(Debug, Clone)]
pub struct StripCookie<S> {
    inner: S,
    cookies: Arc<CookieNames>,
}

inner_service_accessors!(StripCookie);

impl<S, ReqBody> Service<Request<ReqBody>> for StripCookie<S>
where
    S: Service<Request<ReqBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let found = self.cookies.strip(request.headers_mut());
        if !found.0.is_empty() {
            // Another console may have been stripped before.
            request.extensions_mut().get_or_insert_default::<Stripped>().0.extend(found.0);
        }
        self.inner.call(request)
    }
}
