//! The service: rejects requests whose principal lacks a scope.

// Layer 8 of 10: decision.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::ResponseFuture;
use crate::inner_service::inner_service_accessors;
use crate::path::template;
use crate::principal::{Dependent, Principal, admitted_public, is_admitted_preflight, principal};
use crate::reject::RejectionBody;
use crate::rules::{Denied, Match, Rules};
use crate::scope::Requirement;
use crate::trace::{self, Once};

/// Middleware that admits a request only if its principal has the required scopes.
///
/// See the [module](super) for an example.
#[derive(Debug, Clone)]
pub struct RequireScope<S> {
    inner: S,
    check: Arc<ScopeCheck>,
}

/// The decision of a layer, which all clones of a service share.
#[derive(Debug)]
pub(super) struct ScopeCheck {
    needs: Needs,
    needed_by: Dependent,
    prefix_reported: Once,
}

/// The scopes that a request requires.
#[derive(Debug)]
pub(super) enum Needs {
    /// The same for every request.
    One(Requirement),
    ByRule(Rules),
}

impl<S> RequireScope<S> {
    pub(super) fn new(inner: S, check: Arc<ScopeCheck>) -> Self {
        Self { inner, check }
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
        match self.check.admit(&request) {
            Ok(()) => ResponseFuture::forwarded(self.inner.call(request)),
            Err(denied) => {
                // Gives back what the inner service has reserved for this request, such as a permit.
                self.inner = self.inner.clone();
                ResponseFuture::rejected(denied.into_response_to(&request))
            }
        }
    }
}

impl ScopeCheck {
    pub(super) fn new(needs: Needs) -> Self {
        Self { needs, needed_by: Dependent::new("`RequireScopeLayer`"), prefix_reported: Once::new() }
    }

    fn admit<B>(&self, request: &Request<B>) -> Result<(), Denied> {
        match &self.needs {
            Needs::One(requirement) => match self.caller(request) {
                Ok(Some(caller)) => Ok(caller.require(requirement)?),
                Ok(None) => Ok(()),
                // A requirement for every request names no path.
                Err(denied) => self.admit_as_public(denied, request),
            },
            Needs::ByRule(rules) => self.admit_by_rule(rules, request),
        }
    }

    fn admit_by_rule<B>(&self, rules: &Rules, request: &Request<B>) -> Result<(), Denied> {
        let found = rules.find(request);
        if matches!(found, Match::Public(_)) {
            return Ok(());
        }
        match self.caller(request) {
            Ok(Some(caller)) => found.check(caller, request),
            Ok(None) => Ok(()),
            Err(denied) if admitted_public(request).is_some() => match found {
                Match::Undeclared => self.admit_as_public(denied, request),
                Match::NoRoute => Err(Denied::NoRoute { key_id: None }),
                Match::NoRouter | Match::Rewritten => Err(denied),
                Match::Public(_) | Match::AnyKey | Match::Scopes(_) | Match::OtherMethod => {
                    rules.report_contradiction(request);
                    Err(denied)
                }
            },
            Err(denied) => Err(denied),
        }
    }

    /// Admits a request without a caller if the layer outside names its path or its route. A prefix names neither: it was written without
    /// regard to what is guarded below it.
    fn admit_as_public<B>(&self, denied: Denied, request: &Request<B>) -> Result<(), Denied> {
        let Some(by) = admitted_public(request) else { return Err(denied) };
        let Some(wider) = by.wider_than_route(request) else { return Ok(()) };
        if self.prefix_reported.is_first() {
            trace::public_prefix_around_scopes(wider, template(request.extensions()));
        }
        Err(denied)
    }

    /// Returns the caller, or `None` for an admitted preflight.
    fn caller<'r, B>(&self, request: &'r Request<B>) -> Result<Option<&'r Principal>, Denied> {
        match principal(request.extensions(), &self.needed_by) {
            Ok(principal) => Ok(Some(principal)),
            // Of two layers, the outer one may have let a preflight pass, and the inner one have found a principal.
            Err(_) if is_admitted_preflight(request) => Ok(None),
            Err(rejection) => Err(rejection.into()),
        }
    }
}
