//! The answer to an HTTP request.

use bytes::Bytes;
use http::{HeaderValue, Response, header};

use super::Rejection;

/// Writes status, challenges, body, and that nobody may store it (RFC 9111 §5.2.2.5).
pub(super) fn answer(rejection: &Rejection) -> Response<Bytes> {
    let responses = &rejection.responses;
    let payload = responses.respond.respond(rejection);
    let mut response = Response::new(payload.bytes);
    *response.status_mut() = rejection.reason.status();
    let challenges = responses.challenges.lines(rejection);
    let headers = response.headers_mut();
    // What follows, and `Connection`: to make room once costs less than to grow.
    headers.reserve(challenges.len() + 4);
    headers.insert(header::CONTENT_TYPE, payload.content_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for challenge in challenges {
        headers.append(header::WWW_AUTHENTICATE, challenge);
    }
    if let (super::Reason::Unavailable, Some(seconds)) = (&rejection.reason, &responses.retry_after) {
        headers.insert(header::RETRY_AFTER, seconds.clone());
    }
    response
}
