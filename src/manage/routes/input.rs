//! Reads request bodies field by field, so that an error names the field, and key ids in paths.

// Layer 9 of 10: management.

use std::collections::{BTreeMap, BTreeSet};
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
use super::json::{describe, parse_object};
use super::shared::Shared;
use crate::clock::Timestamp;
use crate::credential::Scheme;
use crate::environment::Environment;
use crate::key::KeyId;
use crate::quote::{MAX_NAMED, quote, unknown as unknown_name};
use crate::scope::{Scope, Scopes};

/// The bytes of a body. An extractor that never fails, so that a handler rejects a caller without the needed scope before an invalid body.
pub(super) struct Body(Result<Bytes, RouteError>);

impl<S: Send + Sync> FromRequest<Arc<Shared<S>>> for Body {
    type Rejection = Infallible;

    async fn from_request(request: Request, shared: &Arc<Shared<S>>) -> Result<Self, Infallible> {
        let most = shared.settings.body_timeout;
        let late = || {
            let detail = format!("The body must arrive within {} s", most.as_secs_f64());
            RouteError::new(StatusCode::REQUEST_TIMEOUT, detail)
        };
        let incomplete = |rejection: BytesRejection| {
            let detail = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => "The body must have at most 65536 bytes",
                _ => "The body ended before it was complete",
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

    /// Rejects fields of a key that only the service sets.
    pub(super) fn reject_those_of_service(&self) -> Result<(), ManageError> {
        match ["limits", "plan"].into_iter().find(|field| self.values.contains_key(*field)) {
            Some(field) => Err(ManageError::forbidden(field, "only the service can set this")),
            None => Ok(()),
        }
    }

    pub(super) fn text(&mut self, field: &'static str) -> Option<Box<str>> {
        self.read(field, |value| value.as_str().map(Into::into).ok_or_else(|| must_be("a string", value)))
    }

    pub(super) fn scopes(&mut self, field: &'static str) -> Option<Scopes> {
        self.read(field, |value| {
            let items = value.as_array().ok_or_else(|| must_be("an array of strings", value))?;
            items.iter().zip(1..).map(|(item, number)| scope(item, number)).collect()
        })
    }

    pub(super) fn texts(&mut self, field: &'static str) -> Option<BTreeMap<String, String>> {
        let entry = |(name, value): (&String, &Value)| match value {
            Value::String(text) => Ok((name.clone(), text.clone())),
            other => Err(format!("the value of {} {}", quote(name), must_be("a string", other))),
        };
        self.read(field, |value| {
            let entries = value.as_object().ok_or_else(|| must_be("an object of strings", value))?;
            entries.iter().map(entry).collect()
        })
    }

    pub(super) fn seconds(&mut self, field: &'static str) -> Option<Duration> {
        self.read(field, |value| {
            let seconds = integer(value).ok_or_else(|| must_be("a whole number of seconds", value))?;
            Ok(Duration::from_secs(seconds))
        })
    }

    pub(super) fn boolean(&mut self, field: &'static str) -> Option<bool> {
        self.read(field, |value| value.as_bool().ok_or_else(|| must_be("true or false", value)))
    }

    /// Reads a time or `null`.
    pub(super) fn time(&mut self, field: &'static str) -> Option<Option<Timestamp>> {
        self.read(field, |value| match value {
            Value::Null => Ok(None),
            value => value
                .as_str()
                .and_then(|text| text.parse().ok())
                .map(Some)
                .ok_or_else(|| must_be("a time such as 2030-01-31T12:00:00Z, or null", value)),
        })
    }

    pub(super) fn environment(&mut self, field: &'static str) -> Option<Environment> {
        self.read(field, |value| {
            let environment = value.as_str().and_then(|text| text.parse().ok());
            environment.ok_or_else(|| must_be("live or test", value))
        })
    }

    /// Reads a list of sources by their names, of these.
    pub(super) fn sources(&mut self, field: &'static str, allowed: &[Scheme]) -> Option<Box<[Scheme]>> {
        let names: Vec<_> = allowed.iter().map(Scheme::to_string).collect();
        let one = format!("one of {}", names.join(", "));
        let index = |(item, number): (&Value, usize)| {
            let name = item.as_str().unwrap_or_default();
            let found = names.iter().position(|own| own.eq_ignore_ascii_case(name));
            found.ok_or_else(|| format!("item {number} {}", must_be(&one, item)))
        };
        self.read(field, |value| {
            let items = value.as_array().ok_or_else(|| must_be("an array of strings", value))?;
            let named: BTreeSet<usize> = items.iter().zip(1..).map(index).collect::<Result<_, _>>()?;
            Ok(named.into_iter().map(|index| allowed[index].clone()).collect())
        })
    }

    fn read<T>(&mut self, field: &'static str, read: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        self.known.push(field);
        let value = self.values.remove(field)?;
        read(&value).map_err(|message| self.errors.push(FieldError::new(field, message))).ok()
    }

    /// Returns an error if a field is invalid or unknown.
    pub(super) fn finish(mut self) -> Result<(), ManageError> {
        let unknown = self.values.keys().take(MAX_NAMED);
        let unknown = unknown.map(|name| FieldError::new("body", unknown_name("field", name, &self.known)));
        self.errors.extend(unknown);
        if self.errors.is_empty() { Ok(()) } else { Err(ManageError::invalid(self.errors)) }
    }
}

fn must_be(expected: &str, value: &Value) -> String {
    format!("must be {expected}, got {}", describe(value))
}

fn scope(item: &Value, number: usize) -> Result<Scope, String> {
    let text = item.as_str().ok_or_else(|| format!("item {number} {}", must_be("a string", item)))?;
    let rule = "must be visible ASCII without spaces, quotes and backslashes";
    Scope::new(text).map_err(|_| format!("{} is not a scope: {rule}", quote(text)))
}

/// Reads an integer, which JSON may write with a fraction of zero.
fn integer(value: &Value) -> Option<u64> {
    let is_integer = |number: &f64| *number >= 0.0 && number.fract() == 0.0;
    // Formatted without a fraction, the number parses, unless it is too large.
    let parsed = |number: f64| format!("{:.0}", number.abs()).parse().ok();
    value.as_u64().or_else(|| value.as_f64().filter(is_integer).and_then(parsed))
}
