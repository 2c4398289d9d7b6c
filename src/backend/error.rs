//! Errors of backends and stores.

// Layer 3 of 10: storage.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::record::KeyState;

/// An error of a backend or store.
///
/// For logs and for code that manages keys. It is never shown to a client that authenticates.
#[derive(Debug)]
pub struct BackendError {
    kind: BackendErrorKind,
    message: Box<str>,
    field: Option<&'static str>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The cause of a [`BackendError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackendErrorKind {
    /// The store cannot be reached, or did not answer. Whether a change was made is unknown.
    Unavailable,
    /// The contents of the store cannot be decoded.
    Corrupt,
    /// The key exists already, or the state of the key, the owner or the plan does not allow the change.
    Conflict,
    /// The key, the owner or the plan does not exist.
    NotFound,
    /// The change would end the last key of its owner that can manage keys. Nothing was changed.
    LastManager,
    /// The actor may not make the change, or no longer. Nothing was changed.
    Forbidden,
    /// The store cannot keep the values.
    Invalid,
    /// Too many management requests are waiting for the store. Nothing was changed.
    Busy,
}

impl BackendErrorKind {
    /// All labels.
    #[cfg(feature = "metrics")]
    pub(crate) const LABELS: [&str; 8] =
        ["unavailable", "corrupt", "conflict", "not_found", "last_manager", "forbidden", "invalid", "busy"];

    /// Returns a name for logs and metrics, in snake case.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Corrupt => "corrupt",
            Self::Conflict => "conflict",
            Self::NotFound => "not_found",
            Self::LastManager => "last_manager",
            Self::Forbidden => "forbidden",
            Self::Invalid => "invalid",
            Self::Busy => "busy",
        }
    }
}

impl BackendError {
    /// Creates an error for a store that cannot be reached, or did not answer.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::caused(BackendErrorKind::Unavailable, "cannot access the key store", source)
    }

    /// Creates an error for a change feed that cannot be read, with what to check.
    pub(crate) fn cannot_poll(reason: Self, deadline: Duration) -> Self {
        if reason.kind == BackendErrorKind::Invalid {
            return reason;
        }
        let message = format!(
            "cannot poll the changes of the key store. Check that its address leads to a server that is reachable and writable, that its \
             user may read the tables of keys, and that it answers within {deadline:?}"
        );
        Self { kind: reason.kind, message: message.into(), field: None, source: Some(Box::new(reason)) }
    }

    /// Creates an error for settings of a node that contradict its store, with what to change.
    pub(crate) fn contradicted(message: &str) -> Self {
        Self { kind: BackendErrorKind::Invalid, message: message.into(), field: None, source: None }
    }

    /// Creates an error for contents of a store that cannot be decoded.
    pub fn corrupt(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::caused(BackendErrorKind::Corrupt, "cannot read the key store", source)
    }

    /// Creates an error for a key that exists already.
    pub fn conflict() -> Self {
        let message = "a key with this id or digest exists already";
        Self { kind: BackendErrorKind::Conflict, message: message.into(), field: None, source: None }
    }

    /// Creates an error for a key that is not active.
    pub fn inactive(state: KeyState) -> Self {
        let message = format!("the key is {}", state.label());
        Self { kind: BackendErrorKind::Conflict, message: message.into(), field: None, source: None }
    }

    /// Creates an error for a key that was already rotated.
    pub fn rotated() -> Self {
        let message = "the key was already rotated";
        Self { kind: BackendErrorKind::Conflict, message: message.into(), field: None, source: None }
    }

    /// Creates an error for a key that does not exist.
    pub fn not_found() -> Self {
        let message = "no key with this id";
        Self { kind: BackendErrorKind::NotFound, message: message.into(), field: None, source: None }
    }

    /// Creates an error for an organization, user, membership or project that does not exist.
    pub fn no_owner() -> Self {
        let message = "no owner with this id";
        Self { kind: BackendErrorKind::NotFound, message: message.into(), field: None, source: None }
    }

    /// Creates an error for a plan that does not exist.
    pub fn no_plan() -> Self {
        let message = "no plan with this name";
        Self { kind: BackendErrorKind::NotFound, message: message.into(), field: None, source: None }
    }

    /// Creates an error for a change that refers to a plan which does not exist.
    pub fn unknown_plan() -> Self {
        let message = "no plan with this name";
        Self { kind: BackendErrorKind::Invalid, message: message.into(), field: Some("plan"), source: None }
    }

    /// Creates an error for a plan that cannot be deleted.
    pub fn plan_in_use() -> Self {
        let message = "a key, an organization or a user has the plan: give each another one, or none, before";
        Self { kind: BackendErrorKind::Conflict, message: message.into(), field: None, source: None }
    }

    /// Creates an error for an owner whose id was deleted and not purged.
    pub fn owner_deleted() -> Self {
        let message = "an owner with this id was deleted: purge it to use the id again";
        Self { kind: BackendErrorKind::Conflict, message: message.into(), field: None, source: None }
    }

    /// Creates an error for a store for which too many management requests are waiting.
    pub fn busy() -> Self {
        let message = "too many management requests are waiting for the store: retry in a second";
        Self { kind: BackendErrorKind::Busy, message: message.into(), field: None, source: None }
    }

    /// Creates an error for a key that is the last one of its owner that can manage keys.
    pub fn last_manager() -> Self {
        let message = "the key is the last one of its owner that can manage keys";
        Self { kind: BackendErrorKind::LastManager, message: message.into(), field: None, source: None }
    }

    /// Creates an error for an actor that is no longer active.
    pub fn actor_gone() -> Self {
        Self::forbidden(None, "the actor of the change is no longer active")
    }

    /// Creates an error for a change that the actor may not make, with the field at fault, if any.
    pub(super) fn forbidden(field: Option<&'static str>, message: impl Into<Box<str>>) -> Self {
        Self { kind: BackendErrorKind::Forbidden, message: message.into(), field, source: None }
    }

    /// Creates an error for values that the store cannot keep.
    pub fn invalid(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::caused(BackendErrorKind::Invalid, "the store cannot keep these values", source)
    }

    /// Creates an error with this message.
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

    /// Returns the error of the driver. `Display` shows it behind the message.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.source.as_deref()
    }

    /// Returns the field that asks for more than the actor may grant, or refers to what does not exist.
    pub fn field(&self) -> Option<&'static str> {
        self.field
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Returns the kind of the error.
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

impl Error for BackendError {
    /// Returns the error of the driver. Its text is part of this error's text.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use super::*;

    #[test]
    fn every_label_is_listed() {
        let errors = [
            BackendError::unavailable("x"),
            BackendError::corrupt("x"),
            BackendError::conflict(),
            BackendError::not_found(),
            BackendError::last_manager(),
            BackendError::actor_gone(),
            BackendError::invalid("x"),
            BackendError::busy(),
        ];
        assert_eq!(errors.map(|error| error.kind().label()), BackendErrorKind::LABELS);
    }
}
