//! The changes of keys.

// Layer 3 of 10: storage.

use super::bounds::Bounds;
use super::{
    Actor, AuthorizedActor, BackendError, KeyBatch, KeyFilter, KeyUpdate, RequiredManager, Rotation,
};
use crate::clock::Timestamp;
use crate::digest::Fingerprint;
use crate::key::KeyId;
use crate::record::{Disabling, Record, Revocation};

/// A change of keys, and its actor.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KeyChange {
    /// The actor.
    pub actor: Actor,
    /// The action.
    pub action: KeyAction,
    bounds: Option<Bounds>,
    fingerprints: Vec<Fingerprint>,
    /// Whether it may change a session.
    of_session: bool,
}

/// An action on keys, with one variant for each constructor of [`KeyChange`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum KeyAction {
    /// See [`KeyChange::insert`].
    Insert(Box<Record>),
    /// See [`KeyChange::insert_exclusive`].
    InsertExclusive(Box<Record>, KeyFilter, Revocation),
    /// See [`KeyChange::update`].
    Update(KeyId, KeyUpdate),
    /// See [`KeyChange::rotate`].
    Rotate(KeyId, Box<Rotation>),
    /// See [`KeyChange::disable`].
    Disable(KeyId, Disabling),
    /// See [`KeyChange::enable`].
    Enable(KeyId, Timestamp),
    /// See [`KeyChange::revoke`].
    Revoke(KeyId, Revocation),
    /// See [`KeyChange::revoke_all`].
    RevokeAll(KeyFilter, Revocation),
    /// See [`KeyChange::revoke_batch`].
    RevokeBatch(Box<KeyBatch>, Revocation),
    /// See [`KeyChange::end_sessions`].
    EndSessions(Box<str>, usize, Revocation),
    /// See [`KeyChange::purge_ended`].
    PurgeEnded(Timestamp),
    /// See [`KeyChange::purge_sessions`].
    PurgeSessions(Timestamp),
    /// See [`KeyChange::retire_digests`].
    RetireDigests(Fingerprint, Timestamp),
}

/// The outcome of a [`KeyChange`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangeOutcome {
    /// The key that was inserted, updated, disabled or enabled, or the successor of a rotation.
    pub record: Option<Record>,
    /// The number of keys that were revoked or deleted, for actions on any number of them.
    pub keys: u64,
    /// The id of the last key of a [batch](KeyChange::revoke_batch); `None` if no key is left after it.
    pub last: Option<Box<str>>,
}

impl ChangeOutcome {
    /// Creates the outcome of a change of any number of keys.
    pub fn of_keys(keys: u64) -> Self {
        Self { keys, ..Self::default() }
    }

    /// Sets the key that was inserted, updated, disabled or enabled, or the successor of a rotation.
    #[must_use]
    pub fn record(self, record: Record) -> Self {
        Self { record: Some(record), ..self }
    }

    /// Sets the id of the last key of a batch, after which others may match.
    #[must_use]
    pub fn last(self, id: Option<Box<str>>) -> Self {
        Self { last: id, ..self }
    }
}

/// A change by the application itself, without bounds.
impl From<KeyAction> for KeyChange {
    fn from(action: KeyAction) -> Self {
        Self { actor: Actor::system(), action, bounds: None, fingerprints: Vec::new(), of_session: false }
    }
}

/// Each constructor creates a change by the application itself. [`by`](Self::by) sets another actor.
impl KeyChange {
    /// Adds a key.
    ///
    /// Fails with [`Conflict`](super::BackendErrorKind::Conflict) if a key with the same id or digest exists, or if its owner was
    /// deleted; with [`Invalid`](super::BackendErrorKind::Invalid) if the store cannot keep the record as it is, or has no plan of that name.
    pub fn insert(record: Record) -> Self {
        KeyAction::Insert(Box::new(record)).into()
    }

    /// Adds a key and revokes all other keys that match `filter`, atomically. Of concurrent changes, the key of one is left.
    ///
    /// Fails as [`insert`](Self::insert) does.
    pub fn insert_exclusive(record: Record, filter: &KeyFilter, revocation: Revocation) -> Self {
        KeyAction::InsertExclusive(Box::new(record), filter.clone(), revocation).into()
    }

    /// Updates a key.
    ///
    /// Fails with [`NotFound`](super::BackendErrorKind::NotFound) if the key does not exist; with
    /// [`Conflict`](super::BackendErrorKind::Conflict) if it was revoked, or if the update would extend a rotated key; with
    /// [`Invalid`](super::BackendErrorKind::Invalid) if the store cannot keep the values, or has no plan of that name.
    pub fn update(id: &KeyId, update: KeyUpdate) -> Self {
        KeyAction::Update(id.clone(), update).into()
    }

    /// Replaces a key by a successor.
    ///
    /// Fails with [`NotFound`](super::BackendErrorKind::NotFound) if the key does not exist; with
    /// [`Conflict`](super::BackendErrorKind::Conflict) if it is not active or was already rotated, such as by a concurrent
    /// call, or if a key with the new id or digest exists. A key whose successor has ended can be rotated again.
    pub fn rotate(id: &KeyId, rotation: Rotation) -> Self {
        KeyAction::Rotate(id.clone(), Box::new(rotation)).into()
    }

    /// Disables a key: it is rejected until it is [enabled](Self::enable). Disabling it again changes nothing, except that the application
    /// takes over the disabling by a delegate.
    ///
    /// An expired key stays expired, and is disabled once its expiry is postponed.
    ///
    /// Fails with [`NotFound`](super::BackendErrorKind::NotFound) if the key does not exist; with
    /// [`Conflict`](super::BackendErrorKind::Conflict) if it was revoked.
    pub fn disable(id: &KeyId, disabling: Disabling) -> Self {
        KeyAction::Disable(id.clone(), disabling).into()
    }

    /// Enables a key that was disabled. Enabling an active key changes nothing.
    ///
    /// Fails with [`NotFound`](super::BackendErrorKind::NotFound) if the key does not exist; with
    /// [`Conflict`](super::BackendErrorKind::Conflict) if it was revoked, or has expired at `now`.
    pub fn enable(id: &KeyId, now: Timestamp) -> Self {
        KeyAction::Enable(id.clone(), now).into()
    }

    /// Revokes a key. Revoking it again changes nothing: the first revocation stays.
    ///
    /// Fails with [`NotFound`](super::BackendErrorKind::NotFound) if the key does not exist.
    pub fn revoke(id: &KeyId, revocation: Revocation) -> Self {
        KeyAction::Revoke(id.clone(), revocation).into()
    }

    /// Revokes all keys that match `filter` and are not revoked yet, atomically. If it fails, either all of them are revoked or
    /// none.
    pub fn revoke_all(filter: &KeyFilter, revocation: Revocation) -> Self {
        KeyAction::RevokeAll(filter.clone(), revocation).into()
    }

    /// Revokes a batch of keys, atomically: a part of a change that would block others for long. Its outcome has the
    /// [last key](ChangeOutcome::last), after which the next batch starts.
    ///
    /// The keys of the [subjects](Actor::subjects) of the actor stay: an operator who revokes all keys goes on to the last batch.
    pub fn revoke_batch(batch: KeyBatch, revocation: Revocation) -> Self {
        KeyAction::RevokeBatch(Box::new(batch), revocation).into()
    }

    /// Revokes the sessions of the console of an [opener](crate::record::Session::opener) that have neither ended nor expired at the time of the
    /// revocation, except the last `kept` by id: the newest. Keys and the sessions of other openers stay, in the store and in each cache. A code
    /// of the opener that is redeemed at the same time is revoked, or so is its session.
    ///
    /// If it fails, some of the sessions may be revoked: a store revokes them in batches, between which it makes other changes.
    pub fn end_sessions(opener: impl Into<Box<str>>, kept: usize, revocation: Revocation) -> Self {
        KeyAction::EndSessions(opener.into(), kept, revocation).into()
    }

    /// Deletes all keys that had expired or were revoked by the time `before`. Their usage stays, and their predecessors and
    /// successors keep their ids.
    ///
    /// If it fails, some of the keys may be deleted: a store deletes them in batches, between which it makes other changes.
    pub fn purge_ended(before: Timestamp) -> Self {
        KeyAction::PurgeEnded(before).into()
    }

    /// Deletes all sessions of the console that had expired or were revoked by the time `before`, as [a purge](Self::purge_ended) deletes keys.
    pub fn purge_sessions(before: Timestamp) -> Self {
        KeyAction::PurgeSessions(before).into()
    }

    /// Drops all digests of keys but those by the digester with this fingerprint, from each key that has such a digest. Its
    /// [outcome](ChangeOutcome::keys) is the number of these keys.
    ///
    /// Each dropped digest is invalidated. Other keys keep their digests, and [`KeyStore::keys_without`](super::KeyStore::keys_without) counts them. Fingerprints of
    /// other digesters of which no key in force at `now` has a digest are dropped as well.
    ///
    /// If it fails, some of the digests may be dropped: a store makes the change in batches, as [a purge](Self::purge_ended).
    pub fn retire_digests(digester: Fingerprint, now: Timestamp) -> Self {
        KeyAction::RetireDigests(digester, now).into()
    }

    /// Sets the actor, whose keys a [batch](Self::revoke_batch) leaves out.
    #[must_use]
    pub fn by(mut self, actor: Actor) -> Self {
        if let KeyAction::RevokeBatch(batch, _) = &mut self.action {
            batch.leave_out(&actor);
        }
        Self { actor, ..self }
    }

    /// Lets the change be one of a session: others find no key with its id.
    #[cfg(feature = "console")]
    pub(crate) fn of_session(self) -> Self {
        Self { of_session: true, ..self }
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn is_of_session(&self) -> bool {
        self.of_session
    }

    /// Limits the change to what a delegate may do. A key that a delegate disables can be enabled by a delegate.
    pub(crate) fn within(mut self, bounds: Option<Bounds>) -> Self {
        if let KeyAction::Disable(_, disabling) = &mut self.action {
            disabling.locked = bounds.is_none();
        }
        Self { bounds, ..self }
    }

    /// Fills in what a new key inherits from its creator, and limits a successor. A store calls this before it makes the change.
    pub fn inherit_from_creator(&mut self, authorized: Option<&AuthorizedActor>) {
        let Some(bounds) = &self.bounds else { return };
        let Some(caller) = bounds.caller(authorized) else { return };
        match &mut self.action {
            KeyAction::Insert(child) => Bounds::inherit(&caller, child),
            KeyAction::Rotate(_, rotation) => Bounds::limit_rotation(&caller, rotation),
            _ => {}
        }
    }

    /// Checks that the actor may make the change, given the key as it was before. A store calls this in the transaction of the
    /// change, with the result of [`Actor::authorize`].
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::BackendErrorKind::Forbidden), or [`NotFound`](super::BackendErrorKind::NotFound) if the actor may not
    /// access the key.
    pub fn check(
        &self,
        authorized: Option<&AuthorizedActor>,
        target: Option<&Record>,
    ) -> Result<(), BackendError> {
        if target.is_some_and(|target| target.session.is_some()) && !self.of_session {
            return Err(BackendError::not_found());
        }
        let Some(bounds) = &self.bounds else { return Ok(()) };
        let caller = bounds.caller(authorized).ok_or_else(BackendError::actor_gone)?;
        match (&self.action, target) {
            (KeyAction::Insert(child), _) => bounds.check_create(&caller, child),
            (KeyAction::Update(_, update), Some(target)) => bounds.check_update(&caller, target, update),
            (KeyAction::Rotate(_, rotation), Some(target)) => bounds.check_rotate(&caller, target, rotation),
            (KeyAction::Disable(..) | KeyAction::Revoke(..), Some(target)) => {
                bounds.check_end(&caller, target)
            }
            (KeyAction::Enable(..), Some(target)) => bounds.check_enable(&caller, target),
            // A change with bounds is of one key, and that key exists.
            _ => Err(BackendError::not_found()),
        }
    }

    /// Checks that the actor may end a key as a side effect, such as a predecessor whose grace begins.
    ///
    /// # Errors
    ///
    /// As for [`check`](Self::check).
    pub fn check_end(
        &self,
        authorized: Option<&AuthorizedActor>,
        target: &Record,
    ) -> Result<(), BackendError> {
        let Some(bounds) = &self.bounds else { return Ok(()) };
        let caller = bounds.caller(authorized).ok_or_else(BackendError::actor_gone)?;
        // A successor ends its predecessor by its first request, whatever that asks for.
        let is_own = caller.own_key.as_ref().is_some_and(|own| self.target() == Some(&own.id));
        if target.revoked.is_some() || is_own {
            return Ok(());
        }
        bounds.check_end(&caller, target)
    }

    /// Sets the fingerprints of the digester and the format with which the key of an insertion or a rotation was made. The store adds them to
    /// its own. A key that was digested elsewhere has none.
    #[must_use]
    pub fn made_with(self, fingerprints: impl IntoIterator<Item = Fingerprint>) -> Self {
        Self { fingerprints: fingerprints.into_iter().collect(), ..self }
    }

    /// Returns the fingerprints of the digester and the format with which the key was made.
    pub fn fingerprints(&self) -> &[Fingerprint] {
        &self.fingerprints
    }

    /// Returns the digester that computed the digest of the key.
    pub fn digester(&self) -> Option<&Fingerprint> {
        self.fingerprints.iter().find(|fingerprint| fingerprint.is_of_digester())
    }

    /// Returns the key that must exist beside the changed one, if the change would otherwise end the last key by which its owner can manage
    /// keys. `after` is the key as the change leaves it, or the successor of a rotation; both have their current owners.
    ///
    /// A store calls this in the transaction of the change, while no other such change of the owner is in progress. If it has no such key, the
    /// change fails with [`BackendError::last_manager`].
    pub fn required_manager(
        &self,
        authorized: Option<&AuthorizedActor>,
        before: &Record,
        after: &Record,
    ) -> Option<RequiredManager> {
        let bounds = self.bounds.as_ref()?;
        let (managers, caller) = (bounds.managers.as_ref()?, bounds.caller(authorized)?);
        managers.required_after(&bounds.keys, &caller, authorized.is_some(), before, after)
    }

    /// Returns whether the change may end no last manager.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn keeps_manager(&self) -> bool {
        self.bounds.as_ref().is_some_and(|bounds| bounds.managers.is_some())
    }

    /// Checks that the actor may access a key at all.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn check_visible(&self, target: &Record) -> Result<(), BackendError> {
        self.bounds.as_ref().map_or(Ok(()), |bounds| bounds.check_visible(target))
    }

    /// Returns whether the change has bounds, so that [`check`](Self::check) needs the key.
    pub fn has_bounds(&self) -> bool {
        self.bounds.is_some()
    }

    /// Returns the id of the key that is updated, rotated, disabled, enabled or revoked.
    pub fn target(&self) -> Option<&KeyId> {
        match &self.action {
            KeyAction::Update(id, _)
            | KeyAction::Rotate(id, _)
            | KeyAction::Disable(id, _)
            | KeyAction::Enable(id, _)
            | KeyAction::Revoke(id, _) => Some(id),
            _ => None,
        }
    }
}
