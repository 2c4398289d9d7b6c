//! The two worlds a key can belong to.

use std::fmt;

/// The environment of a key: live or test.
///
/// The environment in a key's text only helps people to tell keys apart; the record of the key decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Environment {
    /// Real data and real bills.
    Live,
    /// For trying things out.
    Test,
}

impl Environment {
    /// Returns the label that stands in a key's text and in stores: `live` or `test`.
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
