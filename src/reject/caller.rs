//! Who is calling, as the authenticating middleware left it in the extensions.

use std::sync::Arc;

use http::{Extensions, Method, Request};

use super::{Reason, Rejection, ResponseConfig};
use crate::principal::Principal;
use crate::trace;

/// The mark of a request that passed the middleware without a principal.
#[derive(Clone)]
pub(crate) struct Anonymous {
    pub(crate) responses: Arc<ResponseConfig>,
    /// Whether it is a preflight that was let through on purpose: it is answered by the service, whatever that requires.
    pub(crate) preflight: bool,
}

/// Returns the principal, or why there is none. Where the request did not pass the middleware, the operator is told what `needs` it: a
/// client can do nothing about that, and is told nothing of how the service is built.
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

/// Returns whether a request is a preflight that was let through on purpose. A layer in between may have given it another method: then it
/// is one no longer.
pub(crate) fn is_admitted_preflight<B>(request: &Request<B>) -> bool {
    let mark = request.extensions().get::<Anonymous>();
    *request.method() == Method::OPTIONS && mark.is_some_and(|anonymous| anonymous.preflight)
}
