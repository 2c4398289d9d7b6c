//! Rules of changes to one key, shared by all stores.

// Layer 3 of 10: storage.

use super::expiry::limit_expiry;
use super::{BackendError, KeyUpdate, LoggedAction, Rotation};
use crate::clock::Timestamp;
use crate::key::KeyId;
use crate::record::{Disabling, KeyState, Record};

/// An edit of one key: the rules by which every store updates, rotates, disables and enables keys.
///
/// Revocations are not included: they must succeed even if the rest of a record is unreadable.
///
/// ```
/// use std::collections::HashMap;
///
/// use tower_api_key::backend::{BackendError, EditOutcome, KeyEdit};
/// use tower_api_key::{KeyId, Record};
///
/// /// Edits a key of a store, and returns its successor, if the edit creates one.
/// fn edit(
///     keys: &mut HashMap<KeyId, Record>,
///     id: &KeyId,
///     edit: KeyEdit,
/// ) -> Result<Option<Record>, BackendError> {
///     let mut record = keys.get(id).cloned().ok_or_else(BackendError::not_found)?;
///     let relative = edit.depends_on(&record).and_then(|id| keys.get(&id));
///     let EditOutcome { successor, ended_predecessor, .. } = edit.apply(&mut record, relative)?;
///     if let Some(end) = ended_predecessor
///         && let Some(predecessor) = keys.get_mut(&end.id)
///     {
///         end.apply(predecessor);
///     }
///     keys.extend(successor.iter().chain([&record]).map(|record| (record.id.clone(), record.clone())));
///     Ok(successor)
/// }
/// # use tower_api_key::{Owner, Timestamp, digest::Digester};
/// # use tower_api_key::backend::Rotation;
/// # let (digester, at) = (Digester::sha256(), Timestamp::from_unix_millis(0));
/// # let (old, new) = (KeyId::new("old")?, KeyId::new("new")?);
/// # let record = Record::imported(old.clone(), digester.digest(b"old"), Owner::organization("acme"));
/// # let mut keys = HashMap::from([(old.clone(), record)]);
/// # let rotation = Rotation::new(new.clone(), digester.digest(b"new"), "new", at);
/// # let successor = edit(&mut keys, &old, KeyEdit::Rotate(Box::new(rotation)))?;
/// # assert_eq!(successor.as_ref(), keys.get(&new));
/// # assert_eq!(keys[&old].rotated_to, Some(new));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyEdit {
    /// The edit of [`KeyAction::Update`](super::KeyAction::Update).
    Update(KeyUpdate),
    /// The edit of [`KeyAction::Rotate`](super::KeyAction::Rotate).
    Rotate(Box<Rotation>),
    /// The edit of [`KeyAction::Disable`](super::KeyAction::Disable).
    Disable(Disabling),
    /// The edit of [`KeyAction::Enable`](super::KeyAction::Enable), at the time of the change.
    Enable(Timestamp),
    /// The edit of [`WriteBack::FirstUse`](super::WriteBack::FirstUse), at the time of the use.
    FirstUse(Timestamp),
}

/// The effects of a [`KeyEdit`], apart from the edited record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EditOutcome {
    /// The successor that a rotation creates.
    pub successor: Option<Record>,
    /// The end of the predecessor of the edited key.
    pub ended_predecessor: Option<PredecessorEnd>,
}

/// The end of a key whose successor is used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PredecessorEnd {
    /// The id of the predecessor.
    pub id: KeyId,
    /// Its new expiry.
    pub expires_at: Timestamp,
    successor: KeyId,
}

impl PredecessorEnd {
    /// Sets the expiry of the predecessor and returns `true`, unless it has another successor. An earlier expiry stays.
    pub fn apply(&self, predecessor: &mut Record) -> bool {
        let is_current = predecessor.rotated_to.as_ref() == Some(&self.successor);
        if is_current {
            limit_expiry(predecessor, self.expires_at);
        }
        is_current
    }
}

impl KeyEdit {
    /// Returns the action of the edit in the audit log.
    pub(super) fn logged_action(&self) -> LoggedAction {
        match self {
            Self::Update(_) | Self::FirstUse(_) => LoggedAction::Updated,
            Self::Rotate(_) => LoggedAction::Rotated,
            Self::Disable(_) => LoggedAction::Disabled,
            Self::Enable(_) => LoggedAction::Enabled,
        }
    }

    /// Returns the author of the edit in the audit log: that of its values, or the actor if it has none.
    pub(super) fn author<'a>(&'a self, actor: Option<&'a str>) -> Option<&'a str> {
        match self {
            Self::Update(update) => update.by.as_deref(),
            Self::Rotate(rotation) => rotation.by.as_deref(),
            Self::Disable(disabling) => disabling.by.as_deref(),
            Self::Enable(_) => actor,
            Self::FirstUse(_) => None,
        }
    }

    /// Returns the id of another key that the edit needs to read: the successor for a rotation, the predecessor for a new expiry.
    pub fn depends_on(&self, record: &Record) -> Option<KeyId> {
        match self {
            Self::Rotate(_) => record.rotated_to.clone(),
            Self::Update(update) => record.rotated_from.clone().filter(|_| update.expires_at.is_some()),
            Self::Disable(_) | Self::Enable(_) | Self::FirstUse(_) => None,
        }
    }

    /// Applies the edit to a record. `relative` is the key that the edit [depends on](Self::depends_on), if the store has it.
    ///
    /// # Errors
    ///
    /// [`Conflict`](super::BackendErrorKind::Conflict) if the state of the key does not allow the edit. The record is unchanged then.
    pub fn apply(self, record: &mut Record, relative: Option<&Record>) -> Result<EditOutcome, BackendError> {
        match self {
            Self::Update(update) => update.apply(record, relative).map(|()| EditOutcome::default()),
            Self::Rotate(rotation) => {
                let at = rotation.at;
                let successor = Some(rotation.apply(record, relative)?);
                // A client that rotates a key has its text, so this counts as the first use.
                Ok(EditOutcome { successor, ended_predecessor: end_predecessor(record, at) })
            }
            Self::Disable(disabling) => disable(disabling, record).map(|()| EditOutcome::default()),
            Self::Enable(now) => enable(record, now).map(|()| EditOutcome::default()),
            Self::FirstUse(at) => {
                let ended_predecessor = end_predecessor(record, at);
                Ok(EditOutcome { successor: None, ended_predecessor })
            }
        }
    }
}

/// Disables a key. The first disabling stays, except that the application takes over that of a delegate.
fn disable(disabling: Disabling, record: &mut Record) -> Result<(), BackendError> {
    if record.revoked.is_some() {
        return Err(BackendError::inactive(KeyState::Revoked));
    }
    let takes_over = |earlier: &Disabling| disabling.locked && !earlier.locked;
    if record.disabled.as_ref().is_none_or(takes_over) {
        record.disabled = Some(disabling);
    }
    Ok(())
}

fn enable(record: &mut Record, now: Timestamp) -> Result<(), BackendError> {
    let state = record.state(now);
    if state.has_ended() {
        return Err(BackendError::inactive(state));
    }
    record.disabled = None;
    Ok(())
}

/// Returns the end of the predecessor by the first use of a successor. Later uses end nothing.
fn end_predecessor(successor: &mut Record, at: Timestamp) -> Option<PredecessorEnd> {
    let grace = successor.first_use_grace.take()?;
    let (id, expires_at) = (successor.rotated_from.clone()?, at.saturating_add(grace));
    Some(PredecessorEnd { id, expires_at, successor: successor.id.clone() })
}
