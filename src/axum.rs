//! For axum: extractors, rejections as responses, and axum's own body.
//!
//! A handler that takes a [`Principal`] is never called without one. One that takes an `Option<Principal>` is, where the
//! layer is [`optional`](crate::AuthenticateLayer::optional) or the path public.
//!
//! ```
//! use axum::{Router, routing::get};
//! use tower_api_key::{AuthenticateLayer, Authenticator, MemoryStore, Principal};
//!
//! async fn whoami(principal: Principal) -> String {
//!     principal.key_id().to_string()
//! }
//!
//! let authenticator = Authenticator::builder(MemoryStore::new()).build()?;
//! let app: Router = Router::new().route("/whoami", get(whoami)).layer(AuthenticateLayer::new(authenticator));
//! # Ok::<(), tower_api_key::ConfigError>(())
//! ```
//!
//! A layer covers the routes that were added *before* it, and no others: add routes first, then the layer. To have unknown
//! paths answered with 404 instead of 401, use `route_layer`.
//!
//! Where the path of a route names an organization or a project, [`RequireResourceLayer`] asks whether the caller may go there.

mod require_resource;

pub use require_resource::RequireResourceLayer;

use axum::body::Body;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::principal::Principal;
use crate::reject::{self, Reason, RefusalBody, Rejection, RequestProtocol};

impl RefusalBody for Body {
    fn from_bytes(bytes: Bytes) -> Self {
        bytes.into()
    }
}

/// What an extractor answers when there is no principal: a 401 where the request came without a credential, a 500 where it passed no
/// [`AuthenticateLayer`](crate::AuthenticateLayer), which is an error in the log (feature `tracing`).
#[derive(Debug)]
pub struct PrincipalRejection {
    rejection: Rejection,
    to: RequestProtocol,
}

impl PrincipalRejection {
    /// Returns why there is no principal.
    pub fn rejection(&self) -> &Rejection {
        &self.rejection
    }
}

impl IntoResponse for PrincipalRejection {
    fn into_response(self) -> Response {
        self.rejection.answer(self.to)
    }
}

/// What needs a principal that is extracted.
const NEEDS: &str =
    "the extractor of a `Principal` (in a handler, by `RequireResourceLayer` or by the management routes)";

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = PrincipalRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        reject::principal(&parts.extensions, NEEDS).cloned().map_err(|rejection| PrincipalRejection {
            rejection,
            to: RequestProtocol::new(parts.version, &parts.headers, &parts.extensions),
        })
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Principal {
    type Rejection = PrincipalRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Self::Rejection> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(principal) => Ok(Some(principal)),
            Err(missing) if *missing.rejection().reason() == Reason::Missing => Ok(None),
            Err(misconfigured) => Err(misconfigured),
        }
    }
}

/// Answers over HTTP, as the authenticator that is responsible for the request is configured to.
impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.answer(RequestProtocol::http())
    }
}
