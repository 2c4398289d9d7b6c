//! The rule of a request, and whether its caller meets it. Misplaced layers and contradictory rules are logged, once each.

// Layer 8 of 10: decision.

use std::sync::Arc;

use http::Request;

use super::access::Access;
use super::denied::Denied;
use super::plain::is_plain;
use super::table::{Entry, Table};
use super::test_probe::note_any_key;
#[cfg(feature = "axum")]
use crate::path::template;
use crate::path::whole_path;
use crate::principal::{Opened, Principal};
use crate::reject::Forbidden;
use crate::scope::Requirement;
use crate::trace::{self, Once};

/// Rules by path or by route, made from a [`PathRules`](super::PathRules) or an `axum::RouteRules`. A clone shares them.
#[derive(Debug, Clone)]
pub struct Rules(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    table: Table,
    by: By,
    reported: Reported,
}

#[derive(Debug, Default)]
struct Reported {
    #[cfg(feature = "axum")]
    no_route: Once,
    #[cfg(feature = "axum")]
    no_router: Once,
    rewritten_path: Once,
    contradiction: Once,
}

/// The property of a request that rules are found by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    /// The path.
    Path,
    /// The template of the route.
    #[cfg(feature = "axum")]
    Route,
}

/// The rule of a request.
#[derive(Debug)]
#[cfg_attr(not(feature = "axum"), allow(dead_code, reason = "only axum knows routes"))]
pub(crate) enum Match<'r> {
    /// Any client may call it, by what the rule names.
    Public(Opened),
    /// The caller needs a key.
    AnyKey,
    /// The caller needs a key that meets this requirement.
    Scopes(&'r Requirement),
    /// No rule names the path with this method, but one does with another.
    OtherMethod,
    /// No rule names the path.
    Undeclared,
    /// Rules by route do not apply, as a router has found no route for the request.
    NoRoute,
    /// Rules by route do not apply, as no router has seen the request.
    NoRouter,
    /// Rules by path do not apply, as a layer below a router has rewritten the path.
    Rewritten,
}

impl Rules {
    pub(crate) fn new(table: Table, by: By) -> Self {
        Self(Arc::new(Inner { table, by, reported: Reported::default() }))
    }

    /// Finds the rule of a request.
    pub(crate) fn find<B>(&self, request: &Request<B>) -> Match<'_> {
        let name = match self.0.by {
            By::Path => match whole_path(request) {
                Some(path) => path,
                None => return self.rewritten(Match::Rewritten),
            },
            #[cfg(feature = "axum")]
            By::Route => match template(request.extensions()) {
                Some(template) => template,
                None => return self.without_route(request),
            },
        };
        match self.0.table.get(request.method(), name) {
            Entry::Declared(Access::Public) => match whole_path(request) {
                Some(path) if is_plain(path) => Match::Public(self.opened(request)),
                Some(_) => Match::AnyKey,
                None => self.rewritten(Match::AnyKey),
            },
            Entry::Declared(Access::AnyKey) => Match::AnyKey,
            Entry::Declared(Access::Scopes(requirement)) => Match::Scopes(requirement),
            Entry::OtherMethod => Match::OtherMethod,
            Entry::Undeclared => Match::Undeclared,
        }
    }

    /// Returns what the rules declare for a method and a path or template: `Some(None)` if they name the path with other methods only, and are
    /// thus the ones that decide.
    #[cfg(feature = "openapi")]
    pub(crate) fn access(&self, method: &http::Method, path: &str) -> Option<Option<&Access>> {
        match self.0.table.get(method, path) {
            Entry::Declared(access) => Some(Some(access)),
            Entry::OtherMethod => Some(None),
            Entry::Undeclared => None,
        }
    }

    #[cfg_attr(not(feature = "axum"), allow(unused_variables, reason = "only axum knows routes"))]
    fn opened<B>(&self, request: &Request<B>) -> Opened {
        match self.0.by {
            By::Path => Opened::Path,
            #[cfg(feature = "axum")]
            By::Route => request.extensions().get().cloned().map_or(Opened::Path, Opened::Route),
        }
    }

    /// Reports a layer that is in the wrong place, once.
    #[cfg(feature = "axum")]
    #[cold]
    fn without_route<B>(&self, request: &Request<B>) -> Match<'_> {
        let is_routed = crate::path::is_routed(request);
        let Reported { no_route, no_router, .. } = &self.0.reported;
        if if is_routed { no_route } else { no_router }.is_first() {
            trace::rules_without_route(is_routed);
        }
        if is_routed { Match::NoRoute } else { Match::NoRouter }
    }

    /// Reports a layer that rewrites paths in the wrong place, once.
    #[cold]
    fn rewritten<'r>(&self, found: Match<'r>) -> Match<'r> {
        if self.0.reported.rewritten_path.is_first() {
            trace::rewritten_path();
        }
        found
    }

    /// Reports that a layer outside calls a path public which these rules name and do not call public, once.
    #[cold]
    pub(crate) fn report_contradiction<B>(&self, request: &Request<B>) {
        let route = match self.0.by {
            By::Path => whole_path(request),
            #[cfg(feature = "axum")]
            By::Route => template(request.extensions()),
        };
        if let Some(route) = route
            && self.0.reported.contradiction.is_first()
        {
            trace::contradictory_rules(route);
        }
    }
}

impl Match<'_> {
    /// Checks that the rule admits `principal`.
    pub(crate) fn check<B>(self, principal: &Principal, request: &Request<B>) -> Result<(), Denied> {
        match self {
            Self::Public(_) => Ok(()),
            Self::AnyKey => {
                note_any_key(request);
                Ok(())
            }
            Self::Scopes(requirement) => Ok(principal.require(requirement)?),
            // A gRPC client reads it as `UNIMPLEMENTED`.
            Self::NoRoute => Err(Denied::NoRoute { key_id: Some(principal.key_id().clone()) }),
            Self::OtherMethod | Self::Undeclared | Self::NoRouter | Self::Rewritten => {
                Err(principal.reject(Forbidden::Undeclared).into())
            }
        }
    }
}
