//! The principal of a request, as the authenticating middleware left it in the extensions.

use std::sync::Arc;

use http::{Extensions, Method, Request, Uri};

use super::Principal;
use crate::path::whole_path;
use crate::reject::{Reason, Rejection, ResponseConfig};
use crate::trace;

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
    Public { method: Method, uri: Uri },
}

/// Returns the principal of a request, or the rejection of a request without one. If the request did not pass the middleware, the log names
/// the component that `needs` it: a client can do nothing about that, and is told nothing of how the service is built.
pub(crate) fn principal<'e>(
    extensions: &'e Extensions,
    needs: &'static str,
) -> Result<&'e Principal, Rejection> {
    extensions.get::<Principal>().ok_or_else(|| match extensions.get::<Anonymous>() {
        Some(anonymous) => Rejection::by(Arc::clone(&anonymous.responses), Reason::Missing),
        None => {
            trace::missing_layer(needs);
            Rejection::new(Reason::NotAuthenticated)
        }
    })
}

/// Returns whether the middleware admitted a request as a CORS preflight. A layer in between may have changed the method: then it no longer
/// is one.
pub(crate) fn is_admitted_preflight<B>(request: &Request<B>) -> bool {
    matches!(pass(request), Some(Pass::Preflight)) && *request.method() == Method::OPTIONS
}

/// Returns whether the middleware admitted a request as public. A layer in between may have changed the method or the path: then it no
/// longer is.
pub(crate) fn is_admitted_public<B>(request: &Request<B>) -> bool {
    match pass(request) {
        Some(Pass::Public { method, uri }) => method == request.method() && uri.path() == whole_path(request),
        _ => false,
    }
}

fn pass<B>(request: &Request<B>) -> Option<&Pass> {
    request.extensions().get::<Anonymous>().map(|anonymous| &anonymous.pass)
}
