//! Response bodies that a rejection can be written into.

// Layer 5 of 10: outcomes.

use bytes::Bytes;
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use http_body_util::{BodyExt, Either, Full};

/// A response body that can be made of bytes, so that a rejection has the type of the service's own responses.
///
/// Implemented for `Full<Bytes>` and the boxed bodies of http-body-util, for `Bytes` and `Vec<u8>`, for axum's body (feature `axum`) and for
/// tonic's (feature `tonic`). A service with another body implements it, or maps its responses into one of these.
///
/// A layer inside that changes the body, such as compression, gives it a type of its own, which only that layer can make. `Either::Left` of
/// http-body-util wraps a body of any type, without an allocation, and leaves the other half to rejections. In axum, `Router::layer` turns
/// every body into axum's, so layers that are added one by one need nothing in between.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::{Either, Full};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_api_key::{AuthenticateLayer, MemoryStore};
/// use tower_http::compression::CompressionLayer;
///
/// let service = ServiceBuilder::new()
///     .layer(AuthenticateLayer::new(MemoryStore::new()))
///     .map_response(|response: Response<_>| response.map(Either::Left))
///     .layer(CompressionLayer::new())
///     .service(service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))));
/// assert_eq!(service.oneshot(Request::default()).await?.status(), 401);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a response body that a rejection can be written into",
    note = "for the bodies of axum and tonic, enable the feature `axum` or `tonic` of tower-api-key",
    note = "a layer inside this one that changes the body, such as compression or tracing, needs one of three changes:\n\
            - `.map_response(|response: Response<_>| response.map(http_body_util::Either::Left))` between the two\n\
            - in axum, a call of `Router::layer` for each of them, instead of one with a `ServiceBuilder`\n\
            - its place outside of this one",
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

/// For services whose body has a type of its own: `Either::Left` wraps it.
impl<B> RejectionBody for Either<B, Full<Bytes>> {
    fn from_bytes(bytes: Bytes) -> Self {
        Self::Right(Full::new(bytes))
    }
}
