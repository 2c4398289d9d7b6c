//! Audit events: an action, its key and its actor.

// Layer 2 of 10: support.

use crate::clock::Timestamp;
use crate::key::KeyId;

/// A change of a key, or a rejected request.
///
/// An event holds the id of the key, but never its text, its name, an e-mail, a written reason or anything else that a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEvent {
    /// The time of the event.
    pub at: Timestamp,
    /// The action.
    pub action: Action,
    /// The id of the key; `None` if the event concerns several keys or no known one.
    pub key: Option<KeyId>,
    /// The actor, if the caller of the change named one. For a change through a `manage::Delegate` it is the id of the caller's
    /// key.
    pub by: Option<Box<str>>,
}

/// The action of an audit event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The key was created, imported, or created as the successor of another one.
    Created,
    /// Values of the key were changed.
    Updated,
    /// The key was rotated.
    Rotated {
        /// The id of the successor.
        to: KeyId,
    },
    /// The key was disabled, or its disabling was taken over by the application.
    Disabled,
    /// The key was enabled.
    Enabled,
    /// The key was revoked.
    Revoked,
    /// All keys that match a filter were revoked.
    RevokedAll {
        /// The number of these keys.
        keys: u64,
    },
    /// The key was rejected because it had expired. In the log of a store: it was deleted after it had expired.
    Expired,
    /// The key was deleted after it had been revoked.
    Deleted,
    /// All keys that had ended by a given time were deleted.
    DeletedAll {
        /// The number of these keys.
        keys: u64,
    },
    /// A request was rejected.
    Rejected {
        /// The [label of the reason](crate::Reason::label).
        reason: &'static str,
    },
}

impl AuditEvent {
    /// Creates an event without a key and without an actor.
    pub fn new(at: Timestamp, action: Action) -> Self {
        Self { at, action, key: None, by: None }
    }

    /// Sets the id of the key.
    #[must_use]
    pub fn key(self, id: KeyId) -> Self {
        Self { key: Some(id), ..self }
    }

    /// Sets the actor.
    #[must_use]
    pub fn by(self, by: Option<Box<str>>) -> Self {
        Self { by, ..self }
    }
}

impl Action {
    /// Returns the name of the action for logs, in snake case.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Rotated { .. } => "rotated",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Revoked => "revoked",
            Self::RevokedAll { .. } => "revoked_all",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
            Self::DeletedAll { .. } => "deleted_all",
            Self::Rejected { .. } => "rejected",
        }
    }
}
