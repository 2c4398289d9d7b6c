//! A password that was not hashed.

use std::error::Error;
use std::fmt;

/// A password that was neither hashed nor verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordError(PasswordErrorKind);

/// Why a password was neither hashed nor verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PasswordErrorKind {
    /// It is empty.
    Empty,
    /// Too many others wait, or have waited for too long.
    Busy,
    /// The operating system's generator or the hash itself failed.
    Failed,
}

impl PasswordError {
    pub(super) fn new(kind: PasswordErrorKind) -> Self {
        Self(kind)
    }

    /// Returns why the password was not hashed.
    pub fn kind(&self) -> PasswordErrorKind {
        self.0
    }
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            PasswordErrorKind::Empty => "expected a password, found an empty text",
            PasswordErrorKind::Busy => "expected a turn to hash a password, found too many who wait",
            PasswordErrorKind::Failed => "expected a hash of a password, found that it cannot be made",
        })
    }
}

impl Error for PasswordError {}
