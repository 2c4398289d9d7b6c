//! Reads a body field by field, so that an error names the field.

use std::fmt;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::api_error::{ApiError, WrongField};

/// The timeout of a body.
const BODY: Duration = Duration::from_secs(10);
/// Most characters of a name.
const NAME: usize = 255;

/// The fields of a body, which is parsed as JSON regardless of its content type. Reading removes a field; the remaining ones are unknown.
pub(crate) struct Fields {
    values: Map<String, Value>,
    wrong: Vec<WrongField>,
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let late = |_| {
            ApiError::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "The body took too long to arrive")
        };
        let bytes = timeout(BODY, Bytes::from_request(request, state)).await.map_err(late)?;
        let bytes = bytes.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", "The body is too large")
            }
            _ => unreadable(),
        })?;
        let Once(values) = serde_json::from_slice(&bytes).map_err(|_| unreadable())?;
        Ok(Self { values, wrong: Vec::new() })
    }
}

fn unreadable() -> ApiError {
    ApiError::invalid(vec![WrongField::new(
        "body",
        "expected a JSON object with each of its own fields once, found something else",
    )])
}

/// An object without repeated fields. In nested objects, the last of repeated fields counts.
struct Once(Map<String, Value>);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Once;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with each field once")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once, A::Error> {
                let mut values = Map::new();
                while let Some((field, value)) = map.next_entry()? {
                    if values.insert(field, value).is_some() {
                        return Err(Error::custom("expected each field once, found one several times"));
                    }
                }
                Ok(Once(values))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

impl Fields {
    /// Reads a field that may be absent or null. An invalid one returns `None`, and [`finish`](Self::finish) fails.
    pub(crate) fn optional<T>(
        &mut self,
        field: &'static str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.values.remove(field).filter(|value| !value.is_null())?;
        let read = read(&value);
        if read.is_none() {
            self.wrong.push(WrongField::new(field, format!("expected {expected}, found something else")));
        }
        read
    }

    /// Sets the default of a field that is absent or null.
    pub(crate) fn or(&mut self, field: &'static str, value: impl Into<Value>) -> &mut Self {
        if self.values.get(field).is_none_or(Value::is_null) {
            self.values.insert(field.to_owned(), value.into());
        }
        self
    }

    /// Reads a required field. The placeholder for a missing one is never used, because [`finish`](Self::finish) fails.
    pub(crate) fn required<T: Default>(
        &mut self,
        field: &'static str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> T {
        if self.values.get(field).is_none_or(Value::is_null) {
            self.wrong.push(WrongField::new(field, format!("expected {expected}, found nothing")));
        }
        self.optional(field, expected, read).unwrap_or_default()
    }

    /// Returns an error if a field is invalid or unknown.
    pub(crate) fn finish(mut self) -> Result<(), ApiError> {
        if !self.values.is_empty() {
            let message = format!("expected no other fields, found {}", self.values.len());
            self.wrong.push(WrongField::new("body", message));
        }
        if self.wrong.is_empty() { Ok(()) } else { Err(ApiError::invalid(self.wrong)) }
    }
}

/// Describes a valid name.
pub(crate) const A_NAME: &str = "a text of 1 to 255 characters, not blank and without control characters";

pub(crate) fn name(value: &Value) -> Option<String> {
    text(value, NAME, char::is_control).filter(|name| !name.trim().is_empty())
}

/// Reads a text of 1 to `most` printable characters.
pub(crate) fn text(value: &Value, most: usize, is_odd: impl Fn(char) -> bool) -> Option<String> {
    let text = value.as_str()?;
    let fits = (1..=most).contains(&text.chars().count()) && !text.chars().any(is_odd);
    fits.then(|| text.to_owned())
}
