//! Support for axum: extractors, rejections as responses, and axum's own body.
//!
//! A handler that takes a [`Principal`] is never called without one. One that takes an `Option<Principal>` is, if the
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
//! A layer covers only the routes that were added *before* it: add routes first, then the layer. To answer unknown
//! paths with 404 instead of 401, use `route_layer`.
//!
//! [`RouteRules`] say in one place which routes are public, need any key, or need scopes.
//!
//! If the path of a route names an organization or a project, [`RequireResourceLayer`] checks that the caller may access it.

// Layer 10 of 10: rim.
// Above `rules` and `authenticate`; nothing imports it. Its two files do not import each other.

mod require_resource;
mod route_rules;

pub use require_resource::RequireResourceLayer;
pub use route_rules::RouteRules;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use axum::body::Body;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::path::template;
use crate::principal::{self, Dependent, Principal};
use crate::reject::{Reason, Rejection, RejectionBody};

impl RejectionBody for Body {
    fn from_bytes(bytes: Bytes) -> Self {
        bytes.into()
    }
}

/// The rejection of an extractor without a principal: a 401 if the request has no credential, a 500 if it passed no
/// [`AuthenticateLayer`](crate::AuthenticateLayer), which is an error in the log (feature `tracing`).
#[derive(Debug)]
pub struct PrincipalRejection {
    rejection: Rejection,
    /// The template of the route.
    route: Option<Box<str>>,
    /// Written while the request is in reach, and boxed as extractors return it by value.
    response: Box<axum::http::Response<Bytes>>,
}

impl PrincipalRejection {
    fn new(rejection: Rejection, parts: &Parts) -> Self {
        let route = template(&parts.extensions);
        let render = || rejection.render(Some(parts.into()));
        // The application's code may panic, which ends the request before it becomes a response.
        let response = catch_unwind(AssertUnwindSafe(render)).unwrap_or_else(|panic| {
            rejection.report(route);
            resume_unwind(panic)
        });
        Self { route: route.map(Into::into), response: Box::new(response), rejection }
    }

    /// Returns the rejection, with its reason.
    pub fn rejection(&self) -> &Rejection {
        &self.rejection
    }
}

impl IntoResponse for PrincipalRejection {
    fn into_response(self) -> Response {
        self.rejection.report(self.route.as_deref());
        let mut response = *self.response;
        self.rejection.attach_to(&mut response);
        response.map(Body::from_bytes)
    }
}

/// Names the extractors in the log if the layer is missing, and remembers that it did: once for a process.
static EXTRACTORS: Dependent = Dependent::new(
    "the extractor of a `Principal` (in a handler, by `RequireResourceLayer` or by the management routes)",
);

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = PrincipalRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        principal::principal(&parts.extensions, &EXTRACTORS)
            .cloned()
            .map_err(|rejection| PrincipalRejection::new(rejection, parts))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Principal {
    type Rejection = PrincipalRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        match principal::principal(&parts.extensions, &EXTRACTORS) {
            Ok(principal) => Ok(Some(principal.clone())),
            Err(missing) if *missing.reason() == Reason::Missing => Ok(None),
            Err(misconfigured) => Err(PrincipalRejection::new(misconfigured, parts)),
        }
    }
}

/// Responds over HTTP as the authenticator is configured to, without looking at the request:
/// [`into_response_to`](Rejection::into_response_to) does.
impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.into()
    }
}
