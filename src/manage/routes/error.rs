//! Error responses of the routes, in the default shape or in the application's.

// Layer 9 of 10: management.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::super::{FieldError, ManageError, ManageErrorKind};
use super::output::json_response;
use crate::reject::Payload;
use crate::trace::{self, Failure};

/// An error response of the routes. Its `Display` text is the whole error in one line: `Invalid values; name: must be a string, got the number 7`.
///
/// The response carries it in its extensions, so that layers around the routes can log and count it. It repeats what the client sent only as
/// far as [`FieldError::message`] does, so it writes no control characters into a log, and no random key. A page has to
/// escape it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteError {
    /// The status of the response.
    pub status: StatusCode,
    /// The error, for people.
    pub detail: Cow<'static, str>,
    /// The invalid fields, if the error concerns fields.
    pub errors: Vec<FieldError>,
}

/// Writes the body of an error response.
pub(super) type Shape = Arc<dyn Fn(&RouteError) -> Payload + Send + Sync>;

impl RouteError {
    pub(super) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, detail: detail.into(), errors: Vec::new() }
    }

    pub(super) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }
}

/// The error of a change that would end the last manager of an owner.
const LAST_MANAGER: &str =
    "This is the last key that can manage the keys of its owner: end it with `?force=true`";

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        self.errors.iter().try_for_each(|FieldError { field, message }| write!(f, "; {field}: {message}"))
    }
}

impl From<ManageError> for RouteError {
    /// Converts the kind and the fields of an error. The store's own message is left out: it is not for clients.
    fn from(error: ManageError) -> Self {
        let (status, detail) = match error.kind() {
            ManageErrorKind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "Invalid values"),
            ManageErrorKind::NotFound => (StatusCode::NOT_FOUND, "No such key"),
            ManageErrorKind::Forbidden => (StatusCode::FORBIDDEN, "The caller may not make this change"),
            ManageErrorKind::Conflict => (StatusCode::CONFLICT, "Not possible in the state of the key"),
            ManageErrorKind::LastManager => (StatusCode::CONFLICT, LAST_MANAGER),
            ManageErrorKind::Busy => (StatusCode::SERVICE_UNAVAILABLE, "Too many requests for keys at once"),
            ManageErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Keys temporarily unavailable"),
        };
        Self { errors: error.fields().to_vec(), ..Self::new(status, detail) }
    }
}

impl IntoResponse for RouteError {
    fn into_response(self) -> Response {
        let mut body = json!({ "detail": self.detail });
        if !self.errors.is_empty() {
            let error = |error: &FieldError| json!({ "field": error.field, "detail": error.message });
            body["errors"] = self.errors.iter().map(error).collect::<Value>();
        }
        let mut response = json_response(self.status, &body);
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Responds as [`RouteError`] does, and logs the cause if the store is unavailable.
impl IntoResponse for ManageError {
    fn into_response(self) -> Response {
        if self.kind() == ManageErrorKind::Unavailable {
            // The client is told nothing of the cause.
            trace::failed("key management request", &Failure::Other(&self));
        }
        RouteError::from(self).into_response()
    }
}

pub(super) async fn not_found() -> RouteError {
    RouteError::new(StatusCode::NOT_FOUND, "No such route")
}

/// Responds to other methods of a route. The router adds the `Allow` header.
pub(super) async fn method_not_allowed() -> RouteError {
    RouteError::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
}

/// Replaces the body of an error response by the application's.
pub(super) async fn reshape(State(shape): State<Shape>, mut response: Response) -> Response {
    if let Some(error) = response.extensions().get::<RouteError>() {
        let payload = shape(error);
        response.headers_mut().insert(CONTENT_TYPE, payload.content_type);
        response.headers_mut().remove(CONTENT_LENGTH);
        *response.body_mut() = Body::from(payload.bytes);
    }
    response
}
