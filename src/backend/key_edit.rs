//! What becomes of a key that is changed: the rules, wherever it is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use super::bounds::is_later;
use super::{BackendError, Change};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::key::{KeyId, RetrievableKey};
use crate::record::{KeyState, Record, Revocation};
use crate::scope::Scopes;

/// New values for what may be changed of a key. What is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyUpdate {
    /// The name.
    pub name: Option<Box<str>>,
    /// The scopes.
    pub scopes: Option<Scopes>,
    /// From when on the key is refused; `Some(None)` takes its end away.
    pub expires_at: Option<Option<Timestamp>>,
    /// What the application keeps with the key.
    pub metadata: Option<BTreeMap<String, String>>,
    /// What the owner notes about the key.
    pub labels: Option<BTreeMap<String, String>>,
    /// Who changes it, for the audit log. It is not kept with the key.
    pub by: Option<Box<str>>,
}

/// How long a key goes on after it was replaced, though never beyond its own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Grace {
    /// Not at all: it is revoked.
    None,
    /// So long from the rotation.
    For(Duration),
    /// So long from the first use of its successor.
    FromFirstUse(Duration),
}

/// The replacement of a key by another one with the same owner, environment, scopes, sources, name, metadata and labels.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotation {
    /// The id of the successor.
    pub id: KeyId,
    /// The digest of the successor's text.
    pub digest: Digest,
    /// The first characters of the successor's text.
    pub hint: Box<str>,
    /// When the key is rotated.
    pub at: Timestamp,
    /// Who rotates it.
    pub by: Option<Box<str>>,
    /// From when on the successor is refused; `None` lets it live as long as `renews` says.
    pub expires_at: Option<Timestamp>,
    /// Whether the successor lives as long from the rotation as the old key was meant to from its creation. Otherwise it ends when the
    /// old key was to end. `true` by default.
    pub renews: bool,
    /// How long the old key goes on.
    pub grace: Grace,
    /// The text of the successor, if it is no secret, as that of the old key was none.
    pub retrievable: Option<RetrievableKey>,
    /// The latest end of a successor for which no end is asked.
    pub(super) limit: Option<Timestamp>,
}

impl Rotation {
    /// Creates a rotation after which the old key is refused at once.
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
}

/// A change of one key. Revocations are not among them: they must be possible whatever else is wrong with a record.
#[derive(Debug, Clone)]
pub(super) enum KeyEdit {
    Update(KeyUpdate),
    Rotate(Box<Rotation>),
    FirstUse(Timestamp),
}

/// What follows from an edit, beside the edited record.
#[derive(Debug, Default)]
pub(super) struct EditOutcome {
    /// A record that is new.
    pub(super) successor: Option<Record>,
    /// The key that the edited one has replaced, which ends at this time, unless it does before or has another successor.
    pub(super) ends: Option<(KeyId, Timestamp)>,
}

impl KeyEdit {
    /// Returns who makes the edit, where it is someone's doing.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn by(&self) -> Option<&str> {
        match self {
            Self::Update(update) => update.by.as_deref(),
            Self::Rotate(rotation) => rotation.by.as_deref(),
            Self::FirstUse(_) => None,
        }
    }

    /// Returns the key without which the edit cannot be decided.
    pub(super) fn depends_on(&self, record: &Record) -> Option<KeyId> {
        match self {
            Self::Rotate(_) => record.rotated_to.clone(),
            Self::Update(update) => record.rotated_from.clone().filter(|_| update.expires_at.is_some()),
            Self::FirstUse(_) => None,
        }
    }

    /// Changes a record, or says why it cannot be changed. `former` is the key that the edit depends on, if the store has it.
    pub(super) fn apply(
        self,
        record: &mut Record,
        former: Option<&Record>,
    ) -> Result<EditOutcome, BackendError> {
        match self {
            Self::Update(update) => update.apply(record, former).map(|()| EditOutcome::default()),
            Self::Rotate(rotation) => {
                let at = rotation.at;
                let successor = Some(rotation.apply(record, former)?);
                // Whoever replaces a key has it: what was to begin with its first use begins now at the latest.
                Ok(EditOutcome { successor, ends: first_use(record, at) })
            }
            Self::FirstUse(at) => Ok(EditOutcome { ends: first_use(record, at), ..EditOutcome::default() }),
        }
    }
}

impl KeyUpdate {
    fn apply(self, record: &mut Record, predecessor: Option<&Record>) -> Result<(), BackendError> {
        if record.revoked.is_some() {
            return Err(BackendError::not_in_force(KeyState::Revoked));
        }
        if let Some(end) = self.expires_at {
            // The key that this one has replaced may have another successor since this one ended.
            let has_rival = predecessor.is_some_and(|old| old.rotated_to.as_ref() != Some(&record.id));
            if (record.rotated_to.is_some() || has_rival) && is_later(end, record.expires_at) {
                return Err(BackendError::rotated());
            }
            record.expires_at = end;
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
    /// Ends the old key, and returns the record of the new one.
    ///
    /// A key that was rotated is rotated again only if its successor has ended: a rotation whose answer was lost left a successor whose
    /// text is lost as well.
    fn apply(self, old: &mut Record, former: Option<&Record>) -> Result<Record, BackendError> {
        let is_free = former.is_none_or(|former| former.state(self.at) != KeyState::Active);
        match old.state(self.at) {
            KeyState::Active if old.rotated_to.is_some() && !is_free => return Err(BackendError::rotated()),
            KeyState::Active => {}
            state => return Err(BackendError::not_in_force(state)),
        }
        // The grace of the former rotation has brought the end of the old key forward. Its successor has the life that was meant.
        let successor = self.successor_of(old, former.unwrap_or(old));
        old.rotated_to = Some(self.id);
        match self.grace {
            Grace::None => {
                let by = self.by;
                old.revoked = Some(Revocation { by, ..Revocation::new(self.at, "rotated") });
            }
            Grace::For(grace) => end_by(old, self.at.saturating_add(grace)),
            Grace::FromFirstUse(_) => {}
        }
        Ok(successor)
    }

    /// Returns when a successor ends for which no end is asked, by a key with the life that was meant.
    pub(super) fn own_end(&self, meant: &Record) -> Option<Timestamp> {
        if !self.renews {
            return meant.expires_at;
        }
        let life = meant.created_at.zip(meant.expires_at).map(|(from, to)| to.saturating_since(from));
        life.map(|life| self.at.saturating_add(life)).or(meant.expires_at)
    }

    fn successor_of(&self, old: &Record, meant: &Record) -> Record {
        Record {
            id: self.id.clone(),
            digest: self.digest,
            hint: self.hint.clone(),
            created_at: Some(self.at),
            created_by: self.by.clone(),
            expires_at: self.expires_at.or(earlier(self.own_end(meant), self.limit)),
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

/// Returns the key that a successor ends by its first use, and when. The second use ends nothing.
fn first_use(successor: &mut Record, at: Timestamp) -> Option<(KeyId, Timestamp)> {
    let grace = successor.first_use_grace.take()?;
    Some((successor.rotated_from.clone()?, at.saturating_add(grace)))
}

/// What others have to be told of a record that was changed.
pub(super) fn change_of(record: &Record) -> Change {
    match record.revoked {
        Some(_) => Change::Revoked(record.digest),
        None => Change::Changed(record.digest),
    }
}

fn earlier(end: Option<Timestamp>, limit: Option<Timestamp>) -> Option<Timestamp> {
    if is_later(end, limit) { limit } else { end }
}

/// Brings the end of a key forward.
pub(super) fn end_by(record: &mut Record, end: Timestamp) {
    record.expires_at = Some(record.expires_at.map_or(end, |own| own.min(end)));
}
