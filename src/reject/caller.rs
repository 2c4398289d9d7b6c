//! Who is calling, as the authenticating middleware left it in the extensions.

use std::sync::Arc;

use http::Extensions;

use super::{Answers, Reason, Rejection};
use crate::principal::Principal;

/// The mark of a request that passed the middleware without a principal.
#[derive(Clone)]
pub(crate) struct Anonymous(pub(crate) Arc<Answers>);

/// Returns the principal, or why there is none.
pub(crate) fn principal(extensions: &Extensions) -> Result<&Principal, Rejection> {
    extensions.get::<Principal>().ok_or_else(|| match extensions.get::<Anonymous>() {
        Some(Anonymous(answers)) => Rejection::by(Arc::clone(answers), Reason::Missing),
        None => Rejection::new(Reason::NotAuthenticated),
    })
}
