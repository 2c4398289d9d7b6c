//! Whether a JSON text names each field once. Of a field that stands twice, one reader takes the first and another one the last.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Tells whether no object of a JSON text, wherever in it, has a field twice.
pub(super) fn names_each_field_once(text: &[u8]) -> bool {
    serde_json::from_slice::<Once>(text).is_ok()
}

/// A value of which nothing is kept.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("each field once")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some((name, Self)) = map.next_entry::<String, Self>()? {
            if !names.insert(name) {
                return Err(Error::custom("expected each field once, found one several times"));
            }
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while let Some(Self) = list.next_element()? {}
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::names_each_field_once;

    #[test]
    fn a_field_may_stand_in_several_objects_and_in_none_of_them_twice() {
        for text in [r#"{"a":{"a":[{"a":null},{"a":true}]},"b":"a"}"#, r#"["a","a",1,-1,1.5]"#, "{}", "7"] {
            assert!(names_each_field_once(text.as_bytes()), "{text}");
        }
        for text in [r#"{"a":1,"b":2,"a":1}"#, r#"{"a":[{"b":{},"b":{}}]}"#, r#"{"a":1,"\u0061":1}"#] {
            assert!(!names_each_field_once(text.as_bytes()), "{text}");
        }
    }
}
