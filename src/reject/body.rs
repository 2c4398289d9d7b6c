//! Response bodies that a rejection can be written into.

use bytes::Bytes;
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use http_body_util::{BodyExt, Full};

/// A response body that can be made of bytes, so that a rejection has the type of the service's own responses.
///
/// Implemented for `Full<Bytes>` and the boxed bodies of http-body-util, for `Bytes` and `Vec<u8>`, for axum's body (feature `axum`) and for
/// tonic's (feature `tonic`). A service with another body implements it, or maps its responses into one of these.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a response body that a rejection can be written into",
    note = "for the bodies of axum and tonic, enable the feature `axum` or `tonic` of tower-api-key",
    note = "if a layer inside this one changes the body, box it: `.map_response(|r| r.map(BoxBody::new))`",
    note = "for a body of your own, implement `RejectionBody`"
)]
pub trait RejectionBody {
    /// Creates a body that consists of these bytes, and has ended if there are none.
    fn from_bytes(bytes: Bytes) -> Self;
}

impl RejectionBody for Full<Bytes> {
    fn from_bytes(bytes: Bytes) -> Self {
        Self::new(bytes)
    }
}

impl RejectionBody for Bytes {
    fn from_bytes(bytes: Bytes) -> Self {
        bytes
    }
}

impl RejectionBody for Vec<u8> {
    fn from_bytes(bytes: Bytes) -> Self {
        bytes.into()
    }
}

impl<E> RejectionBody for BoxBody<Bytes, E> {
    fn from_bytes(bytes: Bytes) -> Self {
        Full::new(bytes).map_err(|never| match never {}).boxed()
    }
}

impl<E> RejectionBody for UnsyncBoxBody<Bytes, E> {
    fn from_bytes(bytes: Bytes) -> Self {
        Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
    }
}
