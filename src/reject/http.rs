//! HTTP responses to rejections.

use bytes::Bytes;
use http::{HeaderValue, Response, header};

use super::head::RequestHead;
use super::rejection::Rejection;
use crate::reason::Reason;

/// Returns status, challenges and body, which no cache may store (RFC 9111 §5.2.2.5).
pub(super) fn response(rejection: &Rejection, request: Option<RequestHead<'_>>) -> Response<Bytes> {
    let responses = &rejection.responses;
    let payload =
        responses.respond.respond(rejection, request.map(|head| head.hiding(&responses.challenges)));
    let mut response = Response::new(payload.bytes);
    *response.status_mut() = rejection.reason.status();
    let challenges = responses.challenges.lines(&rejection.reason, rejection.scheme.as_ref());
    let headers = response.headers_mut();
    // All headers below, and `Connection`: to reserve once costs less than to grow.
    headers.reserve(challenges.len() + 4);
    headers.insert(header::CONTENT_TYPE, payload.content_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for challenge in challenges {
        headers.append(header::WWW_AUTHENTICATE, challenge);
    }
    if let (Reason::Unavailable, Some(seconds)) = (&rejection.reason, &responses.retry_after) {
        headers.insert(header::RETRY_AFTER, seconds.clone());
    }
    response
}
