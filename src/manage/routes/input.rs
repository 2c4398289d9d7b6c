//! Reading what a client wants, field by field, so that an error names the field.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::{FieldError, ManageError};
use crate::clock::Timestamp;
use crate::scope::Scopes;

/// The fields of a JSON object. What is read is taken out; what is left in the end was not expected.
pub(super) struct Fields {
    values: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Reads a body, which may be empty. Returns `None` if it is not a JSON object.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let values = match body {
            b"" => Map::new(),
            body => match serde_json::from_slice(body) {
                Ok(Value::Object(values)) => values,
                _ => return None,
            },
        };
        Some(Self { values, errors: Vec::new() })
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
        self.read(field, "a whole number of seconds", |value| value.as_u64().map(Duration::from_secs))
    }

    pub(super) fn truth(&mut self, field: &'static str) -> Option<bool> {
        self.read(field, "true or false", Value::as_bool)
    }

    /// Reads a time, or `null` for none.
    pub(super) fn time(&mut self, field: &'static str) -> Option<Option<Timestamp>> {
        self.read(field, "a time such as `2030-01-31T12:00:00Z`, or null", |value| match value {
            Value::Null => Some(None),
            value => parse_time(value.as_str()?).map(Some),
        })
    }

    fn read<T>(
        &mut self,
        field: &'static str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.values.remove(field)?;
        let read = read(&value);
        if read.is_none() {
            self.errors
                .push(FieldError::new(field, format!("expected {expected}, found {}", kind_of(&value))));
        }
        read
    }

    /// Ends the reading.
    pub(super) fn finish(mut self) -> Result<(), ManageError> {
        if !self.values.is_empty() {
            let message = format!("expected no other fields, found {}", self.values.len());
            self.errors.push(FieldError::new("body", message));
        }
        if self.errors.is_empty() { Ok(()) } else { Err(ManageError::invalid(self.errors)) }
    }
}

/// Describes a value without showing it.
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

fn parse_time(text: &str) -> Option<Timestamp> {
    let nanos = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos();
    Some(Timestamp::from_unix_millis(i64::try_from(nanos / 1_000_000).ok()?))
}
