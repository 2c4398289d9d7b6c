//! A change of a key that was not made.

use std::error::Error;
use std::fmt;

use crate::backend::{BackendError, BackendErrorKind};
use crate::key::MintError;

/// A key that was not created, changed or found. Nothing was written, except perhaps after
/// [`Unavailable`](ManageErrorKind::Unavailable).
#[derive(Debug)]
pub struct ManageError {
    kind: ManageErrorKind,
    fields: Vec<FieldError>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Why a key was not created, changed or found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ManageErrorKind {
    /// Some values cannot be those of a key: [`ManageError::fields`] says which.
    Invalid,
    /// There is no such key, or none that the caller may know of.
    NotFound,
    /// The caller may not make such a change, or not any more: [`ManageError::fields`] says what is beyond it, where that is a value.
    Forbidden,
    /// The key is not in a state in which it can be changed like this, or there is one already.
    Conflict,
    /// The store has as much to do for management as it takes, and the change was not made. Try again after a second.
    Busy,
    /// The store could not be asked, or holds what cannot be understood. Whether a change was made is unknown.
    Unavailable,
}

/// A value that cannot be that of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldError {
    /// The name of the field, as in a request by HTTP.
    pub field: &'static str,
    /// What was expected and what was found. The value itself is not shown.
    pub message: String,
}

impl FieldError {
    pub(super) fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

impl ManageError {
    fn of(kind: ManageErrorKind) -> Self {
        Self { kind, fields: Vec::new(), source: None }
    }

    pub(super) fn not_found() -> Self {
        Self::of(ManageErrorKind::NotFound)
    }

    pub(super) fn invalid(fields: Vec<FieldError>) -> Self {
        Self { fields, ..Self::of(ManageErrorKind::Invalid) }
    }

    /// Says that a field asks for more than the caller may grant.
    pub(super) fn beyond(field: &'static str, message: impl Into<String>) -> Self {
        Self { fields: vec![FieldError::new(field, message)], ..Self::of(ManageErrorKind::Forbidden) }
    }

    /// Returns why the key was not created, changed or found.
    pub fn kind(&self) -> ManageErrorKind {
        self.kind
    }

    /// Returns the values that are wrong.
    pub fn fields(&self) -> &[FieldError] {
        &self.fields
    }
}

impl From<BackendError> for ManageError {
    fn from(error: BackendError) -> Self {
        let kind = match error.kind() {
            BackendErrorKind::NotFound => ManageErrorKind::NotFound,
            BackendErrorKind::Conflict => ManageErrorKind::Conflict,
            BackendErrorKind::Invalid => ManageErrorKind::Invalid,
            BackendErrorKind::Forbidden => ManageErrorKind::Forbidden,
            BackendErrorKind::Busy => ManageErrorKind::Busy,
            BackendErrorKind::Unavailable | BackendErrorKind::Corrupt => ManageErrorKind::Unavailable,
        };
        if let Some(field) = error.field() {
            return Self { fields: vec![FieldError::new(field, error.message())], ..Self::of(kind) };
        }
        Self { source: Some(error.into()), ..Self::of(kind) }
    }
}

impl From<MintError> for ManageError {
    fn from(error: MintError) -> Self {
        Self { source: Some(error.into()), ..Self::of(ManageErrorKind::Unavailable) }
    }
}

impl fmt::Display for ManageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ManageErrorKind::Invalid => "expected values that a key can have, found others",
            ManageErrorKind::NotFound => "expected a key that is there, found none with this id",
            ManageErrorKind::Forbidden => "the caller may not make this change, or not any more",
            ManageErrorKind::Conflict => {
                "expected a key that can be changed like this, found one that cannot"
            }
            ManageErrorKind::Busy => "the key store is busy with other changes: try again in a second",
            ManageErrorKind::Unavailable => "expected an answer from the key store, found an error",
        })?;
        for FieldError { field, message } in &self.fields {
            write!(f, "; {field}: {message}")?;
        }
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl Error for ManageError {}
