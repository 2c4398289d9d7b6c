//! The properties of a request that decide the form of its response.

// Layer 5 of 10: outcomes.

use http::{HeaderName, HeaderValue, Response, Version, header};

use super::grpc::Call;
use super::head::RequestHead;

/// The properties of a request that decide the form of its response. By default, those of an unknown HTTP request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RequestProtocol {
    /// The gRPC call, if the layer answers calls in their own protocol.
    pub(super) call: Option<Call>,
    /// Whether the server may leave the rest of the body unread.
    closes: bool,
}

impl RequestProtocol {
    /// Iterates over the headers once: to look each of them up by its name takes twice as long.
    pub(crate) fn of(request: RequestHead<'_>) -> Self {
        let RequestHead { version, headers, extensions, .. } = request;
        let leaves_a_body = |(name, value): (&HeaderName, &HeaderValue)| match *name {
            header::CONTENT_LENGTH => exceeds_discard_limit(value),
            header::TRANSFER_ENCODING => true,
            _ => false,
        };
        let closes = version <= Version::HTTP_11 && headers.iter().any(leaves_a_body);
        Self { call: extensions.get().copied(), closes }
    }

    /// Announces that the connection ends if the server will not read the rest of the body (RFC 9112 §9.6).
    pub(crate) fn announce_close<B>(self, response: &mut Response<B>) {
        if self.closes {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// Returns whether a body of this length is longer than a server would discard to keep the connection.
fn exceeds_discard_limit(length: &HeaderValue) -> bool {
    const DISCARD_LIMIT: u64 = 8 * 1024;
    let length = length.to_str().ok().and_then(|digits| digits.parse::<u64>().ok());
    length.is_none_or(|bytes| bytes > DISCARD_LIMIT)
}
