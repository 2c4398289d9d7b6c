//! The rule of a request, and whether its caller meets it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;

use super::access::Access;
use super::denied::Denied;
use super::plain::is_plain;
use super::table::{Entry, Table};
use crate::path::whole_path;
use crate::principal::Principal;
use crate::reject::Forbidden;
use crate::scope::Requirement;
use crate::trace;

/// Rules by path or by route, made from a [`PathRules`](super::PathRules) or an `axum::RouteRules`. A clone shares them.
#[derive(Debug, Clone)]
pub struct Rules(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    table: Table,
    by: By,
    #[cfg(feature = "axum")]
    reported_order: AtomicBool,
    reported_contradiction: AtomicBool,
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
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "axum"), allow(dead_code, reason = "only axum knows routes"))]
pub(crate) enum Match<'r> {
    /// Any client may call it.
    Public,
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
}

impl Rules {
    pub(crate) fn new(table: Table, by: By) -> Self {
        Self(Arc::new(Inner {
            table,
            by,
            #[cfg(feature = "axum")]
            reported_order: AtomicBool::new(false),
            reported_contradiction: AtomicBool::new(false),
        }))
    }

    /// Finds the rule of a request.
    pub(crate) fn find<B>(&self, request: &Request<B>) -> Match<'_> {
        let path = match self.0.by {
            By::Path => whole_path(request),
            #[cfg(feature = "axum")]
            By::Route => match request.extensions().get::<axum::extract::MatchedPath>() {
                Some(template) => template.as_str(),
                None => return self.without_route(request),
            },
        };
        match self.0.table.get(request.method(), path) {
            Entry::Declared(Access::Public) if is_plain(whole_path(request)) => Match::Public,
            Entry::Declared(Access::Public | Access::AnyKey) => Match::AnyKey,
            Entry::Declared(Access::Scopes(requirement)) => Match::Scopes(requirement),
            Entry::OtherMethod => Match::OtherMethod,
            Entry::Undeclared => Match::Undeclared,
        }
    }

    /// Reports a layer that is in the wrong place, once.
    #[cfg(feature = "axum")]
    #[cold]
    fn without_route<B>(&self, request: &Request<B>) -> Match<'_> {
        // A router leaves it there, whether or not it finds a route.
        let is_routed = request.extensions().get::<axum::extract::OriginalUri>().is_some();
        if !self.0.reported_order.swap(true, Ordering::Relaxed) {
            trace::rules_without_route(is_routed);
        }
        if is_routed { Match::NoRoute } else { Match::NoRouter }
    }

    /// Reports that a layer outside calls a path public which these rules do not, once.
    #[cold]
    pub(crate) fn report_contradiction(&self) {
        if !self.0.reported_contradiction.swap(true, Ordering::Relaxed) {
            trace::contradictory_rules();
        }
    }
}

impl Match<'_> {
    /// Checks that the rule admits `principal`.
    pub(crate) fn check<B>(self, principal: &Principal, request: &Request<B>) -> Result<(), Denied> {
        match self {
            Self::Public => Ok(()),
            Self::AnyKey => {
                note_any_key(request);
                Ok(())
            }
            Self::Scopes(requirement) => Ok(principal.require(requirement)?),
            // A gRPC client reads it as `UNIMPLEMENTED`.
            Self::NoRoute => Err(Denied::NoRoute),
            Self::OtherMethod | Self::Undeclared | Self::NoRouter => {
                Err(principal.reject(Forbidden::Undeclared).into())
            }
        }
    }
}

/// Extension of a request by which a test learns that a rule admitted it with any key.
#[cfg(feature = "test-util")]
#[derive(Debug, Clone, Default)]
pub(crate) struct Probe(Arc<AtomicBool>);

#[cfg(feature = "test-util")]
impl Probe {
    pub(crate) fn is_noted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(feature = "test-util")]
fn note_any_key<B>(request: &Request<B>) {
    if let Some(Probe(noted)) = request.extensions().get() {
        noted.store(true, Ordering::Relaxed);
    }
}

#[cfg(not(feature = "test-util"))]
fn note_any_key<B>(_: &Request<B>) {}
