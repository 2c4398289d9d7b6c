//! Errors as `{"error": {"message": …, "type": …}}`, as the command-line client reads them.

use axum::http::StatusCode;
use serde_json::{Value, json};
use tower_api_key::ConfigError;
use tower_api_key::backend::{BackendError, BackendErrorKind};
use tower_api_key::password::PasswordError;

use crate::api_error::ApiError;

/// The status of a JSON body with invalid fields.
pub(crate) const WRONG_VALUES: StatusCode = StatusCode::BAD_REQUEST;

/// Writes the body of an error.
pub(crate) fn body(status: StatusCode, message: &str) -> Value {
    json!({ "error": { "message": message, "type": status.canonical_reason() } })
}

impl ApiError {
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Temporarily unavailable")
    }
}

impl From<BackendError> for ApiError {
    fn from(error: BackendError) -> Self {
        match error.kind() {
            BackendErrorKind::NotFound => Self::not_found(),
            BackendErrorKind::Forbidden => Self::new(StatusCode::FORBIDDEN, "Forbidden"),
            BackendErrorKind::Conflict => {
                Self::new(StatusCode::CONFLICT, "The name belongs to a deleted owner")
            }
            BackendErrorKind::Invalid => Self::bad("Invalid values"),
            _ => Self::unavailable(),
        }
    }
}

impl From<PasswordError> for ApiError {
    fn from(_: PasswordError) -> Self {
        Self::unavailable()
    }
}

/// A configuration error concerns only the operator.
impl From<ConfigError> for ApiError {
    fn from(error: ConfigError) -> Self {
        tracing::error!(%error, "a mistake in the service");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "A mistake in the service")
    }
}
