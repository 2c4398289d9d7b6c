//! The replacement of a key by a successor.

// Layer 3 of 10: storage.

use std::time::Duration;

use super::BackendError;
use super::expiry::{earlier, limit_expiry};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::key::{KeyId, RetrievableKey};
use crate::record::{KeyState, Record, Revocation};

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

/// The replacement of a key by a successor with the same owner, environment, scopes, sources, name, metadata, labels, limits and plan.
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

impl Rotation {
    /// Ends the old key, and returns the record of the successor.
    ///
    /// A rotated key can be rotated again only once its successor has ended: if the response of a rotation is lost, so is the
    /// text of the successor.
    pub(super) fn apply(
        self,
        old: &mut Record,
        previous_successor: Option<&Record>,
    ) -> Result<Record, BackendError> {
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
            Grace::For(grace) => limit_expiry(old, self.at.saturating_add(grace)),
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
            first_rotated_from: Some(old.first_of_rotations().clone()),
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
