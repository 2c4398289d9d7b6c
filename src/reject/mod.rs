//! Rejections: why a request is not admitted, and what its client is told.
//!
//! One table defines every response. Calls behind a layer that answers [gRPC](crate::AuthenticateLayer::grpc) get those of gRPC, and all
//! other requests those of HTTP:
//!
//! | [`Reason`] | HTTP | `WWW-Authenticate` | gRPC | text | code |
//! |---|---|---|---|---|---|
//! | `Missing` | 401 | every scheme, without an error | 16 | `Missing API key` | `missing_key` |
//! | `Malformed`, `Unknown`, `Expired`, `Revoked`, `Disabled`, `WrongEnvironment`, `WrongSource`, `WrongOwner` | 401 | the scheme presented, `invalid_token` | 16 | `Invalid API key` | `invalid_key` |
//! | `Ambiguous` | 400 | every scheme, `invalid_request` | 3 | `Multiple credentials` | `multiple_credentials` |
//! | `MissingScope` | 403 | the scheme presented, `insufficient_scope` and the scopes | 7 | `Insufficient scope` | `insufficient_scope` |
//! | `Forbidden` | 403 | the scheme presented, `insufficient_scope` | 7 | `Forbidden` | `forbidden` |
//! | `Limited` | 429 and `Retry-After` | none | 8, and `retry-after` | `Rate limit exceeded` | `rate_limited` |
//! | `Unavailable` | 503 and `Retry-After` | none | 14 | `Service temporarily unavailable` | `unavailable` |
//! | `NotAuthenticated` | 500 | none | 13 | `Internal server error` | `internal_error` |
//!
//! The exact reason is for the operator: it goes into the log and into the extensions of the response, never to the client,
//! which receives the same bytes for a key that never existed and for one that was revoked. The text is part of the default
//! body, `{"detail":"…"}`; [`Respond`] writes another. The code is for bodies that have one ([`Reason::code`]).

// Layer 5 of 10: outcomes.
// Above `audit`, `metrics` and `trace`; below `cache` and `principal`. Bottom to top, a file importing only those before it:
// `body`, `challenge`, `grpc`, `head`, `prepared`, `protocol`, `rejection`, `http_response`, `problem`, `config`, `response`, `self`.

mod body;
mod challenge;
mod config;
mod grpc;
mod head;
mod http_response;
mod prepared;
#[cfg(feature = "problem")]
mod problem;
mod protocol;
mod rejection;
mod response;

pub(crate) use crate::reason::Outcome;
pub use crate::reason::{Forbidden, Limited, Reason};
pub use body::RejectionBody;
pub use head::RequestHead;
#[cfg(feature = "problem")]
pub use problem::Problem;
pub(crate) use protocol::RequestProtocol;
pub use rejection::{Detail, Payload, Rejection, Respond};

pub(crate) use config::ResponseConfigBuilder;
pub(crate) use grpc::Call;
pub(crate) use rejection::{Caller, ResponseConfig};
