//! What is told: an action, the key that it was about, and whose doing it was.

use crate::clock::Timestamp;
use crate::key::KeyId;

/// What was done to a key, or refused to whoever presented it.
///
/// It holds ids and nothing else of a key: no text, no name, no e-mail, no reason in words, nothing that a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub action: Action,
    /// The id of the key that it was done to; `None` where several are meant or none is known.
    pub key: Option<KeyId>,
    /// Who did it, as far as whoever asked for the change said so. For a change through a `manage::Delegate` it is the id of
    /// the caller's key.
    pub by: Option<Box<str>>,
}

/// What was done to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// It was created or imported, or came to be as the successor of another one.
    Created,
    /// Some of its values were changed.
    Updated,
    /// It was replaced.
    Rotated {
        /// The id of its successor.
        to: KeyId,
    },
    /// It was revoked.
    Revoked,
    /// All keys that a filter means were revoked.
    RevokedAll {
        /// How many these were.
        keys: u64,
    },
    /// It was refused because its end had come or, in the log of a store, deleted after that.
    Expired,
    /// It was deleted after it had been revoked.
    Deleted,
    /// All keys that had ended by some time were deleted.
    DeletedAll {
        /// How many these were.
        keys: u64,
    },
    /// A request was refused.
    Refused {
        /// Why, as [`Reason::label`](crate::Reason::label) names it.
        reason: &'static str,
    },
}

impl AuditEvent {
    /// Creates an event that is about no key in particular, and nobody's doing.
    pub fn new(at: Timestamp, action: Action) -> Self {
        Self { at, action, key: None, by: None }
    }

    /// Sets the key that the event is about.
    #[must_use]
    pub fn key(self, id: KeyId) -> Self {
        Self { key: Some(id), ..self }
    }

    /// Sets whose doing it was.
    #[must_use]
    pub fn by(self, by: Option<Box<str>>) -> Self {
        Self { by, ..self }
    }
}

impl Action {
    /// Returns a name for logs, in snake case.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Rotated { .. } => "rotated",
            Self::Revoked => "revoked",
            Self::RevokedAll { .. } => "revoked_all",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
            Self::DeletedAll { .. } => "deleted_all",
            Self::Refused { .. } => "refused",
        }
    }
}
