//! The write side: a backend that also keeps keys.

use std::future::Future;
use std::time::Duration;

use super::bounds::Bounds;
use super::{Actor, AuthorizedActor, Backend, BackendError, KeyFilter, KeyUpdate, Propagation, Rotation};
use crate::clock::Timestamp;
use crate::key::KeyId;
use crate::record::{Record, Revocation};

/// A change of keys, and its actor.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KeyChange {
    /// The actor.
    pub actor: Actor,
    /// The action.
    pub action: KeyAction,
    bounds: Option<Bounds>,
}

/// An action on keys.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum KeyAction {
    /// See [`KeyStore::insert`].
    Insert(Box<Record>),
    /// See [`KeyStore::update`].
    Update(KeyId, KeyUpdate),
    /// See [`KeyStore::rotate`].
    Rotate(KeyId, Box<Rotation>),
    /// See [`KeyStore::replace`].
    Replace(Box<Record>, KeyFilter, Revocation),
    /// See [`KeyStore::revoke`].
    Revoke(KeyId, Revocation),
    /// See [`KeyStore::revoke_all`].
    RevokeAll(KeyFilter, Revocation),
    /// See [`KeyStore::purge_ended`].
    PurgeEnded(Timestamp),
}

/// The outcome of a [`KeyChange`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangeOutcome {
    /// The key that was inserted or updated, or the successor of a rotation.
    pub record: Option<Record>,
    /// The number of keys that were revoked or deleted, for actions on any number of them.
    pub keys: u64,
}

impl KeyChange {
    /// Creates a change by an actor.
    pub fn new(actor: Actor, action: KeyAction) -> Self {
        Self { actor, action, bounds: None }
    }

    /// Creates a change by the application itself.
    pub fn by_system(action: KeyAction) -> Self {
        Self::new(Actor::system(), action)
    }

    #[cfg(feature = "manage")]
    pub(crate) fn within(self, bounds: Option<Bounds>) -> Self {
        Self { bounds, ..self }
    }

    /// Completes a new key or a successor with defaults that depend on its creator. A store calls this before it makes the
    /// change.
    pub fn complete(&mut self, authorized: Option<&AuthorizedActor>) {
        let Some(bounds) = &self.bounds else { return };
        let Some(authorized) = authorized.or(bounds.unchecked.as_ref()) else { return };
        match &mut self.action {
            KeyAction::Insert(child) => Bounds::complete(authorized.record(), child),
            KeyAction::Rotate(_, rotation) => Bounds::complete_rotation(authorized.record(), rotation),
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
        let Some(bounds) = &self.bounds else { return Ok(()) };
        let authorized = authorized.or(bounds.unchecked.as_ref()).ok_or_else(BackendError::actor_gone)?;
        let caller = authorized.rights();
        match (&self.action, target) {
            (KeyAction::Insert(child), _) => bounds.check_create(caller, child),
            (KeyAction::Update(_, update), Some(target)) => bounds.check_update(caller, target, update),
            (KeyAction::Rotate(_, rotation), Some(target)) => bounds.check_rotate(caller, target, rotation),
            (KeyAction::Revoke(..), Some(target)) => bounds.check_end(caller, target),
            // Actions on any number of keys have no bounds.
            _ => Err(BackendError::not_found()),
        }
    }

    /// Checks that the actor may end a key as a side effect, such as a predecessor whose grace begins.
    ///
    /// # Errors
    ///
    /// As for [`check`](Self::check).
    pub fn check_end(&self, authorized: Option<&AuthorizedActor>, ends: &Record) -> Result<(), BackendError> {
        let Some(bounds) = &self.bounds else { return Ok(()) };
        let authorized = authorized.or(bounds.unchecked.as_ref()).ok_or_else(BackendError::actor_gone)?;
        // A successor ends its predecessor by its first request, whatever that asks for.
        if ends.revoked.is_some() || self.target() == Some(&authorized.record().id) {
            return Ok(());
        }
        bounds.check_end(authorized.rights(), ends)
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

    /// Returns the id of the key that is updated, rotated or revoked.
    pub fn target(&self) -> Option<&KeyId> {
        match &self.action {
            KeyAction::Update(id, _) | KeyAction::Rotate(id, _) | KeyAction::Revoke(id, _) => Some(id),
            _ => None,
        }
    }
}

/// A backend that also keeps keys.
///
/// When a call returns, the change is durable, and every authenticator of this process has applied it: once a revocation is
/// acknowledged, the next request with the key is refused. If the caller drops the call before it returns, the change is made in
/// full, or not at all. [`purge_ended`](Self::purge_ended) alone may stop half-way.
///
/// After [`Unavailable`](super::BackendErrorKind::Unavailable) a change may or may not have been made.
pub trait KeyStore: Backend {
    /// Makes a change, if its actor may make it at that moment. The other methods that change keys make the same changes as the
    /// application itself.
    ///
    /// A store looks up the [subject](Actor::subject) of the actor in the transaction of the change,
    /// [authorizes](Actor::authorize) it, and [checks](KeyChange::check) the change. Effects of the change on its own actor do
    /// not count.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::BackendErrorKind::Forbidden) if the actor may not make the change, or no longer: nothing was changed
    /// then. And those of the method for each action.
    fn change(&self, change: KeyChange) -> impl Future<Output = Result<ChangeOutcome, BackendError>> + Send;

    /// Returns the key with this id.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn get(&self, id: &KeyId) -> impl Future<Output = Result<Option<Record>, BackendError>> + Send;

    /// Returns the first `limit` keys that match `filter` after `after`, in the byte order of their ids. As generated ids sort by
    /// time, this is the order in which keys were created.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn list(
        &self,
        filter: &KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Record>, BackendError>> + Send;

    /// Adds a key.
    ///
    /// # Errors
    ///
    /// [`Conflict`](super::BackendErrorKind::Conflict) if a key with the same id or digest exists, or if its owner was deleted;
    /// [`Invalid`](super::BackendErrorKind::Invalid) if the store cannot keep the record as it is.
    fn insert(&self, record: Record) -> impl Future<Output = Result<(), BackendError>> + Send {
        let change = self.change(KeyChange::by_system(KeyAction::Insert(Box::new(record))));
        async move { change.await.map(drop) }
    }

    /// Updates a key, and returns its new record.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::BackendErrorKind::NotFound) if the key does not exist; [`Conflict`](super::BackendErrorKind::Conflict)
    /// if it was revoked, or if the update would extend a rotated key; [`Invalid`](super::BackendErrorKind::Invalid) if the store
    /// cannot keep the values.
    fn update(
        &self,
        id: &KeyId,
        update: KeyUpdate,
    ) -> impl Future<Output = Result<Record, BackendError>> + Send {
        one(self.change(KeyChange::by_system(KeyAction::Update(id.clone(), update))))
    }

    /// Replaces a key by a successor, and returns the successor's record.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::BackendErrorKind::NotFound) if the key does not exist; [`Conflict`](super::BackendErrorKind::Conflict)
    /// if it is not in force or was already rotated, such as by a concurrent call, or if a key with the new id or digest exists.
    /// A key whose successor has ended can be rotated again.
    fn rotate(
        &self,
        id: &KeyId,
        rotation: Rotation,
    ) -> impl Future<Output = Result<Record, BackendError>> + Send {
        one(self.change(KeyChange::by_system(KeyAction::Rotate(id.clone(), Box::new(rotation)))))
    }

    /// Adds a key and revokes all other keys that match `filter`, atomically. Of concurrent calls, the key of one is left.
    ///
    /// # Errors
    ///
    /// Those of [`insert`](Self::insert). Nothing was changed then.
    fn replace(
        &self,
        record: Record,
        filter: &KeyFilter,
        revocation: Revocation,
    ) -> impl Future<Output = Result<Record, BackendError>> + Send {
        let action = KeyAction::Replace(Box::new(record), filter.clone(), revocation);
        one(self.change(KeyChange::by_system(action)))
    }

    /// Revokes a key. Revoking it again changes nothing: the first revocation stays.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::BackendErrorKind::NotFound) if the key does not exist.
    fn revoke(
        &self,
        id: &KeyId,
        revocation: Revocation,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        let change = self.change(KeyChange::by_system(KeyAction::Revoke(id.clone(), revocation)));
        async move { change.await.map(drop) }
    }

    /// Revokes all keys that match `filter` and are not revoked yet, atomically, and returns their number.
    ///
    /// # Errors
    ///
    /// If the store is unavailable. Either all of the keys are revoked then, or none.
    fn revoke_all(
        &self,
        filter: &KeyFilter,
        revocation: Revocation,
    ) -> impl Future<Output = Result<u64, BackendError>> + Send {
        let change = self.change(KeyChange::by_system(KeyAction::RevokeAll(filter.clone(), revocation)));
        async move { Ok(change.await?.keys) }
    }

    /// Returns whether the store keeps a list of nodes. If so, [`wait_applied`](Self::wait_applied) can return before their lease
    /// has passed. The default returns `false`.
    fn lists_nodes(&self) -> bool {
        false
    }

    /// Waits until every process that follows this store has applied the changes that were acknowledged before the call: for
    /// `lease`, or longer if the store knows that one of them has a longer lease, but no longer than `at_most`.
    ///
    /// A store without a list of nodes waits for the shorter time, and so does the default.
    ///
    /// # Panics
    ///
    /// When polled outside a Tokio runtime.
    fn wait_applied(&self, lease: Duration, at_most: Duration) -> impl Future<Output = Propagation> + Send {
        Propagation::after(lease, at_most)
    }

    /// Deletes all keys that had expired or were revoked by the time `before`, and returns their number. Their usage stays.
    ///
    /// Predecessors and successors of a deleted key keep its id.
    ///
    /// # Errors
    ///
    /// If the store is unavailable. Some of the keys may be deleted then: a store deletes them in batches, between which it makes
    /// other changes.
    fn purge_ended(&self, before: Timestamp) -> impl Future<Output = Result<u64, BackendError>> + Send {
        let change = self.change(KeyChange::by_system(KeyAction::PurgeEnded(before)));
        async move { Ok(change.await?.keys) }
    }
}

async fn one(
    change: impl Future<Output = Result<ChangeOutcome, BackendError>> + Send,
) -> Result<Record, BackendError> {
    change.await?.record.ok_or_else(BackendError::not_found)
}
