//! The principal of a request, as the authenticating middleware left it in the extensions.

use std::sync::Arc;

use http::{Extensions, Method, Request};

use super::Principal;
use crate::reject::{Reason, Rejection, ResponseConfig};
use crate::trace;

/// Extension of a request that passed the middleware without a principal.
#[derive(Clone)]
pub(crate) struct Anonymous {
    pub(crate) responses: Arc<ResponseConfig>,
    /// Whether the middleware admitted it as a CORS preflight: then the service answers it, also if the service requires scopes.
    pub(crate) preflight: bool,
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
    let anonymous = request.extensions().get::<Anonymous>();
    *request.method() == Method::OPTIONS && anonymous.is_some_and(|anonymous| anonymous.preflight)
}
