//! [`KeyStore`], the trait of stores that keep keys, and the changes of keys.

// Layer 3 of 10: storage.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::bounds::Bounds;
use super::forward::forward_to_arc;
use super::{
    Actor, AuthorizedActor, Backend, BackendError, KeyFilter, KeyUpdate, Propagation, RequiredManager,
    Rotation, SearchPosition,
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
    /// See [`KeyChange::revoke_first`].
    RevokeFirst(usize, KeyFilter, Revocation),
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
}

impl ChangeOutcome {
    /// Creates the outcome of a change of any number of keys.
    pub fn of_keys(keys: u64) -> Self {
        Self { record: None, keys }
    }

    /// Sets the key that was inserted, updated, disabled or enabled, or the successor of a rotation.
    #[must_use]
    pub fn record(self, record: Record) -> Self {
        Self { record: Some(record), ..self }
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
    /// deleted; with [`Invalid`](super::BackendErrorKind::Invalid) if the store cannot keep the record as it is.
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
    /// [`Invalid`](super::BackendErrorKind::Invalid) if the store cannot keep the values.
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

    /// Revokes the first `most` keys, by id, of those that match `filter` and are not revoked yet, atomically: a batch of a change that would
    /// block others for long.
    pub fn revoke_first(most: usize, filter: &KeyFilter, revocation: Revocation) -> Self {
        KeyAction::RevokeFirst(most, filter.clone(), revocation).into()
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
    /// Each dropped digest is invalidated. Other keys keep their digests, and [`KeyStore::keys_without`] counts them. Fingerprints of
    /// other digesters of which no key in force at `now` has a digest are dropped as well.
    ///
    /// If it fails, some of the digests may be dropped: a store makes the change in batches, as [a purge](Self::purge_ended).
    pub fn retire_digests(digester: Fingerprint, now: Timestamp) -> Self {
        KeyAction::RetireDigests(digester, now).into()
    }

    /// Sets the actor.
    #[must_use]
    pub fn by(self, actor: Actor) -> Self {
        Self { actor, ..self }
    }

    /// Lets the change be one of a session: others find no key with its id.
    #[cfg(feature = "console")]
    pub(crate) fn of_session(self) -> Self {
        Self { of_session: true, ..self }
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

/// Keys that a search or a count without an index lists at a time.
const LIST_BATCH: usize = 1_000;

/// A backend that also keeps keys.
///
/// A change writes keys, and as far as the store keeps them, digests, fingerprints, the change feed and the audit log. When
/// [`change`](Self::change) returns, the change is durable, and every authenticator of this process has applied it: once a revocation is
/// acknowledged, the next request with the key is refused. If the caller drops the call before it returns, the change is made in full, or
/// not at all. Only [`KeyAction::PurgeEnded`] and [`KeyAction::RetireDigests`] may stop half-way.
///
/// # Implementing a store
///
/// Required are `change`, `get`, `list` and [`Backend::find`]; a store that other processes change also needs [`Backend::feed`].
/// Keep an [`Invalidator`](super::Invalidator), add the subscribers of [`Backend::subscribe`] to it, and make each change with
/// [`Invalidator::commit`](super::Invalidator::commit). In the transaction of a change:
///
/// 1. look up the [subjects](Actor::subjects) of the actor, which must not change until the commit, and
///    [authorize](Actor::authorize) the actor;
/// 2. [fill in](KeyChange::inherit_from_creator) what the change inherits, and [check](KeyChange::check) the change against the key as it
///    is; before a rotation or a first use ends a predecessor, [check that](KeyChange::check_end) too;
/// 3. apply the [action](KeyAction), whose constructor states its effect and its errors; [`KeyEdit`](super::KeyEdit)
///    applies those that edit one key;
/// 4. if the change [needs another manager](KeyChange::required_manager) beside the key, check that one exists;
/// 5. read all digests of the keys that it changes, if the store adds [further ones](super::WriteBack::Digest): each is
///    [invalidated](super::Invalidation::with_digest).
///
/// Effects of the change on its own actor do not count.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use tower_api_key::backend::{KeyChange, KeyFilter, KeyStore};
/// use tower_api_key::digest::Digester;
/// use tower_api_key::record::Revocation;
/// use tower_api_key::{KeyId, MemoryStore, Owner, Record, Timestamp};
///
/// let (store, id) = (MemoryStore::new(), KeyId::new("key_1")?);
/// let digest = Digester::sha256().digest(b"text");
/// let record = Record::imported(id.clone(), digest, Owner::organization("acme"));
/// store.change(KeyChange::insert(record)).await?;
///
/// let lost = || Revocation::new(Timestamp::from_unix_millis(1), "lost");
/// store.change(KeyChange::revoke(&id, lost())).await?;
/// assert_eq!(store.get(&id).await?.expect("the key").revoked, Some(lost()));
///
/// let rest = KeyChange::revoke_all(&KeyFilter::of_organization("acme"), lost());
/// assert_eq!(store.change(rest).await?.keys, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait KeyStore: Backend {
    /// Makes a change, if its actor may make it at that moment.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::BackendErrorKind::Forbidden) if the actor may not make the change, or no longer: nothing was changed
    /// then. [`Unavailable`](super::BackendErrorKind::Unavailable) if the store failed: the change may or may not have been made.
    /// And those of the constructor of the [`KeyChange`].
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

    /// Returns the first `limit` keys that match `filter` after `after`, in the byte order of their hints if the filter has a start of hints, else of
    /// their names with ASCII letters in lower case; by 60 characters of these, then by the ids. Where a filter has a start of both, names are
    /// compared key by key.
    ///
    /// The default lists all keys that match. A store with many keys has an index for each order.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn search(
        &self,
        filter: &KeyFilter,
        after: Option<&SearchPosition>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Record>, BackendError>> + Send {
        async move {
            let (mut found, mut last) = (Vec::new(), None);
            loop {
                let page = self.list(filter, last.as_ref(), LIST_BATCH).await?;
                last = page.last().filter(|_| page.len() == LIST_BATCH).map(|record| record.id.clone());
                let positions = page.into_iter().map(|record| (filter.position(&record), record));
                found.extend(positions.filter(|(position, _)| after.is_none_or(|after| position > after)));
                found.sort_by(|(one, _), (other, _)| one.cmp(other));
                found.truncate(limit);
                if last.is_none() {
                    return Ok(found.into_iter().map(|(_, record)| record).collect());
                }
            }
        }
    }

    /// Returns the number of keys that match `filter` and are not revoked, or `most` if there are more. The default lists them.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn count_unrevoked(
        &self,
        filter: &KeyFilter,
        most: usize,
    ) -> impl Future<Output = Result<usize, BackendError>> + Send {
        async move {
            let (mut keys, mut last) = (0, None);
            loop {
                let page = self.list(filter, last.as_ref(), LIST_BATCH).await?;
                keys += page.iter().filter(|record| record.revoked.is_none()).count();
                last = page.last().filter(|_| page.len() == LIST_BATCH).map(|record| record.id.clone());
                if last.is_none() || keys >= most {
                    return Ok(keys.min(most));
                }
            }
        }
    }

    /// Returns whether the store keeps a list of nodes. If so, [`wait_applied`](Self::wait_applied) can return before their lease
    /// has passed. The default returns `false`.
    fn lists_nodes(&self) -> bool {
        false
    }

    /// Returns the number of nodes on the list of those that follow the store now. `None` without a list, as by default.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn count_nodes(&self) -> impl Future<Output = Result<Option<u64>, BackendError>> + Send {
        std::future::ready(Ok(None))
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

    /// Returns the number of keys that are neither revoked nor expired at `now`, and of which the store knows no digest by this digester.
    /// They stay unknown to nodes without the digester under which they were stored.
    ///
    /// The default fails: the store keeps no digesters.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn keys_without(
        &self,
        digester: &Fingerprint,
        now: Timestamp,
    ) -> impl Future<Output = Result<u64, BackendError>> + Send {
        let _ = (digester, now);
        std::future::ready(Err(BackendError::invalid("it does not keep the digesters of its keys")))
    }
}

forward_to_arc! { KeyStore:
    fn change(change: KeyChange) -> impl Future<Output = Result<ChangeOutcome, BackendError>> + Send;
    fn get(id: &KeyId) -> impl Future<Output = Result<Option<Record>, BackendError>> + Send;
    fn list(filter: &KeyFilter, after: Option<&KeyId>, limit: usize)
        -> impl Future<Output = Result<Vec<Record>, BackendError>> + Send;
    fn search(filter: &KeyFilter, after: Option<&SearchPosition>, limit: usize)
        -> impl Future<Output = Result<Vec<Record>, BackendError>> + Send;
    fn count_unrevoked(filter: &KeyFilter, most: usize) -> impl Future<Output = Result<usize, BackendError>> + Send;
    fn lists_nodes() -> bool;
    fn count_nodes() -> impl Future<Output = Result<Option<u64>, BackendError>> + Send;
    fn wait_applied(lease: Duration, at_most: Duration) -> impl Future<Output = Propagation> + Send;
    fn keys_without(digester: &Fingerprint, now: Timestamp)
        -> impl Future<Output = Result<u64, BackendError>> + Send;
}
