//! The service: rejects requests whose principal lacks a scope.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::ResponseFuture;
use crate::inner_service::inner_service_accessors;
use crate::principal::{Principal, is_admitted_preflight, is_admitted_public, principal};
use crate::reject::RejectionBody;
use crate::rules::{Denied, Match, Rules};
use crate::scope::Requirement;

/// Middleware that admits a request only if its principal has the required scopes.
///
/// See the [module](super) for an example.
#[derive(Debug, Clone)]
pub struct RequireScope<S> {
    inner: S,
    needs: Arc<Needs>,
}

/// The scopes that a request requires.
#[derive(Debug)]
pub(super) enum Needs {
    /// The same for every request.
    One(Requirement),
    ByRule(Rules),
}

impl<S> RequireScope<S> {
    pub(super) fn new(inner: S, needs: Arc<Needs>) -> Self {
        Self { inner, needs }
    }
}

inner_service_accessors!(RequireScope);

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
        match self.needs.admit(&request) {
            Ok(()) => ResponseFuture::forwarded(self.inner.call(request)),
            Err(denied) => {
                // Gives back what the inner service has reserved for this request, such as a permit.
                self.inner = self.inner.clone();
                ResponseFuture::rejected(denied.into_response_to(&request))
            }
        }
    }
}

impl Needs {
    fn admit<B>(&self, request: &Request<B>) -> Result<(), Denied> {
        match self {
            Self::One(requirement) => match caller(request) {
                Ok(Some(caller)) => Ok(caller.require(requirement)?),
                Ok(None) => Ok(()),
                // A requirement for every request names no path.
                Err(_) if is_admitted_public(request) => Ok(()),
                Err(denied) => Err(denied),
            },
            Self::ByRule(rules) => admit_by_rule(rules, request),
        }
    }
}

fn admit_by_rule<B>(rules: &Rules, request: &Request<B>) -> Result<(), Denied> {
    let found = rules.find(request);
    if matches!(found, Match::Public) {
        return Ok(());
    }
    match caller(request) {
        Ok(Some(caller)) => found.check(caller, request),
        Ok(None) => Ok(()),
        Err(denied) if is_admitted_public(request) => match found {
            Match::Undeclared => Ok(()),
            Match::NoRoute => Err(Denied::NoRoute),
            Match::NoRouter => Err(denied),
            Match::Public | Match::AnyKey | Match::Scopes(_) | Match::OtherMethod => {
                rules.report_contradiction();
                Err(denied)
            }
        },
        Err(denied) => Err(denied),
    }
}

/// Returns the caller, or `None` for an admitted preflight.
fn caller<B>(request: &Request<B>) -> Result<Option<&Principal>, Denied> {
    match principal(request.extensions(), "`RequireScopeLayer`") {
        Ok(principal) => Ok(Some(principal)),
        // Of two layers, the outer one may have let a preflight pass, and the inner one have found a principal.
        Err(_) if is_admitted_preflight(request) => Ok(None),
        Err(rejection) => Err(rejection.into()),
    }
}
