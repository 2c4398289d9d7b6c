//! The responses of an authenticator, built once: whatever depends neither on the request nor on the required scopes. A rejection clones one.

// Layer 5 of 10: outcomes.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::challenge::Challenges;
use crate::reason::{Reason, Row, Rows, TABLE};

/// The responses to every reason, for each presented scheme, in the order of the challenges.
pub(super) struct Prepared(Box<[Rows<Template>]>);

/// A response with the default body.
struct Template {
    status: StatusCode,
    headers: HeaderMap,
    body: &'static str,
}

impl Prepared {
    pub(super) fn new(challenges: &Challenges, retry_after: Option<&HeaderValue>) -> Self {
        let of_scheme =
            |index| TABLE.map(|row| Template::new(row, challenges.lines(row, index), retry_after));
        Self((0..challenges.len()).map(of_scheme).collect())
    }

    /// Returns the response to a credential of the scheme with this index.
    pub(super) fn response(&self, reason: &Reason, index: usize) -> Response<Bytes> {
        let Template { status, headers, body } = self.0[index].of(reason);
        let mut response = Response::new(Bytes::from_static(body.as_bytes()));
        *response.status_mut() = *status;
        *response.headers_mut() = headers.clone();
        response
    }
}

impl Template {
    /// No cache may store it (RFC 9111 §5.2.2.5).
    fn new(row: &Row, challenges: Vec<HeaderValue>, retry_after: Option<&HeaderValue>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for challenge in challenges {
            headers.append(header::WWW_AUTHENTICATE, challenge);
        }
        if let (StatusCode::SERVICE_UNAVAILABLE, Some(seconds)) = (row.status, retry_after) {
            headers.insert(header::RETRY_AFTER, seconds.clone());
        }
        Self { status: row.status, headers, body: row.body }
    }
}
