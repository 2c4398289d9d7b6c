//! Validates values by a schema of the OpenAPI document, for the keywords that the document uses.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tower_api_key::clock::Day;

/// Keywords without effect on validation.
const WORDS: [&str; 4] = ["description", "examples", "default", "required"];

pub(crate) struct Schema<'d> {
    pub(crate) document: &'d Value,
    pub(crate) schema: &'d Value,
}

impl<'d> Schema<'d> {
    /// Resolves a reference.
    pub(crate) fn resolve(document: &'d Value, value: &'d Value) -> &'d Value {
        match value["$ref"].as_str() {
            Some(to) => document.pointer(to.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{to}")),
            None => value,
        }
    }

    fn of(&self, schema: &'d Value) -> Self {
        Self { document: self.document, schema }
    }

    /// Checks a value, and returns the keyword at which it fails.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        let schema = self.schema.as_object().unwrap();
        let wrong = |keyword: &str| Err(format!("{keyword} {} of {value}", schema[keyword]));
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if value.is_object() && value.get(name.as_str().unwrap()).is_none() {
                return wrong("required");
            }
        }
        for (keyword, rule) in schema {
            let is_met = match keyword.as_str() {
                word if WORDS.contains(&word) => true,
                "$ref" => return self.of(Self::resolve(self.document, self.schema)).check(value),
                "allOf" => {
                    rule.as_array().unwrap().iter().try_for_each(|part| self.of(part).check(value)).is_ok()
                }
                "oneOf" => {
                    let parts = rule.as_array().unwrap().iter();
                    parts.filter(|part| self.of(part).check(value).is_ok()).count() == 1
                }
                "type" => types(rule).any(|name| is_of_type(value, name)),
                "enum" => rule.as_array().unwrap().contains(value),
                "const" => rule == value,
                "pattern" | "format" | "minLength" | "maxLength" => {
                    value.as_str().is_none_or(|text| is_written(text, keyword, rule))
                }
                "minimum" => value.as_i64().is_none_or(|number| number >= rule.as_i64().unwrap()),
                "maximum" => value.as_i64().is_none_or(|number| number <= rule.as_i64().unwrap()),
                "minItems" => {
                    value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap())
                }
                "maxItems" => {
                    value.as_array().is_none_or(|items| items.len() as u64 <= rule.as_u64().unwrap())
                }
                "maxProperties" => {
                    value.as_object().is_none_or(|fields| fields.len() as u64 <= rule.as_u64().unwrap())
                }
                "items" => {
                    items(value).try_for_each(|item| self.of(rule).check(item))?;
                    true
                }
                "properties" => {
                    let field = |(name, rule): (_, &'d Value)| {
                        value.get(name).map_or(Ok(()), |field| self.of(rule).check(field))
                    };
                    // Keeps the nested error as the message.
                    rule.as_object().unwrap().iter().try_for_each(field)?;
                    true
                }
                "propertyNames" => {
                    fields(value).all(|(name, _)| self.of(rule).check(&name.clone().into()).is_ok())
                }
                "additionalProperties" | "unevaluatedProperties" => {
                    let known = self.names();
                    let others = || fields(value).filter(|(name, _)| !known.contains(name.as_str()));
                    match rule {
                        Value::Bool(false) => others().next().is_none(),
                        rule => others().all(|(_, field)| self.of(rule).check(field).is_ok()),
                    }
                }
                other => panic!("the keyword {other} is not checked"),
            };
            if !is_met {
                return wrong(keyword);
            }
        }
        Ok(())
    }

    /// The names of the fields of the schema.
    fn names(&self) -> BTreeSet<&'d str> {
        let schema = Self::resolve(self.document, self.schema);
        let own = schema["properties"].as_object().into_iter().flat_map(Map::keys).map(String::as_str);
        let parts = schema["allOf"].as_array().into_iter().flatten();
        own.chain(parts.flat_map(|part| self.of(part).names())).collect()
    }
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn types(rule: &Value) -> impl Iterator<Item = &str> {
    rule.as_str().into_iter().chain(items(rule).filter_map(Value::as_str))
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the type {other} is not checked"),
    }
}

fn is_written(text: &str, keyword: &str, rule: &Value) -> bool {
    let length = text.chars().count() as u64;
    match (keyword, rule.as_str().unwrap_or_default()) {
        ("minLength", _) => length >= rule.as_u64().unwrap(),
        ("maxLength", _) => length <= rule.as_u64().unwrap(),
        ("pattern", pattern) => Regex::new(pattern).unwrap().is_match(text),
        (_, "date") => text.parse::<Day>().is_ok(),
        (_, "date-time") => OffsetDateTime::parse(text, &Rfc3339).is_ok(),
        (_, format) => panic!("the format {format} is not checked"),
    }
}
