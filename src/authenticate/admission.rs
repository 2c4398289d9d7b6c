//! What happens to a request: asks the authenticator and the rules, and marks and strips its headers. It calls no inner service.

// Layer 8 of 10: decision.

use std::slice;
use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, header};

use super::additions::{Additions, NamedCaller};
use super::alternatives::Alternatives;
use super::caching::CacheHeaders;
use super::public::Guard;
use crate::authenticator::{Authenticator, Decision, PendingLookup};
use crate::path::whole_uri;
use crate::principal::{Anonymous, Pass, Principal};
use crate::reject::{Call, Reason, RejectionBody};
use crate::rules::{Denied, note_preflight};

/// The options of a layer, which all clones of a service share.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// The only authenticator, or the first of the alternatives.
    pub(super) authenticator: Authenticator,
    /// `None` for most layers, whose requests thus pay for one test.
    pub(super) extras: Option<Box<Extras>>,
    pub(super) guard: Option<Guard>,
    pub(super) optional: bool,
    pub(super) strip: bool,
    pub(super) grpc: bool,
    pub(super) additions: Additions,
}

/// The options of layers that let preflights pass, or have several authenticators.
#[derive(Debug, Clone, Default)]
pub(super) struct Extras {
    pub(super) preflight: bool,
    pub(super) alternatives: Option<Alternatives>,
}

/// The decision about a request, by its headers, or the lookup that it depends on.
pub(super) enum Admission {
    Decided(Decided),
    LookUp(Box<PendingLookup>),
}

/// What happens to a request.
pub(super) enum Decided {
    /// It is forwarded, and these headers are added to the response.
    Forward(Option<CacheHeaders>),
    /// It is forwarded, and its response names the caller.
    ForwardNamed(Box<NamedCaller>),
    /// It is rejected, and its response names this caller.
    Reject(Denied, Option<Principal>),
}

impl Options {
    /// Marks a gRPC call as one, for its response and for layers inside.
    pub(super) fn mark_call<B>(&self, request: &mut Request<B>) {
        if self.grpc
            && let Some(call) = Call::of(request)
        {
            request.extensions_mut().insert(call);
        }
    }

    pub(super) fn admit<B>(&self, request: &mut Request<B>) -> Admission {
        if let Some(extras) = &self.extras
            && let Some(admission) = self.admit_by(extras, request)
        {
            return admission;
        }
        if let Some(guard) = &self.guard
            && let Some(pass) = pass_as_public(guard, request)
        {
            return self.forward_anonymous(request, pass, None);
        }
        let decision = match self.caller_before(request) {
            None => self.authenticator.decide_and_mark(request.headers_mut(), None),
            Some(before) => {
                let before = before.clone();
                self.decide_again(request, &before)
            }
        };
        self.conclude(decision, false, request)
    }

    /// Returns the caller that an outer layer has admitted, which is not counted again.
    fn caller_before<'r, B>(&self, request: &'r Request<B>) -> Option<&'r Principal> {
        if self.authenticator.counts() { request.extensions().get() } else { None }
    }

    /// Admits a request beside whose key there may be a credential for other components.
    #[cold]
    fn admit_claimed<B>(&self, request: &mut Request<B>) -> Admission {
        let decision = self.authenticator.decide_claimed(request.headers(), self.caller_before(request));
        self.conclude(decision, true, request)
    }

    /// Admits a preflight, or a request to one of several authenticators.
    #[inline(never)]
    fn admit_by<B>(&self, extras: &Extras, request: &mut Request<B>) -> Option<Admission> {
        if extras.preflight && is_preflight(request) {
            note_preflight(request);
            return Some(self.forward_anonymous(request, Pass::Preflight, None));
        }
        let alternatives = extras.alternatives.as_ref()?;
        if let Some(guard) = &self.guard
            && let Some(pass) = pass_as_public(guard, request)
        {
            return Some(self.forward_anonymous(request, pass, None));
        }
        let before = request.extensions().get::<Principal>().cloned();
        let decision = alternatives.decide_and_mark(request.headers_mut(), before.as_ref());
        Some(self.conclude(decision, true, request))
    }

    // Part of each admission, and too large for the compiler to repeat unasked.
    #[inline(always)]
    fn conclude<B>(&self, decision: Decision, is_final: bool, request: &mut Request<B>) -> Admission {
        match decision {
            Decision::Made(Ok(principal)) => {
                Admission::Decided(self.authorize_and_insert(principal, request))
            }
            Decision::Made(Err(rejection)) if !is_final && self.authenticator.doubts(&rejection) => {
                self.admit_claimed(request)
            }
            Decision::Made(Err(rejection))
                if self.is_optional() && *rejection.reason() == Reason::Missing =>
            {
                // The response depends on the absence of a credential.
                let cache_headers = self.additions.for_any_client();
                self.forward_anonymous(request, Pass::Optional, cache_headers)
            }
            Decision::Made(Err(rejection)) => Admission::Decided(Decided::Reject(rejection.into(), None)),
            Decision::Pending(lookup) => Admission::LookUp(lookup),
        }
    }

    /// Decides behind an outer layer that has admitted a caller.
    #[cold]
    fn decide_again<B>(&self, request: &mut Request<B>, before: &Principal) -> Decision {
        self.authenticator.decide_and_mark(request.headers_mut(), Some(before))
    }

    fn forward_anonymous<B>(
        &self,
        request: &mut Request<B>,
        pass: Pass,
        cache_headers: Option<CacheHeaders>,
    ) -> Admission {
        // A credential that is not required is a secret all the same.
        for authenticator in self.authenticators() {
            authenticator.sources().mark(request.headers_mut());
        }
        self.strip_if_configured(request);
        // Nothing upstream may name the caller: an admission replaces its principal, and this removes it.
        request.extensions_mut().remove::<Principal>();
        let responses = self.alternatives().map_or(self.authenticator.responses(), Alternatives::responses);
        let responses = Arc::clone(responses);
        request.extensions_mut().insert(Anonymous { responses, pass });
        Admission::Decided(Decided::Forward(cache_headers))
    }

    /// Returns whether requests without a credential pass. Rules say themselves which do.
    fn is_optional(&self) -> bool {
        self.optional && self.guard.as_ref().is_none_or(|guard| guard.rules.is_none())
    }

    /// Checks the rules, and inserts the principal into the request. Inlined, as every admission calls it.
    #[inline(always)]
    pub(super) fn authorize_and_insert<B>(&self, principal: Principal, request: &mut Request<B>) -> Decided {
        if let Some(guard) = &self.guard
            && let Err(denied) = guard.check(&principal, request)
        {
            return Decided::Reject(denied, self.additions.includes_principal().then_some(principal));
        }
        self.strip_if_configured(request);
        let named = self.additions.named(&principal);
        request.extensions_mut().insert(principal);
        // Made last: it would be moved after the insertion.
        match named {
            None => Decided::Forward(self.additions.for_caller()),
            Some(caller) => Decided::ForwardNamed(caller),
        }
    }

    /// Returns the response to a rejected request, which names the caller if there is one.
    pub(super) fn reject<B, R: RejectionBody>(
        &self,
        denied: Denied,
        caller: Option<Principal>,
        request: &Request<B>,
    ) -> Response<R> {
        // A rejection says `no-store` itself.
        let cache_headers = match denied {
            Denied::NoRoute { .. } => self.additions.for_caller(),
            Denied::Rejected(_) => self.additions.for_any_client(),
        };
        let mut response = denied.into_response_to(request);
        if let Some(cache_headers) = cache_headers {
            cache_headers.add_to(&mut response);
        }
        if let Some(caller) = caller {
            response.extensions_mut().insert(caller);
        }
        response
    }

    fn strip_if_configured<B>(&self, request: &mut Request<B>) {
        if self.strip {
            self.strip(request.headers_mut());
        }
    }

    #[inline(never)]
    fn strip(&self, headers: &mut HeaderMap) {
        for authenticator in self.authenticators() {
            authenticator.sources().strip(headers);
        }
    }

    fn alternatives(&self) -> Option<&Alternatives> {
        self.extras.as_ref()?.alternatives.as_ref()
    }

    fn authenticators(&self) -> &[Authenticator] {
        self.alternatives().map_or(slice::from_ref(&self.authenticator), Alternatives::authenticators)
    }
}

/// Returns the pass of a request that any client may send. It is no part of `admit`, so that layers without public paths and rules do without
/// its instructions.
#[inline(never)]
fn pass_as_public<B>(guard: &Guard, request: &Request<B>) -> Option<Pass> {
    let by = guard.opens(request)?;
    Some(Pass::Public { method: request.method().clone(), uri: whole_uri(request)?.clone(), by })
}

/// Returns whether a request is a CORS preflight (Fetch standard, CORS-preflight request).
fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ORIGIN)
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
