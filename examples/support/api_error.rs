//! Error responses in the shape of `errors`, and extractors whose errors have that shape.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::RETRY_AFTER;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use tokio::time::timeout;
use tower_api_key::manage::{ManageError, RouteError};
use tower_api_key::reject::Rejection;

use crate::errors;

/// The timeout of a body.
const BODY_SECONDS: u64 = 10;

/// An error response.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The request is invalid.
    Request(StatusCode, String),
    /// The caller is no longer admitted.
    Caller(Box<Rejection>),
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self::Request(status, message.into())
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found")
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        Self::Caller(Box::new(rejection))
    }
}

impl From<ManageError> for ApiError {
    fn from(error: ManageError) -> Self {
        let error = RouteError::from(error);
        match error.status {
            StatusCode::NOT_FOUND => Self::not_found(),
            StatusCode::UNPROCESSABLE_ENTITY => Self::new(errors::WRONG_VALUES, error.to_string()),
            status => Self::new(status, error.to_string()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::Request(status, message) => (status, message),
            // The response is that of the layer, including the challenge.
            Self::Caller(rejection) => return rejection.into_response(),
        };
        let mut response = (status, Json(errors::body(status, &message))).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Responds to unknown paths.
pub(crate) async fn not_found() -> ApiError {
    ApiError::not_found()
}

/// Responds to unsupported methods of a route.
pub(crate) async fn method_not_allowed() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
}

/// A body, parsed as JSON regardless of its content type.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = bytes_of(request, state).await?;
        // Requires an object, because serde accepts an array of the values as well. A map would lose repeated fields, so the target type is
        // parsed from the bytes.
        let read = serde_json::from_slice::<HashMap<String, IgnoredAny>>(&bytes)
            .and_then(|_| serde_json::from_slice(&bytes));
        read.map(Self).map_err(|error| match error.classify() {
            Category::Data => ApiError::new(errors::WRONG_VALUES, format!("Invalid values: {error}")),
            Category::Io | Category::Syntax | Category::Eof => {
                ApiError::new(StatusCode::BAD_REQUEST, "Expected JSON as the body, found something else")
            }
        })
    }
}

async fn bytes_of<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    let bytes = timeout(Duration::from_secs(BODY_SECONDS), Bytes::from_request(request, state)).await;
    let late = |_| ApiError::new(StatusCode::REQUEST_TIMEOUT, "The body took too long");
    bytes.map_err(late)?.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large")
        }
        status => ApiError::new(status, "The body is incomplete"),
    })
}

/// The segments of a path. Invalid ones are reported as not found.
pub(crate) struct At<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(segments)| Self(segments)).map_err(|_| ApiError::not_found())
    }
}
