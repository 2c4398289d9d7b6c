//! What is answered instead of what was asked for.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::super::ManageError;
use super::output::failure;
use crate::reject::Rejection;

/// Why a request is not followed.
pub(super) enum Refusal {
    /// The caller lacks a scope.
    Caller(Box<Rejection>),
    /// The request cannot be read, for this reason.
    Request(String),
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
            Self::Request(reason) => failure(StatusCode::BAD_REQUEST, &reason),
            Self::Key(error) => error.into_response(),
        }
    }
}
