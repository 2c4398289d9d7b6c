//! The service: rejects requests whose principal lacks a scope.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::ResponseFuture;
use super::rules::Rules;
use crate::path::whole_path;
use crate::principal::{is_admitted_preflight, principal};
use crate::reject::{Rejection, RejectionBody};

/// Middleware that admits a request only if its principal has the required scopes.
///
/// See the [module](super) for an example.
#[derive(Debug, Clone)]
pub struct RequireScope<S> {
    inner: S,
    rules: Arc<Rules>,
}

impl<S> RequireScope<S> {
    pub(super) fn new(inner: S, rules: Arc<Rules>) -> Self {
        Self { inner, rules }
    }

    /// Returns the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the inner service, to change it.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Gives up the middleware and returns the inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RequireScope<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: RejectionBody,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, S::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        match self.rules.admit(&request) {
            Ok(()) => ResponseFuture::forwarded(self.inner.call(request)),
            Err(rejection) => {
                // Gives back what the inner service has reserved for this request, such as a permit.
                self.inner = self.inner.clone();
                ResponseFuture::rejected(rejection.into_response_to(&request))
            }
        }
    }
}

impl Rules {
    fn admit<B>(&self, request: &Request<B>) -> Result<(), Rejection> {
        let principal = match principal(request.extensions(), "`RequireScopeLayer`") {
            Ok(principal) => principal,
            // Of two layers, the outer one may have let a preflight pass, and the inner one have found a principal.
            Err(_) if is_admitted_preflight(request) => return Ok(()),
            Err(rejection) => return Err(rejection),
        };
        self.check(principal, || whole_path(request)).map_or(Ok(()), |reason| Err(principal.reject(reason)))
    }
}
