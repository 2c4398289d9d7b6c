//! Conversions of values that have one text, written by `Display` and read by `FromStr`, and of named texts.

// Layer 1 of 10: words.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

/// A text that a constant can hold. It is read without a branch, which a `Cow` takes for each scope of a key.
#[derive(Clone)]
pub(crate) enum Text {
    Static(&'static str),
    Owned(Box<str>),
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Static(text) => text,
            Self::Owned(text) => text,
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// Collects named texts: metadata or labels.
pub(crate) fn to_map<K: Into<String>, V: Into<String>>(
    entries: impl IntoIterator<Item = (K, V)>,
) -> BTreeMap<String, String> {
    entries.into_iter().map(|(name, text)| (name.into(), text.into())).collect()
}

/// Implements `TryFrom` for texts by the `FromStr` of a type.
macro_rules! try_from_text {
    ($type:ty) => {
        impl TryFrom<&str> for $type {
            type Error = <$type as std::str::FromStr>::Err;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl TryFrom<String> for $type {
            type Error = <$type as std::str::FromStr>::Err;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    };
}

/// Implements `TryFrom` for texts, and `Deserialize` with the feature `serde`, by the `FromStr` of a type. `$expected` names the type in
/// errors of deserializers.
macro_rules! parsed_from_text {
    ($type:ty, $expected:literal) => {
        $crate::text::try_from_text!($type);

        #[cfg(feature = "serde")]
        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str($crate::text::TextVisitor::new($expected))
            }
        }
    };
}

/// Implements `Serialize` by the `Display` of a type, with the feature `serde`.
macro_rules! serialized_as_text {
    ($type:ty) => {
        #[cfg(feature = "serde")]
        impl ::serde::Serialize for $type {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

pub(crate) use {parsed_from_text, serialized_as_text, try_from_text};

#[cfg(feature = "serde")]
pub(crate) use visitor::TextVisitor;

#[cfg(feature = "serde")]
mod visitor {
    use std::fmt;
    use std::marker::PhantomData;
    use std::str::FromStr;

    use serde::de::{Error, Visitor};

    /// Parses a text. The error never shows the text, which may be a key pasted by mistake.
    pub(crate) struct TextVisitor<T> {
        expected: &'static str,
        parsed: PhantomData<T>,
    }

    impl<T> TextVisitor<T> {
        pub(crate) fn new(expected: &'static str) -> Self {
            Self { expected, parsed: PhantomData }
        }
    }

    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for TextVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.expected)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }
}
