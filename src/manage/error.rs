//! Errors of key management.

// Layer 9 of 10: management.

use std::error::Error;
use std::fmt;

use crate::backend::{BackendError, BackendErrorKind};
use crate::key::MintError;

/// A key could not be created, changed or read. Nothing was written, except perhaps after [`Unavailable`](ManageErrorKind::Unavailable).
#[derive(Debug)]
pub struct ManageError {
    kind: ManageErrorKind,
    fields: Vec<FieldError>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The kind of a [`ManageError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ManageErrorKind {
    /// Some fields have invalid values: [`ManageError::fields`] names them.
    Invalid,
    /// No key has this id, or the caller may not access it; or no owner or plan has this name.
    NotFound,
    /// The caller may not make this change, or is no longer allowed to: [`ManageError::fields`] names the fields that ask for too much.
    Forbidden,
    /// The state of the key or of the plan does not permit this change, or the key exists already.
    Conflict,
    /// The change would end the last key of its owner that can manage keys, which was not
    /// [permitted](super::Delegate::keeping_manager).
    LastManager,
    /// Too many management requests wait for the store, and the change was not made. Retry after a second.
    Busy,
    /// The store did not answer, or holds unreadable data. Whether the change was made is unknown.
    Unavailable,
}

/// A field with an invalid value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldError {
    /// The name of the field, as in an HTTP request.
    pub field: &'static str,
    /// The rule that the value breaks, and the item at fault: escaped, cut if it is long, and never the whole text of a random key that was
    /// pasted by mistake.
    pub message: String,
}

impl FieldError {
    pub(crate) fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

impl ManageError {
    fn of(kind: ManageErrorKind) -> Self {
        Self { kind, fields: Vec::new(), source: None }
    }

    pub(crate) fn not_found() -> Self {
        Self::of(ManageErrorKind::NotFound)
    }

    pub(crate) fn invalid(fields: Vec<FieldError>) -> Self {
        Self { fields, ..Self::of(ManageErrorKind::Invalid) }
    }

    /// Creates an error for a field that asks for more than the caller may grant.
    pub(crate) fn forbidden(field: &'static str, message: impl Into<String>) -> Self {
        Self { fields: vec![FieldError::new(field, message)], ..Self::of(ManageErrorKind::Forbidden) }
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> ManageErrorKind {
        self.kind
    }

    /// Returns the fields that are invalid, or ask for too much.
    pub fn fields(&self) -> &[FieldError] {
        &self.fields
    }
}

impl From<BackendError> for ManageError {
    fn from(error: BackendError) -> Self {
        let kind = match error.kind() {
            BackendErrorKind::NotFound => ManageErrorKind::NotFound,
            BackendErrorKind::Conflict => ManageErrorKind::Conflict,
            BackendErrorKind::LastManager => ManageErrorKind::LastManager,
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
        if let Some(source) = &self.source {
            return write!(f, "{source}");
        }
        f.write_str(match self.kind {
            ManageErrorKind::Invalid => "invalid values",
            ManageErrorKind::NotFound => "no key with this id",
            ManageErrorKind::Forbidden => "the caller may not make this change",
            ManageErrorKind::Conflict => "the state of the key does not permit this change",
            ManageErrorKind::LastManager => "the key is the last one of its owner that can manage keys",
            ManageErrorKind::Busy => "the key store is busy: retry in a second",
            ManageErrorKind::Unavailable => "the key store is unavailable",
        })?;
        self.fields.iter().enumerate().try_for_each(|(index, FieldError { field, message })| {
            write!(f, "{} {field}: {message}", if index == 0 { ':' } else { ';' })
        })
    }
}

impl Error for ManageError {
    /// Returns the cause of the error of the store or of the random generator, whose text this error has.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref()?.source()
    }
}
