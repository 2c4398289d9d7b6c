//! Responses to rejected gRPC and gRPC-Web calls: HTTP status 200, the gRPC status in the headers, no body ("Trailers-Only").
//!
//! gRPC clients read a plain HTTP 401 as `UNKNOWN` or `INTERNAL`, so a call is answered in its own protocol. A proxy in front that goes by
//! the HTTP status, as nginx's `auth_request` does, would read that response as an admission. So it is sent only if the application
//! has enabled it, and only to a call.

// Layer 5 of 10: outcomes.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Version, header};

use super::body::RejectionBody;
use crate::reason::Reason;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Extension of a request that is a gRPC call, if the layer answers calls in their own protocol. Layers inside then answer alike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call(Family);

impl Call {
    /// Returns the call if the request is one: by `POST`, and over HTTP/2 unless it is gRPC-Web (gRPC over HTTP2, Requests).
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Self> {
        let family = family_of(request.headers().get(header::CONTENT_TYPE)?)?;
        let is_carried = family != Family::Grpc || request.version() >= Version::HTTP_2;
        (is_carried && *request.method() == Method::POST).then_some(Self(family))
    }
}

/// The content types of gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Grpc,
    Web,
    WebText,
}

impl Family {
    fn content_type(self) -> &'static str {
        match self {
            Self::Grpc => "application/grpc",
            Self::Web => "application/grpc-web",
            Self::WebText => "application/grpc-web-text",
        }
    }
}

/// Returns the kind of gRPC by the content type that gRPC requires of every call.
fn family_of(content_type: &HeaderValue) -> Option<Family> {
    let families = [Family::Grpc, Family::Web, Family::WebText];
    families.into_iter().find(|family| is_of(content_type.as_bytes(), family.content_type()))
}

/// Returns whether a content type is `base`, alone or followed by a message format or parameters.
fn is_of(found: &[u8], base: &str) -> bool {
    match found.split_at_checked(base.len()) {
        Some((start, rest)) => {
            start.eq_ignore_ascii_case(base.as_bytes())
                && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
        }
        None => false,
    }
}

pub(super) fn response<B: RejectionBody>(reason: &Reason, Call(family): Call) -> Response<B> {
    let row = reason.row();
    let mut response = Response::new(B::from_bytes(Bytes::new()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(family.content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(GRPC_STATUS, u16::from(row.grpc).into());
    // The table's texts are plain ASCII without `%`, so percent encoding would leave them as they are.
    headers.insert(GRPC_MESSAGE, HeaderValue::from_static(row.detail));
    if let Reason::Limited(limited) = reason {
        headers.insert(header::RETRY_AFTER, limited.retry_after_seconds().into());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_follows_from_the_content_type() {
        let family = |content_type: &'static str| family_of(&HeaderValue::from_static(content_type));
        assert_eq!(family("application/grpc"), Some(Family::Grpc));
        assert_eq!(family("Application/gRPC+proto"), Some(Family::Grpc));
        assert_eq!(family("application/grpc;charset=utf-8"), Some(Family::Grpc));
        assert_eq!(family("application/grpc-web+proto"), Some(Family::Web));
        assert_eq!(family("application/grpc-web-text"), Some(Family::WebText));
        assert_eq!(family("application/grpcfoo"), None);
        assert_eq!(family("application/grpc-websocket"), None);
        assert_eq!(family("application/json"), None);
    }
}
