//! Errors of a configuration and of a single value.

// Layer 1 of 10: words.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;

/// A configuration that cannot work, found while it is built: by a builder, a layer, a key format or a source.
///
/// The message never holds a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    kind: ConfigErrorKind,
    message: String,
    invalid_value: Option<InvalidValue>,
}

/// The part of a configuration that a [`ConfigError`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// The sources of credentials.
    Sources,
    /// The format of keys.
    KeyFormat,
    /// The pepper of a digester.
    Pepper,
    /// The realm of the challenges.
    Realm,
    /// A further parameter of the challenges.
    ChallengeParameter,
    /// A public path or a path with a requirement.
    Path,
    /// A limit: a duration, a capacity or a count.
    Limit,
    /// The parameters of password hashes.
    PasswordHash,
    /// The origin to which a client sends its key.
    Origin,
    /// The key or the user of a client.
    ClientKey,
    /// The OpenAPI document of the application.
    Document,
    /// The permissions that keys can be granted.
    Permissions,
    /// The look of the console, or what its pages show.
    Console,
    /// The address or a setting of a counter store.
    Counters,
    /// A value that cannot be parsed: the [`invalid_value`](ConfigError::invalid_value) of the error.
    Value,
}

impl ConfigError {
    pub(crate) fn new(kind: ConfigErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), invalid_value: None }
    }

    /// Returns the part of the configuration that is wrong.
    pub fn kind(&self) -> ConfigErrorKind {
        self.kind
    }

    /// Returns the invalid value of an error of the kind [`ConfigErrorKind::Value`]. Its text is that of this error, so it is not the
    /// [source](Error::source) as well.
    pub fn invalid_value(&self) -> Option<&InvalidValue> {
        self.invalid_value.as_ref()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ConfigError {}

/// The error of a conversion that cannot fail, for arguments that are values or texts.
impl From<Infallible> for ConfigError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<InvalidValue> for ConfigError {
    fn from(value: InvalidValue) -> Self {
        Self { kind: ConfigErrorKind::Value, message: value.to_string(), invalid_value: Some(value) }
    }
}

/// A text that cannot be parsed as a value of its type.
///
/// The message never holds the text, which may be a key that was pasted by mistake.
///
/// ```
/// use std::error::Error;
/// use tower_api_key::error::ConfigErrorKind;
/// use tower_api_key::{InvalidValue, RequireScopeLayer};
///
/// let error = RequireScopeLayer::scope("two words").unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::Value);
/// assert_eq!(error.invalid_value().map(InvalidValue::to_string), Some(error.to_string()));
/// assert!(error.source().is_none(), "the chain of sources does not repeat the text");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidValue {
    kind: InvalidValueKind,
    message: String,
}

/// The type of value that an [`InvalidValue`] is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InvalidValueKind {
    /// The id of a key.
    KeyId,
    /// A scope or a requirement.
    Scope,
    /// An [`Environment`](crate::Environment).
    Environment,
    /// A [`KeyState`](crate::record::KeyState).
    KeyState,
    /// A [`Timestamp`](crate::Timestamp).
    Timestamp,
    /// A [`Day`](crate::clock::Day).
    Day,
    /// The hash of a password.
    PasswordHash,
    /// The name or the owner of an external caller of key management.
    ExternalCaller,
    /// An operator of the console.
    Operator,
    /// The digest of a key.
    Digest,
    /// A [`LoggedAction`](crate::backend::LoggedAction).
    Action,
    /// A [`Fingerprint`](crate::digest::Fingerprint).
    Fingerprint,
    /// A [`Limit`](crate::limit::Limit) or a [`Plan`](crate::limit::Plan).
    Limit,
}

impl InvalidValue {
    pub(crate) fn new(kind: InvalidValueKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Returns the type of value that was expected.
    pub fn kind(&self) -> InvalidValueKind {
        self.kind
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for InvalidValue {}
