//! The responses of an authenticator, built once: whatever depends on neither the request, nor the required scopes, nor a limit. A rejection clones a head and a body.

// Layer 5 of 10: outcomes.

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderValue, Response, StatusCode, header};

use super::challenge::Challenges;
use crate::reason::{Reason, Row, Rows, TABLE};

/// The responses to every reason, for each presented scheme, in the order of the challenges.
pub(super) struct Prepared(Box<[Rows<(Parts, Bytes)>]>);

impl Prepared {
    pub(super) fn new(challenges: &Challenges, retry_after: Option<&HeaderValue>) -> Self {
        let of_scheme =
            |index| TABLE.map(|row| head_and_body(row, challenges.lines(row, index), retry_after));
        Self((0..challenges.len()).map(of_scheme).collect())
    }

    /// Returns the head and the body of the response to a credential of the scheme with this index.
    #[inline]
    pub(super) fn of(&self, reason: &Reason, index: usize) -> &(Parts, Bytes) {
        self.0[index].of(reason)
    }
}

/// Creates the head and the body of the response for a row of the table. No cache may store it (RFC 9111 §5.2.2.5).
fn head_and_body(
    row: &Row,
    challenges: Vec<HeaderValue>,
    retry_after: Option<&HeaderValue>,
) -> (Parts, Bytes) {
    let mut response = Response::new(Bytes::from_static(row.body.as_bytes()));
    *response.status_mut() = row.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for challenge in challenges {
        headers.append(header::WWW_AUTHENTICATE, challenge);
    }
    if let (StatusCode::SERVICE_UNAVAILABLE, Some(seconds)) = (row.status, retry_after) {
        headers.insert(header::RETRY_AFTER, seconds.clone());
    }
    response.into_parts()
}
