//! Errors as `{"detail": "…"}`, whatever was wrong with a request.

use axum::http::StatusCode;
use serde_json::{Value, json};

/// The status for a body that is JSON and does not say what it should.
pub(crate) const WRONG_VALUES: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

/// Writes the body of an error. Its status says the rest.
pub(crate) fn body(_: StatusCode, detail: &str) -> Value {
    json!({ "detail": detail })
}
