//! Rules of changes to one key, shared by all stores.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{BackendError, LoggedAction};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::key::{KeyId, RetrievableKey};
use crate::record::{Disabling, KeyState, Record, Revocation};
use crate::scope::Scopes;
use crate::text::to_map;

/// New values for the fields of a key that can be updated. A field that is `None` stays as it is.
///
/// ```
/// use tower_api_key::backend::KeyUpdate;
///
/// let update = KeyUpdate::new().name("CI").never_expires().labels([("team", "infra")]);
/// assert_eq!(update.name.as_deref(), Some("CI"));
/// assert_eq!(update.expires_at, Some(None));
/// assert_eq!(update.scopes, None); // stay as they are
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyUpdate {
    /// The name.
    pub name: Option<Box<str>>,
    /// The scopes.
    pub scopes: Option<Scopes>,
    /// The expiry; `Some(None)` removes it.
    pub expires_at: Option<Option<Timestamp>>,
    /// The metadata, which the application keeps with the key.
    pub metadata: Option<BTreeMap<String, String>>,
    /// The labels, which the owner keeps with the key.
    pub labels: Option<BTreeMap<String, String>>,
    /// The author of the change, for the audit log. Not stored with the key.
    pub by: Option<Box<str>>,
}

impl KeyUpdate {
    /// Creates an update that changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the name.
    #[must_use]
    pub fn name(self, name: impl Into<Box<str>>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Sets the scopes.
    #[must_use]
    pub fn scopes(self, scopes: Scopes) -> Self {
        Self { scopes: Some(scopes), ..self }
    }

    /// Sets the expiry.
    #[must_use]
    pub fn expires_at(self, end: Timestamp) -> Self {
        Self { expires_at: Some(Some(end)), ..self }
    }

    /// Removes the expiry.
    #[must_use]
    pub fn never_expires(self) -> Self {
        Self { expires_at: Some(None), ..self }
    }

    /// Replaces the metadata.
    #[must_use]
    pub fn metadata<K: Into<String>, V: Into<String>>(
        self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self { metadata: Some(to_map(entries)), ..self }
    }

    /// Replaces the labels.
    #[must_use]
    pub fn labels<K: Into<String>, V: Into<String>>(self, entries: impl IntoIterator<Item = (K, V)>) -> Self {
        Self { labels: Some(to_map(entries)), ..self }
    }

    /// Sets the author of the change.
    #[must_use]
    pub fn by(self, author: impl Into<Box<str>>) -> Self {
        Self { by: Some(author.into()), ..self }
    }
}

/// How long a rotated key stays valid, though never beyond its own expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Grace {
    /// The key is revoked at once.
    None,
    /// For this long after the rotation.
    For(Duration),
    /// For this long after the first use of its successor.
    FromFirstUse(Duration),
}

/// The replacement of a key by a successor with the same owner, environment, scopes, sources, name, metadata and labels.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotation {
    /// The id of the successor.
    pub id: KeyId,
    /// The digest of the successor's text.
    pub digest: Digest,
    /// The first characters of the successor's text.
    pub hint: Box<str>,
    /// The time of the rotation.
    pub at: Timestamp,
    /// The author of the rotation.
    pub by: Option<Box<str>>,
    /// The expiry of the successor. With `None`, `renews` decides.
    pub expires_at: Option<Timestamp>,
    /// Whether the successor gets the lifetime of the old key, counted from the rotation. Otherwise it expires when the old key
    /// was to expire. `true` by default.
    pub renews: bool,
    /// How long the old key stays valid.
    pub grace: Grace,
    /// The text of the successor, if the key is retrievable. Set only if that of the old key was.
    pub retrievable: Option<RetrievableKey>,
    /// The latest expiry of a successor for which none was requested.
    pub(super) limit: Option<Timestamp>,
}

impl Rotation {
    /// Creates a rotation that revokes the old key at once.
    pub fn new(id: KeyId, digest: Digest, hint: impl Into<Box<str>>, at: Timestamp) -> Self {
        Self {
            id,
            digest,
            hint: hint.into(),
            at,
            by: None,
            expires_at: None,
            renews: true,
            grace: Grace::None,
            retrievable: None,
            limit: None,
        }
    }

    /// Sets the author of the rotation.
    #[must_use]
    pub fn by(self, author: impl Into<Box<str>>) -> Self {
        Self { by: Some(author.into()), ..self }
    }

    /// Sets the expiry of the successor.
    #[must_use]
    pub fn expires_at(self, end: Timestamp) -> Self {
        Self { expires_at: Some(end), ..self }
    }

    /// Sets whether the successor gets the lifetime of the old key.
    #[must_use]
    pub fn renews(self, renews: bool) -> Self {
        Self { renews, ..self }
    }

    /// Sets how long the old key stays valid.
    #[must_use]
    pub fn grace(self, grace: Grace) -> Self {
        Self { grace, ..self }
    }

    /// Sets the text of the successor, for a key that is retrievable.
    #[must_use]
    pub fn retrievable(self, text: RetrievableKey) -> Self {
        Self { retrievable: Some(text), ..self }
    }
}

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
            shorten(predecessor, self.expires_at);
        }
        is_current
    }
}

impl KeyEdit {
    /// Returns the author of the edit, if it has one.
    pub(super) fn by(&self) -> Option<&str> {
        match self {
            Self::Update(update) => update.by.as_deref(),
            Self::Rotate(rotation) => rotation.by.as_deref(),
            Self::Disable(disabling) => disabling.by.as_deref(),
            Self::Enable(_) | Self::FirstUse(_) => None,
        }
    }

    /// Returns the action of the edit in the audit log.
    pub(super) fn logged_action(&self) -> LoggedAction {
        match self {
            Self::Update(_) | Self::FirstUse(_) => LoggedAction::Updated,
            Self::Rotate(_) => LoggedAction::Rotated,
            Self::Disable(_) => LoggedAction::Disabled,
            Self::Enable(_) => LoggedAction::Enabled,
        }
    }

    /// Returns the author of the edit in the audit log: that of its values, or the actor if they have none.
    pub(super) fn author<'a>(&'a self, actor: Option<&'a str>) -> Option<&'a str> {
        match self {
            Self::Enable(_) => actor,
            _ => self.by(),
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
                Ok(EditOutcome { successor, ended_predecessor: take_predecessor(record, at) })
            }
            Self::Disable(disabling) => disable(disabling, record).map(|()| EditOutcome::default()),
            Self::Enable(now) => enable(record, now).map(|()| EditOutcome::default()),
            Self::FirstUse(at) => {
                let ended_predecessor = take_predecessor(record, at);
                Ok(EditOutcome { successor: None, ended_predecessor })
            }
        }
    }
}

impl KeyUpdate {
    fn apply(self, record: &mut Record, predecessor: Option<&Record>) -> Result<(), BackendError> {
        if record.revoked.is_some() {
            return Err(BackendError::inactive(KeyState::Revoked));
        }
        if let Some(requested) = self.expires_at {
            // After this key expired, its predecessor may have been rotated again.
            let has_sibling = predecessor.is_some_and(|old| old.rotated_to.as_ref() != Some(&record.id));
            if (record.rotated_to.is_some() || has_sibling) && is_later(requested, record.expires_at) {
                return Err(BackendError::rotated());
            }
            record.expires_at = requested;
        }
        if let Some(name) = self.name {
            record.name = name;
        }
        if let Some(scopes) = self.scopes {
            record.scopes = scopes;
        }
        if let Some(metadata) = self.metadata {
            record.metadata = metadata;
        }
        if let Some(labels) = self.labels {
            record.labels = labels;
        }
        Ok(())
    }
}

impl Rotation {
    /// Ends the old key, and returns the record of the successor.
    ///
    /// A rotated key can be rotated again only once its successor has ended: if the response of a rotation is lost, so is the
    /// text of the successor.
    fn apply(self, old: &mut Record, previous_successor: Option<&Record>) -> Result<Record, BackendError> {
        let is_followed = previous_successor.is_some_and(|successor| !successor.state(self.at).has_ended());
        match old.state(self.at) {
            KeyState::Active if old.rotated_to.is_some() && is_followed => {
                return Err(BackendError::rotated());
            }
            KeyState::Active => {}
            state => return Err(BackendError::inactive(state)),
        }
        // The grace of the previous rotation has shortened the lifetime of the old key. The previous successor has the full one.
        let successor = self.successor_of(old, previous_successor.unwrap_or(old));
        old.rotated_to = Some(self.id);
        match self.grace {
            Grace::None => {
                let by = self.by;
                old.revoked = Some(Revocation { by, ..Revocation::new(self.at, "rotated") });
            }
            Grace::For(grace) => shorten(old, self.at.saturating_add(grace)),
            Grace::FromFirstUse(_) => {}
        }
        Ok(successor)
    }

    /// Returns the expiry of a successor for which none was requested. `template` is the key whose lifetime the successor gets.
    pub(super) fn default_expiry(&self, template: &Record) -> Option<Timestamp> {
        if !self.renews {
            return template.expires_at;
        }
        let life = template.created_at.zip(template.expires_at).map(|(from, to)| to.saturating_since(from));
        life.map(|life| self.at.saturating_add(life)).or(template.expires_at)
    }

    fn successor_of(&self, old: &Record, template: &Record) -> Record {
        Record {
            id: self.id.clone(),
            digest: self.digest,
            hint: self.hint.clone(),
            created_at: Some(self.at),
            created_by: self.by.clone(),
            expires_at: self.expires_at.or(earlier(self.default_expiry(template), self.limit)),
            rotated_from: Some(old.id.clone()),
            rotated_to: None,
            last_used_at: None,
            retrievable: self.retrievable.clone(),
            first_use_grace: match self.grace {
                Grace::FromFirstUse(grace) => Some(grace),
                Grace::None | Grace::For(_) => None,
            },
            ..old.clone()
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
fn take_predecessor(successor: &mut Record, at: Timestamp) -> Option<PredecessorEnd> {
    let grace = successor.first_use_grace.take()?;
    let (id, expires_at) = (successor.rotated_from.clone()?, at.saturating_add(grace));
    Some(PredecessorEnd { id, expires_at, successor: successor.id.clone() })
}

fn earlier(expiry: Option<Timestamp>, limit: Option<Timestamp>) -> Option<Timestamp> {
    if is_later(expiry, limit) { limit } else { expiry }
}

/// Returns whether one expiry is later than another one. Without an expiry, a key never expires.
pub(super) fn is_later(expiry: Option<Timestamp>, than: Option<Timestamp>) -> bool {
    expiry.unwrap_or(Timestamp::NEVER) > than.unwrap_or(Timestamp::NEVER)
}

/// Sets the expiry of a key, unless it expires earlier.
fn shorten(record: &mut Record, expiry: Timestamp) {
    record.expires_at = Some(record.expires_at.map_or(expiry, |own| own.min(expiry)));
}
