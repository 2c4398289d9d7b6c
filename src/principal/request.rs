//! The principal of a request, as the authenticating middleware left it in the extensions.

// Layer 8 of 10: decision.

use std::sync::Arc;

use http::{Extensions, Method, Request, Uri};

use super::Principal;
#[cfg(feature = "axum")]
use crate::path::template;
use crate::path::whole_path;
use crate::reject::{Reason, Rejection, ResponseConfig};
use crate::trace::{self, Once};

/// Extension of a request that passed the middleware without a principal.
#[derive(Clone)]
pub(crate) struct Anonymous {
    pub(crate) responses: Arc<ResponseConfig>,
    pub(crate) pass: Pass,
}

/// Why the middleware let a request pass without a principal.
#[derive(Clone)]
pub(crate) enum Pass {
    /// It has no credential, and the layer is optional.
    Optional,
    /// It is a CORS preflight: the service answers it, also if the service requires scopes.
    Preflight,
    /// Any client may call this method of this path.
    Public { method: Method, uri: Uri, by: Opened },
}

/// What the application has declared public.
#[derive(Debug, Clone)]
pub(crate) enum Opened {
    /// The path itself.
    Path,
    /// The route with this template.
    #[cfg(feature = "axum")]
    Route(axum::extract::MatchedPath),
    /// Every path below this one.
    Prefix(Arc<str>),
}

/// A component that needs a principal.
#[derive(Debug)]
pub(crate) struct Dependent {
    name: &'static str,
    reported: Once,
}

impl Dependent {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, reported: Once::new() }
    }
}

/// Returns the principal of a request, or the rejection of a request without one. If the request did not pass the middleware, the log names
/// the component that needs it, once: a client can do nothing about that, and is told nothing of how the service is built.
#[inline]
pub(crate) fn principal<'e>(
    extensions: &'e Extensions,
    needed_by: &Dependent,
) -> Result<&'e Principal, Rejection> {
    extensions.get::<Principal>().ok_or_else(|| without_principal(extensions, needed_by))
}

#[cold]
fn without_principal(extensions: &Extensions, needed_by: &Dependent) -> Rejection {
    match extensions.get::<Anonymous>() {
        Some(anonymous) => Rejection::by(Arc::clone(&anonymous.responses), Reason::Missing),
        None => {
            if needed_by.reported.is_first() {
                trace::missing_layer(needed_by.name);
            }
            Rejection::new(Reason::NotAuthenticated)
        }
    }
}

/// Returns whether the middleware admitted a request as a CORS preflight. A layer in between may have changed the method: then it no longer
/// is one.
pub(crate) fn is_admitted_preflight<B>(request: &Request<B>) -> bool {
    matches!(pass(request), Some(Pass::Preflight)) && *request.method() == Method::OPTIONS
}

/// Returns what made a request public for the middleware. A layer in between may have changed the method or the path: then it no longer is.
pub(crate) fn admitted_public<B>(request: &Request<B>) -> Option<&Opened> {
    match pass(request)? {
        Pass::Public { method, uri, by } => {
            (method == request.method() && Some(uri.path()) == whole_path(request)).then_some(by)
        }
        Pass::Optional | Pass::Preflight => None,
    }
}

impl Opened {
    /// Returns a prefix or template by which more is public than the route of the request.
    #[cfg_attr(not(feature = "axum"), allow(unused_variables, reason = "only axum knows routes"))]
    pub(crate) fn wider_than_route<B>(&self, request: &Request<B>) -> Option<&str> {
        match self {
            Self::Path => None,
            #[cfg(feature = "axum")]
            Self::Route(public) => {
                (template(request.extensions()) != Some(public.as_str())).then_some(public.as_str())
            }
            Self::Prefix(prefix) => Some(prefix),
        }
    }
}

fn pass<B>(request: &Request<B>) -> Option<&Pass> {
    request.extensions().get::<Anonymous>().map(|anonymous| &anonymous.pass)
}
