//! Changes that a page of another site asks for.
//!
//! A browser presents Basic credentials that it has kept to any page that asks, so a page elsewhere could make a key by a form. What a page may
//! not read, it may still send.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::RouteError;

/// Refuses changes that come from another site.
pub(super) async fn refuse_cross_site(request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !is_safe && is_cross_site(request.headers(), request.uri()) {
        return RouteError::new(
            StatusCode::FORBIDDEN,
            "Expected a request of this site, found one of another",
        )
        .into_response();
    }
    next.run(request).await
}

/// Returns whether a browser says that another site has asked: by Fetch Metadata, or where it does not know these, by an `Origin` other than
/// the host that is asked. Clients that are no browsers send neither.
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

    fn says(headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)));
        is_cross_site(&headers.collect(), &Uri::from_static("/keys"))
    }

    #[test]
    fn a_site_is_another_one_by_what_a_browser_says() {
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
            assert!(!says(own), "{own:?}");
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
            assert!(says(foreign), "{foreign:?}");
        }
    }
}
