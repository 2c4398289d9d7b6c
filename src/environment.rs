//! The environments of keys.

// Layer 1 of 10: words.

use std::fmt;
use std::str::FromStr;

use crate::error::{InvalidValue, InvalidValueKind};
use crate::text::{parsed_from_text, serialized_as_text};

/// The environment of a key: live or test.
///
/// The record of a key decides. The environment in its text only helps people to tell keys apart.
///
/// ```
/// use tower_api_key::Environment;
///
/// assert_eq!("test".parse(), Ok(Environment::Test));
/// assert_eq!(Environment::Test.to_string(), "test");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Environment {
    /// The production environment.
    Live,
    /// The environment for tests.
    Test,
}

impl Environment {
    /// Returns the label in the texts of keys and in stores: `live` or `test`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }

    pub(crate) fn from_label(label: &str) -> Option<Self> {
        [Self::Live, Self::Test].into_iter().find(|environment| environment.label() == label)
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

impl AsRef<str> for Environment {
    fn as_ref(&self) -> &str {
        self.label()
    }
}

impl FromStr for Environment {
    type Err = InvalidValue;

    fn from_str(label: &str) -> Result<Self, InvalidValue> {
        Self::from_label(label).ok_or_else(|| {
            let message = "environment is invalid: must be `live` or `test`";
            InvalidValue::new(InvalidValueKind::Environment, message)
        })
    }
}

parsed_from_text!(Environment, "`live` or `test`");
serialized_as_text!(Environment);
