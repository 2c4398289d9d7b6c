//! Errors as `{"error": {"message": …, "type": …}}`, which is what the command-line client reads.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower_api_key::backend::BackendErrorKind;
use tower_api_key::manage::{ManageError, ManageErrorKind};
use tower_api_key::password::PasswordError;
use tower_api_key::{BackendError, ConfigError};

/// What is answered instead of what was asked for.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found")
    }

    fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Temporarily unavailable")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = json!({ "message": self.message, "type": self.status.canonical_reason() });
        (self.status, Json(json!({ "error": error }))).into_response()
    }
}

impl From<BackendError> for Refusal {
    fn from(error: BackendError) -> Self {
        match error.kind() {
            BackendErrorKind::NotFound => Self::not_found(),
            BackendErrorKind::Invalid => Self::bad("Expected values that can be kept, found others"),
            _ => Self::unavailable(),
        }
    }
}

impl From<ManageError> for Refusal {
    fn from(error: ManageError) -> Self {
        match error.kind() {
            ManageErrorKind::NotFound => Self::not_found(),
            ManageErrorKind::Invalid => Self::bad(error.to_string()),
            _ => Self::unavailable(),
        }
    }
}

impl From<PasswordError> for Refusal {
    fn from(_: PasswordError) -> Self {
        Self::unavailable()
    }
}

/// What was configured wrongly is for the operator to know.
impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Self {
        tracing::error!(%error, "a mistake in the service");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "A mistake in the service")
    }
}

/// Answers where there is no route.
pub(crate) async fn not_found() -> Refusal {
    Refusal::not_found()
}

/// Answers where there is a route, for other methods.
pub(crate) async fn method_not_allowed() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
}

/// A body of JSON, whatever its content type says.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let Raw(bytes) = Raw::from_request(request, state).await?;
        // By way of an object, as a list of the same values would be read as well.
        let read =
            serde_json::from_slice(&bytes).and_then(|fields| serde_json::from_value(Value::Object(fields)));
        read.map(Self).map_err(|error| Refusal::bad(format!("Expected another body: {error}")))
    }
}

/// A body of any bytes.
pub(crate) struct Raw(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = Bytes::from_request(request, state).await;
        bytes.map(Self).map_err(|rejection| Refusal::new(rejection.status(), rejection.body_text()))
    }
}

/// The segments of a path. Nothing is called by what cannot be read.
pub(crate) struct At<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(segments)| Self(segments)).map_err(|_| Refusal::not_found())
    }
}
