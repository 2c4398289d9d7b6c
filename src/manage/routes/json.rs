//! Parses the JSON object of a request body, and rejects repeated names: of two fields with one name, one reader takes the first and
//! another the last.

use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::error::RouteError;

/// Parses an object of which no object, at any depth, has two fields with one name.
pub(super) fn parse_object(text: &[u8]) -> Result<Map<String, Value>, RouteError> {
    let repeats = Cell::new(false);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = UniqueFields { repeats: &repeats }.deserialize(&mut deserializer);
    match value.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(Value::Object(_)) if repeats.get() => {
            Err(RouteError::bad_request("Expected each field of the body once, found one several times"))
        }
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err(RouteError::bad_request("Expected a JSON object as the body, found something else")),
    }
}

/// Builds a value, and records whether a name repeats within an object. It continues to read then, because invalid JSON is another error.
#[derive(Clone, Copy)]
struct UniqueFields<'c> {
    repeats: &'c Cell<bool>,
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
        while let Some(name) = map.next_key()? {
            if fields.insert(name, map.next_value_seed(self)?).is_some() {
                self.repeats.set(true);
            }
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
        for text in [r#"{"a":1,"b":2,"a":1}"#, r#"{"a":[{"b":{},"b":{}}]}"#, r#"{"a":1,"\u0061":1}"#] {
            assert!(parse_object(text.as_bytes()).unwrap_err().detail.contains("once"), "{text}");
        }
        for text in ["", "7", r#"["a"]"#, r#"[{"a":1,"a":1}]"#, r#"{"a":1,"a":1"#, r#"{"a":1,"a":1}x"#] {
            assert!(parse_object(text.as_bytes()).unwrap_err().detail.contains("object"), "{text}");
        }
    }
}
