//! Parses the JSON object of a request body, and rejects repeated names: of two fields with one name, one reader takes the first and
//! another the last.

// Layer 9 of 10: management.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::error::RouteError;
use crate::quote::{quote, shorten};

/// Parses an object of which no object, at any depth, has two fields with one name.
pub(super) fn parse_object(text: &[u8]) -> Result<Map<String, Value>, RouteError> {
    let repeated = OnceCell::new();
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = UniqueFields { repeated: &repeated }.deserialize(&mut deserializer);
    let detail = match value.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(Value::Object(fields)) => match repeated.get() {
            None => return Ok(fields),
            Some(name) => format!("The body has the field {} more than once", quote(name)),
        },
        Ok(other) => format!("The body must be a JSON object, got {}", describe(&other)),
        // Names the line and the column, and nothing of the text.
        Err(error) => format!("The body is not valid JSON: {error}"),
    };
    Err(RouteError::bad_request(detail))
}

/// Describes a value for an error.
pub(super) fn describe(value: &Value) -> Cow<'static, str> {
    match value {
        Value::Null => "null".into(),
        Value::Bool(true) => "true".into(),
        Value::Bool(false) => "false".into(),
        Value::Number(number) => format!("the number {}", shorten(&number.to_string())).into(),
        Value::String(text) => format!("the string {}", quote(text)).into(),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// Builds a value, and records the first name that repeats within an object. It continues to read then, because invalid JSON is another error.
#[derive(Clone, Copy)]
struct UniqueFields<'c> {
    repeated: &'c OnceCell<String>,
}

impl<'de> DeserializeSeed<'de> for UniqueFields<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueFields<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(self)?;
            if fields.contains_key(&name) {
                self.repeated.get_or_init(|| name.clone());
            }
            fields.insert(name, value);
        }
        let value = Value::Object(fields);
        // With serde_json's feature `arbitrary_precision`, which any crate may enable, a number arrives as a map.
        Ok(Number::deserialize(&value).map_or(value, Value::Number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::parse_object;

    #[test]
    fn an_object_is_parsed_unless_one_of_its_objects_repeats_a_name() {
        for text in [r#"{"a":{"a":[{"a":null},{"a":true}]},"b":"a","c":[-1,1,1.5]}"#, "{}"] {
            let parsed = parse_object(text.as_bytes()).unwrap();
            assert_eq!(Value::Object(parsed), serde_json::from_str::<Value>(text).unwrap());
        }
        for (text, rule) in [
            (r#"{"a":1,"b":2,"a":1}"#, r#"has the field "a" more than once"#),
            (r#"{"a":[{"b":{},"b":{}}],"a":1}"#, r#"has the field "b" more than once"#),
            (r#"{"a":1,"\u0061":1}"#, r#"has the field "a" more than once"#),
            ("7", "must be a JSON object, got the number 7"),
            (r#"["a"]"#, "must be a JSON object, got an array"),
            (r#"[{"a":1,"a":1}]"#, "must be a JSON object, got an array"),
            ("", "is not valid JSON: EOF while parsing a value at line 1 column 0"),
            (r#"{"a":1,"a":1"#, "is not valid JSON: EOF while parsing an object at line 1 column 12"),
            (r#"{"a":1,"a":1}x"#, "is not valid JSON: trailing characters at line 1 column 14"),
        ] {
            let error = parse_object(text.as_bytes()).unwrap_err();
            assert_eq!(error.detail, format!("The body {rule}"), "{text}");
        }
    }
}
