//! Responses: `{"success": true, "data": …}`, or `{"success": false, "error": {"code": …, "message": …}}`.

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use tower_api_key::backend::BackendError;
use tower_api_key::manage::{ManageError, ManageErrorKind};
use tower_api_key::reject::Rejection;

/// The body of a success.
pub(crate) fn success(data: impl Serialize) -> Json<Value> {
    Json(json!({ "success": true, "data": data }))
}

/// The body of an error. Its message is about the first invalid field.
pub(crate) fn body(code: &str, message: &str, wrong: &[WrongField]) -> Value {
    let mut error = json!({ "code": code, "message": message });
    if let Some(first) = wrong.first() {
        error["details"] = json!({ "field": first.field, "errors": wrong });
    }
    json!({ "success": false, "error": error })
}

/// An error response.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The request is invalid.
    Request { status: StatusCode, code: &'static str, message: &'static str, wrong: Vec<WrongField> },
    /// The caller is no longer admitted.
    Caller(Box<Rejection>),
}

/// An error about a field of a request.
#[derive(Debug, Serialize)]
pub(crate) struct WrongField {
    pub(crate) field: &'static str,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self::Request { status, code, message, wrong: Vec::new() }
    }

    pub(crate) fn invalid(wrong: Vec<WrongField>) -> Self {
        let (code, message) = ("VALIDATION_ERROR", "Invalid request data");
        Self::Request { status: StatusCode::BAD_REQUEST, code, message, wrong }
    }

    pub(crate) fn no_such_key() -> Self {
        Self::new(StatusCode::NOT_FOUND, "API_KEY_NOT_FOUND", "API key not found")
    }
}

impl WrongField {
    pub(crate) fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        Self::Caller(Box::new(rejection))
    }
}

impl From<ManageError> for ApiError {
    fn from(error: ManageError) -> Self {
        let wrong = error.fields().iter();
        let wrong = wrong.map(|wrong| WrongField::new(wrong.field, &*wrong.message)).collect();
        match error.kind() {
            ManageErrorKind::Invalid => Self::invalid(wrong),
            ManageErrorKind::NotFound => Self::no_such_key(),
            ManageErrorKind::Forbidden => {
                let (code, message) = ("INSUFFICIENT_PERMISSIONS", "The API key may not make this change");
                Self::Request { status: StatusCode::FORBIDDEN, code, message, wrong }
            }
            ManageErrorKind::Conflict => {
                let message = "The change is not possible: what it is about was deleted or changed";
                Self::new(StatusCode::CONFLICT, "CONFLICT", message)
            }
            // The message of the store is for the log only.
            _ => {
                tracing::error!(%error, "the store failed");
                let message = "API keys cannot be managed at the moment";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", message)
            }
        }
    }
}

impl From<BackendError> for ApiError {
    fn from(error: BackendError) -> Self {
        ManageError::from(error).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            Self::Request { status, code, message, wrong } => (status, body(code, message, &wrong)),
            // The response is that of the layer, including the challenge.
            Self::Caller(rejection) => return rejection.into_response(),
        };
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Responds to unknown paths.
pub(crate) async fn not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", "Not found")
}

/// Responds to unsupported methods of a route.
pub(crate) async fn method_not_allowed() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "Method not allowed")
}
