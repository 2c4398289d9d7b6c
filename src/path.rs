//! The path of a request as the client sent it, and the route that a router has matched.
//!
//! It knows no rules. All layers above read it: rejections report the route, the rules and the public paths compare it.

// Layer 4 of 10: observation.

use http::{Extensions, Request, Uri};

/// Returns the whole path. `None` if a layer below a router has rewritten it.
pub(crate) fn whole_path<B>(request: &Request<B>) -> Option<&str> {
    whole_uri(request).map(Uri::path)
}

/// Returns the URI with the whole path, which a nested axum router keeps in an extension. `None` if a layer below a router has rewritten
/// the path: the handler then belongs to another path than the one that was kept.
#[cfg(feature = "axum")]
pub(crate) fn whole_uri<B>(request: &Request<B>) -> Option<&Uri> {
    use axum::extract::{NestedPath, OriginalUri};
    let (current, extensions) = (request.uri(), request.extensions());
    let Some(OriginalUri(original)) = extensions.get() else { return Some(current) };
    let nested = extensions.get::<NestedPath>().map(NestedPath::as_str);
    is_remainder(current.path(), original.path(), nested).then_some(original)
}

/// Returns the URI with the whole path.
#[cfg(not(feature = "axum"))]
#[allow(clippy::unnecessary_wraps, reason = "with axum, the path may be unknown")]
pub(crate) fn whole_uri<B>(request: &Request<B>) -> Option<&Uri> {
    Some(request.uri())
}

/// Returns whether `current` is what remains of `original` without the prefix at which routers are nested, such as `/api/{version}`. A
/// router removes as many segments as the prefix has, and leaves `/` of the prefix itself.
#[cfg(feature = "axum")]
fn is_remainder(current: &str, original: &str, nested: Option<&str>) -> bool {
    let Some(nested) = nested else { return current == original };
    let segments = |path: &str| path.split('/').filter(|segment| !segment.is_empty()).count();
    let root = || (current == "/").then_some(original);
    let removed = original.strip_suffix(current).or_else(root);
    current.starts_with('/') && removed.is_some_and(|removed| segments(removed) == segments(nested))
}

/// Returns whether a router has seen the request: it leaves the URI there, whether or not it finds a route.
#[cfg(feature = "axum")]
pub(crate) fn is_routed<B>(request: &Request<B>) -> bool {
    request.extensions().get::<axum::extract::OriginalUri>().is_some()
}

/// Returns `false`: without the feature `axum`, no router is known.
#[cfg(all(not(feature = "axum"), feature = "test-util"))]
pub(crate) fn is_routed<B>(_: &Request<B>) -> bool {
    false
}

/// Returns the template of the route that a router has matched: a text of the application.
#[cfg(feature = "axum")]
pub(crate) fn template(extensions: &Extensions) -> Option<&str> {
    extensions.get().map(axum::extract::MatchedPath::as_str)
}

/// Returns the template of the route: only axum knows one.
#[cfg(not(feature = "axum"))]
pub(crate) fn template(_: &Extensions) -> Option<&str> {
    None
}

#[cfg(all(test, feature = "axum"))]
mod tests {
    use super::*;

    #[test]
    fn nesting_removes_a_prefix_and_nothing_else() {
        for (current, original, nested) in [
            ("/a", "/a", None),
            ("*", "*", None),
            ("", "", None),
            ("/a", "/api/a", Some("/api")),
            ("/", "/api", Some("/api")),
            ("/", "/api/", Some("/api")),
            ("/a/", "/api/a/", Some("/api/")),
            ("/a", "/api//a", Some("/api")),
            ("/a", "/v1/acme/a", Some("/v1/{tenant}")),
        ] {
            assert!(is_remainder(current, original, nested), "{current} of {original} in {nested:?}");
        }
        for (current, original, nested) in [
            ("/admin/a", "/a", None),
            ("/a", "/old/a", None),
            ("/", "/a", None),
            ("/a", "/a/", None),
            ("/a", "//a", None),
            ("/a", "/a", Some("/api")),
            ("/b", "/api/a", Some("/api")),
            ("/", "/api/a", Some("/api")),
            ("/a", "/api/b/a", Some("/api")),
            ("/a/b", "/api/a/b", Some("/api/a")),
            ("", "/api", Some("/api")),
        ] {
            assert!(!is_remainder(current, original, nested), "{current} of {original} in {nested:?}");
        }
    }
}
