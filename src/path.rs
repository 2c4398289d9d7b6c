//! The path of a request as the client sent it.

use http::Request;

/// Returns the whole path, which a nested axum router keeps in an extension.
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
