//! Whom an answer is for: what has to be known of a request after it is gone.

use http::{HeaderMap, Request, Response, Version, header};

use super::grpc::{Family, family_of};

/// What has to be known of a request to answer it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addressee {
    /// The kind of gRPC that it speaks, if it does.
    pub(super) grpc: Option<Family>,
    close: bool,
}

impl Addressee {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        Self::new(request.version(), request.headers())
    }

    pub(crate) fn new(version: Version, headers: &HeaderMap) -> Self {
        Self { grpc: family_of(headers), close: version <= Version::HTTP_11 && leaves_a_body(headers) }
    }

    /// Says that the connection ends where the server will not read the rest of the body (RFC 9112 §9.6).
    pub(super) fn close<B>(self, response: &mut Response<B>) {
        if self.close {
            response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        }
    }
}

/// Tells whether more of a body is coming than a server would read away to go on with the connection.
fn leaves_a_body(headers: &HeaderMap) -> bool {
    const READ_AWAY: u64 = 8 * 1024;
    match headers.get(header::CONTENT_LENGTH) {
        Some(length) => {
            let length = length.to_str().ok().and_then(|digits| digits.parse::<u64>().ok());
            length.is_none_or(|bytes| bytes > READ_AWAY)
        }
        None => headers.contains_key(header::TRANSFER_ENCODING),
    }
}
