//! Rejects cross-site changes.
//!
//! A browser sends stored Basic credentials with the requests of any page, so a page of another site could create a key with a form, though it
//! cannot read the response.

// Layer 9 of 10: management.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::RouteError;

/// Rejects changes from pages of other sites.
pub(super) async fn reject_cross_site(request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !is_safe && is_cross_site(request.headers(), request.uri()) {
        return RouteError::new(
            StatusCode::FORBIDDEN,
            "The request must be from this site, got one from another",
        )
        .into_response();
    }
    next.run(request).await
}

/// Returns whether a request comes from a page of another site: by Fetch Metadata, or in browsers without them, by an `Origin` other than the
/// requested host. Clients other than browsers send neither.
fn is_cross_site(headers: &HeaderMap, uri: &Uri) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "cross-site";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str().as_bytes()));
    let own = |scheme: &[u8]| {
        let asked = origin.as_bytes().strip_prefix(scheme)?;
        Some(host?.eq_ignore_ascii_case(asked))
    };
    own(b"https://").or_else(|| own(b"http://")) != Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_rejected(headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)));
        is_cross_site(&headers.collect(), &Uri::from_static("/keys"))
    }

    #[test]
    fn a_request_is_cross_site_by_fetch_metadata_or_origin() {
        let host = ("host", "api.example.com");
        for own in [
            &[host][..],
            &[],
            &[host, ("origin", "https://api.example.com")],
            &[host, ("origin", "http://API.example.com")],
            &[host, ("origin", "https://elsewhere.example"), ("sec-fetch-site", "same-origin")],
            &[host, ("sec-fetch-site", "same-site")],
            &[host, ("sec-fetch-site", "none")],
        ] {
            assert!(!is_rejected(own), "{own:?}");
        }
        for foreign in [
            &[host, ("sec-fetch-site", "cross-site")][..],
            &[host, ("origin", "https://api.example.com"), ("sec-fetch-site", "cross-site")],
            &[host, ("origin", "https://elsewhere.example")],
            &[host, ("origin", "https://api.example.com.elsewhere.example")],
            &[host, ("origin", "https://api.example.com:8443")],
            &[host, ("origin", "null")],
            &[host, ("origin", "")],
            &[("origin", "https://api.example.com")],
        ] {
            assert!(is_rejected(foreign), "{foreign:?}");
        }
    }
}
