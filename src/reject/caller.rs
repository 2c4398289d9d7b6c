//! Who is calling, as the authenticating middleware left it in the extensions.

use std::sync::Arc;

use http::Extensions;

use super::{Answers, Reason, Rejection};
use crate::principal::Principal;

/// The mark of a request that passed the middleware without a principal.
#[derive(Clone)]
pub(crate) struct Anonymous(pub(crate) Arc<Answers>);

/// A rejection, and the answers of whoever is responsible for the request.
pub(crate) struct Refusal {
    pub(crate) rejection: Rejection,
    pub(crate) answers: Arc<Answers>,
}

/// Returns the principal, or why there is none.
pub(crate) fn principal(extensions: &Extensions) -> Result<&Principal, Refusal> {
    if let Some(principal) = extensions.get::<Principal>() {
        return Ok(principal);
    }
    Err(match extensions.get::<Anonymous>() {
        Some(Anonymous(answers)) => {
            Refusal { rejection: Rejection::new(Reason::Missing), answers: Arc::clone(answers) }
        }
        None => {
            Refusal { rejection: Rejection::new(Reason::NotAuthenticated), answers: Answers::default_ones() }
        }
    })
}
