//! What is wrong with a configuration, found before the first request.

use std::fmt;

/// A configuration that cannot work, found while it was being built.
///
/// The message says what was expected and what was found; it never holds a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    kind: ConfigErrorKind,
    message: String,
}

/// The part of a configuration that a [`ConfigError`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// The sources of credentials.
    Sources,
    /// The prefix of a key format.
    KeyFormat,
    /// The id of a key.
    KeyId,
    /// The pepper of a digester.
    Pepper,
    /// A scope or a requirement.
    Scope,
    /// The realm of the challenges.
    Realm,
    /// A public path or a path with a requirement.
    Path,
    /// A limit: a duration, a capacity or a count.
    Limit,
    /// The hash of a password, or the parameters of one.
    PasswordHash,
}

impl ConfigError {
    pub(crate) fn new(kind: ConfigErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Returns the part of the configuration that is wrong.
    pub fn kind(&self) -> ConfigErrorKind {
        self.kind
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}
