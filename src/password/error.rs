//! Errors of hashing and verifying.

// Layer 3 of 10: storage.

use std::error::Error;
use std::fmt;

/// An error of hashing or verifying a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordError(PasswordErrorKind);

/// Why a password was neither hashed nor verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PasswordErrorKind {
    /// The password is empty.
    Empty,
    /// The queue is full, or the password has waited in it for too long.
    Busy,
    /// The operating system's generator or the hash itself failed.
    Failed,
}

impl PasswordError {
    pub(super) fn new(kind: PasswordErrorKind) -> Self {
        Self(kind)
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> PasswordErrorKind {
        self.0
    }
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            PasswordErrorKind::Empty => "password is invalid: must not be empty",
            PasswordErrorKind::Busy => "cannot hash or verify a password: the queue is full",
            PasswordErrorKind::Failed => {
                "cannot hash a password: the random generator or the hash function failed"
            }
        })
    }
}

impl Error for PasswordError {}
