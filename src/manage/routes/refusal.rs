//! What is answered instead of what was asked for.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::super::ManageError;
use super::error::Refused;
use super::input::Incomplete;
use crate::reject::Rejection;

/// Why a request is not followed.
pub(super) enum Refusal {
    /// The caller lacks a scope.
    Caller(Box<Rejection>),
    /// The request cannot be read, for this reason.
    Request(String),
    /// The body did not arrive, or is larger than any that is read.
    Body(Incomplete),
    /// The key cannot be made, changed or found.
    Key(ManageError),
}

impl From<ManageError> for Refusal {
    fn from(error: ManageError) -> Self {
        Self::Key(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Caller(rejection) => rejection.into_response(),
            Self::Request(reason) => Refused::new(StatusCode::BAD_REQUEST, reason).into_response(),
            Self::Body(Incomplete::Late(most)) => {
                let detail =
                    format!("Expected a whole body within {} s, found a part of it", most.as_secs_f64());
                Refused::new(StatusCode::REQUEST_TIMEOUT, detail).into_response()
            }
            Self::Body(Incomplete::Refused(rejection)) => {
                let detail = match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => {
                        "Expected a body of at most 65536 bytes, found a longer one"
                    }
                    _ => "Expected a whole body, found a part of it",
                };
                Refused::new(rejection.status(), detail).into_response()
            }
            Self::Key(error) => error.into_response(),
        }
    }
}

pub(super) async fn not_found() -> Refused {
    Refused::new(StatusCode::NOT_FOUND, "No such route")
}

/// The router adds which methods are allowed.
pub(super) async fn method_not_allowed() -> Refused {
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
}
