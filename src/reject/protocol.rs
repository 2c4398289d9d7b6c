//! Whom an answer is for: what has to be known of a request after it is gone.

use http::{Extensions, HeaderMap, HeaderValue, Request, Response, Version, header};

use super::grpc::Call;

/// What has to be known of a request to answer it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestProtocol {
    /// The gRPC call that it is, if the application asked for answers to such.
    pub(super) call: Option<Call>,
    close: bool,
}

impl RequestProtocol {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        Self::new(request.version(), request.headers(), request.extensions())
    }

    /// Goes through the headers once: to look each of them up by its name takes twice as long.
    pub(crate) fn new(version: Version, headers: &HeaderMap, extensions: &Extensions) -> Self {
        let mut leaves_a_body = false;
        for (name, value) in headers {
            match *name {
                header::CONTENT_LENGTH => leaves_a_body |= exceeds_what_is_read_away(value),
                header::TRANSFER_ENCODING => leaves_a_body = true,
                _ => {}
            }
        }
        Self { call: extensions.get().copied(), close: leaves_a_body && version <= Version::HTTP_11 }
    }

    /// An HTTP client of which nothing else is known.
    #[cfg(feature = "axum")]
    pub(crate) fn http() -> Self {
        Self { call: None, close: false }
    }

    /// Says that the connection ends where the server will not read the rest of the body (RFC 9112 §9.6).
    pub(super) fn close<B>(self, response: &mut Response<B>) {
        if self.close {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// Returns whether a body of this length is more than a server would read away to go on with the connection.
fn exceeds_what_is_read_away(length: &HeaderValue) -> bool {
    const READ_AWAY: u64 = 8 * 1024;
    let length = length.to_str().ok().and_then(|digits| digits.parse::<u64>().ok());
    length.is_none_or(|bytes| bytes > READ_AWAY)
}
