//! The service: counts a request for its route, and forwards it.

// Layer 8 of 10: decision.

use std::collections::HashSet;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use tower_service::Service;

use crate::backend::OTHER_ROUTE;
use crate::inner_service::inner_service_accessors;
use crate::path::{template, whole_path};
use crate::principal::Principal;

/// Middleware that counts usage by route.
///
/// See the [module](super) for an example.
#[derive(Debug, Clone)]
pub struct CountRoutes<S> {
    inner: S,
    paths: Arc<HashSet<Box<str>>>,
}

impl<S> CountRoutes<S> {
    pub(super) fn new(inner: S, paths: Arc<HashSet<Box<str>>>) -> Self {
        Self { inner, paths }
    }

    /// Returns the route of a request: a text of the application.
    fn route<'r, B>(&'r self, request: &'r Request<B>) -> &'r str {
        let path = || whole_path(request).and_then(|path| self.paths.get(path));
        template(request.extensions()).or_else(|| path().map(|path| &**path)).unwrap_or(OTHER_ROUTE)
    }
}

inner_service_accessors!(CountRoutes);

impl<S, B> Service<Request<B>> for CountRoutes<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if let Some(caller) = request.extensions().get::<Principal>() {
            caller.count_route(self.route(&request));
        }
        self.inner.call(request)
    }
}
