//! The path of a request as the client sent it.
//!
//! It knows no rules: `principal`, `rules` and `authenticate` are above it.

use http::{Request, Uri};

/// Returns the whole path, which a nested axum router keeps in an extension.
pub(crate) fn whole_path<B>(request: &Request<B>) -> &str {
    whole_uri(request).path()
}

/// Returns the URI with the whole path.
#[cfg(feature = "axum")]
pub(crate) fn whole_uri<B>(request: &Request<B>) -> &Uri {
    request.extensions().get::<axum::extract::OriginalUri>().map_or(request.uri(), |original| &original.0)
}

/// Returns the URI with the whole path.
#[cfg(not(feature = "axum"))]
pub(crate) fn whole_uri<B>(request: &Request<B>) -> &Uri {
    request.uri()
}
