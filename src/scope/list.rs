//! Scopes as a list of texts, by serde.

// Layer 1 of 10: words.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use super::Scopes;

impl Serialize for Scopes {
    /// Serializes a list of texts.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    /// Deserializes a list of texts, or in a format that people read, such as JSON, also one text in the form of RFC 6749 §3.3.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(ListVisitor)
        } else {
            deserializer.deserialize_seq(ListVisitor)
        }
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = Scopes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of scopes")
    }

    fn visit_str<E: Error>(self, list: &str) -> Result<Scopes, E> {
        list.parse().map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scopes, A::Error> {
        std::iter::from_fn(|| list.next_element().transpose()).collect()
    }
}
