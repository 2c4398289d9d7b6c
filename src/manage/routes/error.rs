//! What a client is told whose request is not followed, and in which shape.

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
use super::output::answer;
use crate::reject::Payload;
use crate::trace::{self, Failure};

/// What a client is told whose request is not followed. Its text says all of it in one line: `Invalid values; name: expected a
/// text, found a number`.
///
/// It travels in the extensions of the response, so that layers around the routes can log and count it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The status of the answer.
    pub status: StatusCode,
    /// What is wrong, for people.
    pub detail: Cow<'static, str>,
    /// Which fields are wrong, where that can be said.
    pub errors: Vec<FieldError>,
}

/// Writes the body of a refusal.
pub(super) type Shape = Arc<dyn Fn(&Refused) -> Payload + Send + Sync>;

impl Refused {
    pub(super) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, detail: detail.into(), errors: Vec::new() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        self.errors.iter().try_for_each(|FieldError { field, message }| write!(f, "; {field}: {message}"))
    }
}

impl From<ManageError> for Refused {
    /// Says what went wrong, never what the store said about it.
    fn from(error: ManageError) -> Self {
        let (status, detail) = match error.kind() {
            ManageErrorKind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "Invalid values"),
            ManageErrorKind::NotFound => (StatusCode::NOT_FOUND, "No such key"),
            ManageErrorKind::Forbidden => (StatusCode::FORBIDDEN, "Beyond the caller"),
            ManageErrorKind::Conflict => (StatusCode::CONFLICT, "Not possible in the state of the key"),
            ManageErrorKind::Busy => (StatusCode::SERVICE_UNAVAILABLE, "Too many requests for keys at once"),
            ManageErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Keys temporarily unavailable"),
        };
        Self { errors: error.fields().to_vec(), ..Self::new(status, detail) }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut body = json!({ "detail": self.detail });
        if !self.errors.is_empty() {
            let error = |error: &FieldError| json!({ "field": error.field, "detail": error.message });
            body["errors"] = self.errors.iter().map(error).collect::<Value>();
        }
        let mut response = answer(self.status, &body);
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Answers as [`Refused`] does.
impl IntoResponse for ManageError {
    fn into_response(self) -> Response {
        if self.kind() == ManageErrorKind::Unavailable {
            // The client is told nothing of the cause.
            trace::failed("key management request", &Failure::Other(&self));
        }
        Refused::from(self).into_response()
    }
}

/// Writes the body of a refusal once more, in a shape of the application's own.
pub(super) async fn reshape(State(shape): State<Shape>, mut response: Response) -> Response {
    if let Some(refused) = response.extensions().get::<Refused>() {
        let payload = shape(refused);
        response.headers_mut().insert(CONTENT_TYPE, payload.content_type);
        response.headers_mut().remove(CONTENT_LENGTH);
        *response.body_mut() = Body::from(payload.bytes);
    }
    response
}
