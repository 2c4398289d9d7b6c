//! The response to a request that its rule does not admit, for both middlewares: `authenticate` and `require_scope`, which are above.

// Layer 8 of 10: decision.

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use super::test_probe;
use crate::key::KeyId;
use crate::reject::{Rejection, RejectionBody, RequestProtocol};
use crate::trace;

/// The end of a request that is not forwarded.
pub(crate) enum Denied {
    Rejected(Rejection),
    /// A router has found no route for the request of a caller, and says so with a 404. Without a caller if it was admitted as
    /// public.
    NoRoute {
        key_id: Option<KeyId>,
    },
}

impl From<Rejection> for Denied {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl Denied {
    /// Reports a rejection. A request without a route is logged only: it is neither counted nor passed to the audit hook.
    pub(crate) fn into_response_to<B: RejectionBody, R>(self, request: &Request<R>) -> Response<B> {
        test_probe::note_route(request);
        match self {
            Self::Rejected(rejection) => rejection.into_response_to(request),
            Self::NoRoute { key_id } => {
                trace::rejected("no_route", None, None, key_id.as_ref());
                let mut response = Response::new(B::from_bytes(Bytes::new()));
                *response.status_mut() = StatusCode::NOT_FOUND;
                RequestProtocol::of(request.into()).announce_close(&mut response);
                response
            }
        }
    }
}
