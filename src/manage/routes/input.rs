//! Reads request bodies field by field, so that an error names the field, and key ids in paths.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{FromRequest, Path, Request};
use axum::http::StatusCode;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::super::{FieldError, ManageError};
use super::error::RouteError;
use super::json::parse_object;
use super::shared::Shared;
use crate::clock::Timestamp;
use crate::key::KeyId;
use crate::scope::Scopes;

/// The bytes of a body. An extractor that never fails, so that a handler rejects a caller without the needed scope before an invalid body.
pub(super) struct Body(Result<Bytes, RouteError>);

impl<S: Send + Sync> FromRequest<Arc<Shared<S>>> for Body {
    type Rejection = Infallible;

    async fn from_request(request: Request, shared: &Arc<Shared<S>>) -> Result<Self, Infallible> {
        let most = shared.settings.body_timeout;
        let late = || {
            let detail = format!("Expected a whole body within {} s, found a part of it", most.as_secs_f64());
            RouteError::new(StatusCode::REQUEST_TIMEOUT, detail)
        };
        let incomplete = |rejection: BytesRejection| {
            let detail = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => "Expected a body of at most 65536 bytes, found a longer one",
                _ => "Expected a whole body, found a part of it",
            };
            RouteError::new(rejection.status(), detail)
        };
        let body = timeout(most, Bytes::from_request(request, shared)).await;
        Ok(Self(body.map_or_else(|_| Err(late()), |body| body.map_err(incomplete))))
    }
}

pub(super) type Id = Result<Path<String>, PathRejection>;

/// Reads a key id in a path. No key has an invalid id.
pub(super) fn key_id(id: Id) -> Result<KeyId, ManageError> {
    id.ok().and_then(|Path(text)| KeyId::new(&text).ok()).ok_or_else(ManageError::not_found)
}

/// The fields of a JSON object. Reading removes a field; the remaining ones are unknown.
pub(super) struct Fields {
    values: Map<String, Value>,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Parses a body, which may be empty.
    pub(super) fn parse(Body(body): Body) -> Result<Self, RouteError> {
        let body = body?;
        let values = if body.is_empty() { Map::new() } else { parse_object(&body)? };
        Ok(Self { values, known: Vec::new(), errors: Vec::new() })
    }

    pub(super) fn text(&mut self, field: &'static str) -> Option<Box<str>> {
        self.read(field, "a text", |value| Some(value.as_str()?.into()))
    }

    pub(super) fn scopes(&mut self, field: &'static str) -> Option<Scopes> {
        self.read(field, "a list of scopes", |value| {
            let scopes: Option<Vec<&str>> = value.as_array()?.iter().map(Value::as_str).collect();
            Scopes::new(scopes?).ok()
        })
    }

    pub(super) fn texts(&mut self, field: &'static str) -> Option<BTreeMap<String, String>> {
        self.read(field, "an object of texts", |value| {
            let entry = |(name, text): (&String, &Value)| Some((name.clone(), text.as_str()?.to_owned()));
            value.as_object()?.iter().map(entry).collect()
        })
    }

    pub(super) fn seconds(&mut self, field: &'static str) -> Option<Duration> {
        self.read(field, "a whole number of seconds", |value| integer(value).map(Duration::from_secs))
    }

    pub(super) fn boolean(&mut self, field: &'static str) -> Option<bool> {
        self.read(field, "true or false", Value::as_bool)
    }

    /// Reads a time or `null`.
    pub(super) fn time(&mut self, field: &'static str) -> Option<Option<Timestamp>> {
        self.read(field, "a time such as `2030-01-31T12:00:00Z`, or null", |value| match value {
            Value::Null => Some(None),
            value => value.as_str()?.parse().ok().map(Some),
        })
    }

    fn read<T>(
        &mut self,
        field: &'static str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        self.known.push(field);
        let value = self.values.remove(field)?;
        let read = read(&value);
        if read.is_none() {
            self.errors
                .push(FieldError::new(field, format!("expected {expected}, found {}", kind_of(&value))));
        }
        read
    }

    /// Returns an error if a field is invalid or unknown.
    pub(super) fn finish(mut self) -> Result<(), ManageError> {
        if !self.values.is_empty() {
            let message = format!("expected no fields but {}, found others", self.known.join(", "));
            self.errors.push(FieldError::new("body", message));
        }
        if self.errors.is_empty() { Ok(()) } else { Err(ManageError::invalid(self.errors)) }
    }
}

/// Names the type of a value, which itself is not shown.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "another text",
        Value::Array(_) => "another list",
        Value::Object(_) => "another object",
    }
}

/// Reads an integer, which JSON may write with a fraction of zero.
fn integer(value: &Value) -> Option<u64> {
    let is_integer = |number: &f64| *number >= 0.0 && number.fract() == 0.0;
    // Formatted without a fraction, the number parses, unless it is too large.
    let parsed = |number: f64| format!("{:.0}", number.abs()).parse().ok();
    value.as_u64().or_else(|| value.as_f64().filter(is_integer).and_then(parsed))
}
