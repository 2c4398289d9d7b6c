//! Errors as `{"detail": "…"}`, whatever was wrong with a request.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use serde_json::{Value, json};

/// What is answered instead of what was asked for.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    detail: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "detail": self.detail }))).into_response()
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

/// A body, read as JSON whatever its content type says.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| Refusal::new(rejection.status(), rejection.body_text()))?;
        // By way of an object, as a list of the same values would be read as well.
        let read =
            serde_json::from_slice(&bytes).and_then(|fields| serde_json::from_value(Value::Object(fields)));
        read.map(Self).map_err(|error| match error.classify() {
            Category::Data => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
            Category::Io | Category::Syntax | Category::Eof => {
                Refusal::new(StatusCode::BAD_REQUEST, "Expected JSON as the body, found something else")
            }
        })
    }
}

/// An id in a path. Nothing has one that cannot be read.
pub(crate) struct Id(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(id)| Self(id)).map_err(|_| Refusal::not_found())
    }
}

/// A text of 1 to `MOST` characters.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(crate) struct Text<const MOST: usize>(String);

impl<const MOST: usize> TryFrom<String> for Text<MOST> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.chars().count() {
            length if (1..=MOST).contains(&length) => Ok(Self(text)),
            length => Err(format!("expected 1 to {MOST} characters, found {length}")),
        }
    }
}

impl<const MOST: usize> From<Text<MOST>> for Box<str> {
    fn from(Text(text): Text<MOST>) -> Self {
        text.into()
    }
}
