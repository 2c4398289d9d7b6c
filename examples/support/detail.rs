//! Errors as `{"detail": "…"}`.

use axum::http::StatusCode;
use serde_json::{Value, json};

/// The status of a JSON body with invalid fields.
pub(crate) const WRONG_VALUES: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

/// Formats the body of an error.
pub(crate) fn body(_: StatusCode, detail: &str) -> Value {
    json!({ "detail": detail })
}
