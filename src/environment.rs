//! The environments of keys.

use std::fmt;

/// The environment of a key: live or test.
///
/// The record of a key decides. The environment in its text only helps people to tell keys apart.
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

    /// Returns the environment with this label.
    pub fn from_label(label: &str) -> Option<Self> {
        [Self::Live, Self::Test].into_iter().find(|environment| environment.label() == label)
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
