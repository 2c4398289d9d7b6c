//! A store that could not do what was asked of it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::record::KeyState;

/// A store that could not do what was asked of it.
///
/// It goes to logs and to the code that manages keys, never to a client.
#[derive(Debug)]
pub struct BackendError {
    kind: BackendErrorKind,
    message: Box<str>,
    field: Option<&'static str>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What kept a store from doing what was asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackendErrorKind {
    /// The store could not be reached, or did not answer. Whether a change was made is unknown.
    Unavailable,
    /// What the store holds cannot be understood.
    Corrupt,
    /// There is such a key already, or the key is not in a state in which it can be changed like this.
    Conflict,
    /// There is no such key, or no such owner of keys.
    NotFound,
    /// The actor may not make the change, or not any more. Nothing was changed.
    Forbidden,
    /// The store cannot keep what it was given.
    Invalid,
    /// The store has as many requests of management to answer as it takes. Nothing was changed.
    Busy,
}

impl BackendErrorKind {
    /// All labels that there are.
    #[cfg(feature = "metrics")]
    pub(crate) const LABELS: [&str; 7] =
        ["unavailable", "corrupt", "conflict", "not_found", "forbidden", "invalid", "busy"];

    /// Returns a name for logs and metrics, in snake case.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Corrupt => "corrupt",
            Self::Conflict => "conflict",
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::Invalid => "invalid",
            Self::Busy => "busy",
        }
    }
}

impl BackendError {
    /// Creates an error that says that the store could not be asked.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::caused(
            BackendErrorKind::Unavailable,
            "expected an answer from the key store, found an error",
            source,
        )
    }

    /// Creates an error that says that the changes in a store cannot be followed, and what to look at.
    pub(crate) fn not_followed(reason: Self, deadline: Duration) -> Self {
        let message = format!(
            "cannot follow the changes in the key store. See that its address is that of a server which can be reached and written to, \
             that its user may read the tables of keys, and that it answers within the deadline of {deadline:?}"
        );
        Self { kind: reason.kind, message: message.into(), field: None, source: Some(Box::new(reason)) }
    }

    /// Creates an error that says that what the store holds cannot be understood.
    pub fn corrupt(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::caused(BackendErrorKind::Corrupt, "expected a readable key store, found something else", source)
    }

    /// Creates an error that says that there is such a key already.
    pub fn conflict() -> Self {
        let message = "expected a new key, found one with the same id or digest in the store";
        Self { kind: BackendErrorKind::Conflict, message: message.into(), field: None, source: None }
    }

    /// Creates an error that says that a key is not in force any more.
    pub fn not_in_force(state: KeyState) -> Self {
        let message = format!("expected a key that is in force, found one that is {}", state.label());
        Self { kind: BackendErrorKind::Conflict, message: message.into(), field: None, source: None }
    }

    /// Creates an error that says that a key was rotated before.
    pub fn rotated() -> Self {
        let message = "expected a key that was not rotated yet, found one that was";
        Self { kind: BackendErrorKind::Conflict, message: message.into(), field: None, source: None }
    }

    /// Creates an error that says that there is no such key.
    pub fn not_found() -> Self {
        let message = "expected a key that is in the store, found none with this id";
        Self { kind: BackendErrorKind::NotFound, message: message.into(), field: None, source: None }
    }

    /// Creates an error that says that there is no such organization, person, membership or project.
    pub fn no_owner() -> Self {
        let message = "expected an owner of keys that is in the store, found none with this id";
        Self { kind: BackendErrorKind::NotFound, message: message.into(), field: None, source: None }
    }

    /// Creates an error that says that an owner with this id was deleted, and left a mark.
    pub fn owner_deleted() -> Self {
        let message = "an owner with this id was deleted: the id can be used again once that owner is purged";
        Self { kind: BackendErrorKind::Conflict, message: message.into(), field: None, source: None }
    }

    /// Creates an error that says that too many requests of management wait for the store.
    pub fn busy() -> Self {
        let message = "the store has too many lists and changes to make: try again in a second";
        Self { kind: BackendErrorKind::Busy, message: message.into(), field: None, source: None }
    }

    /// Creates an error that says that the actor of a change is not in force any more.
    pub fn actor_gone() -> Self {
        Self::forbidden(None, "the actor of the change is not in force any more")
    }

    /// Creates an error that says that the actor may not make the change, and which field asks for too much.
    pub(super) fn forbidden(field: Option<&'static str>, message: impl Into<Box<str>>) -> Self {
        Self { kind: BackendErrorKind::Forbidden, message: message.into(), field, source: None }
    }

    /// Creates an error that says that the store cannot keep what it was given.
    pub fn invalid(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::caused(
            BackendErrorKind::Invalid,
            "expected a record that the store can keep, found another",
            source,
        )
    }

    /// Creates an error with a sentence of its own.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn new(kind: BackendErrorKind, message: impl Into<Box<str>>) -> Self {
        Self { kind, message: message.into(), field: None, source: None }
    }

    fn caused(
        kind: BackendErrorKind,
        message: &str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { kind, message: message.into(), field: None, source: Some(source.into()) }
    }

    /// Returns what a driver has said, which is part of the text already.
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "tracing"))]
    pub(crate) fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.source.as_deref()
    }

    /// Returns the field that asks for more than the actor may grant.
    pub fn field(&self) -> Option<&'static str> {
        self.field
    }

    #[cfg(feature = "manage")]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Returns what kept the store from doing what was asked.
    pub fn kind(&self) -> BackendErrorKind {
        self.kind
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl Error for BackendError {}

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use super::*;

    #[test]
    fn every_label_is_among_those_that_there_are() {
        let errors = [
            BackendError::unavailable("x"),
            BackendError::corrupt("x"),
            BackendError::conflict(),
            BackendError::not_found(),
            BackendError::actor_gone(),
            BackendError::invalid("x"),
            BackendError::busy(),
        ];
        assert_eq!(errors.map(|error| error.kind().label()), BackendErrorKind::LABELS);
    }
}
