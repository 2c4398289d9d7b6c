//! The path of a request as the client sent it.

use http::Request;

/// Returns the whole path. A nested axum router sees less of it, and keeps the whole one aside.
#[cfg(feature = "axum")]
pub(crate) fn whole_path<B>(request: &Request<B>) -> &str {
    match request.extensions().get::<axum::extract::OriginalUri>() {
        Some(original) => original.0.path(),
        None => request.uri().path(),
    }
}

/// Returns the whole path.
#[cfg(not(feature = "axum"))]
pub(crate) fn whole_path<B>(request: &Request<B>) -> &str {
    request.uri().path()
}
