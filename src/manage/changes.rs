//! Changes and reads of keys by a manager. A change is validated here and made by the store, and then reported to the audit hook.

// Layer 9 of 10: management.

use super::manager::BoundedActor;
use super::validation::Validation;
use super::{CreatedKey, KeyManager, ManageError, NewKey, RotateOptions};
use crate::audit::{Action, AuditEvent};
use crate::backend::{
    BackendError, ChangeOutcome, KeyChange, KeyFilter, KeyStore, KeyUpdate, Rotation, SearchPosition,
};
use crate::clock::Timestamp;
use crate::digest::{Digest, Digesters, Fingerprint};
#[cfg(feature = "console")]
use crate::environment::Environment;
#[cfg(feature = "console")]
use crate::key::MintError;
use crate::key::{ApiKey, KeyId, RetrievableKey};
use crate::record::{Disabling, Record, Revocation};
use crate::scope::{Scope, Scopes};

impl<S: KeyStore> KeyManager<S> {
    /// Creates a key.
    ///
    /// # Errors
    ///
    /// [`Invalid`](super::ManageErrorKind::Invalid) if a field is invalid; [`Conflict`](super::ManageErrorKind::Conflict) if the owner was
    /// deleted; [`Forbidden`](super::ManageErrorKind::Forbidden) if the [actor](Self::acting_for) may not create it;
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store or the random generator of the operating system fails.
    pub async fn create(&self, new: NewKey) -> Result<CreatedKey, ManageError> {
        self.create_by(&self.bounded_actor(), new).await
    }

    pub(super) async fn create_by(
        &self,
        actor: &BoundedActor,
        new: NewKey,
    ) -> Result<CreatedKey, ManageError> {
        let (key, record) = self.mint(actor, new)?;
        let insert = KeyChange::insert(record).made_with(self.fingerprints());
        Ok(CreatedKey::new(key, self.insert(actor, insert).await?))
    }

    pub(super) fn mint(&self, actor: &BoundedActor, new: NewKey) -> Result<(ApiKey, Record), ManageError> {
        let now = self.clock.wall();
        self.check(&new, now)?;
        let key = self.format.mint(new.environment)?;
        let id = new.id.clone().map_or_else(|| KeyId::generate(now), Ok)?;
        let mut record = Record::new(id, &key, &self.digesters.current, new.owner.clone());
        record.retrievable = new.retrievable.then(|| key.retrievable());
        new.describe(&mut record, now);
        record.created_by = actor.recorded_name(record.created_by);
        Ok((key, record))
    }

    /// Imports a key by its digest. Its text is not needed.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create); [`Conflict`](super::ManageErrorKind::Conflict) if the store has the key.
    pub async fn import(&self, digest: Digest, new: NewKey) -> Result<Record, ManageError> {
        Validation::default().not_retrievable(new.retrievable).finish()?;
        self.import_with(digest, None, [], new).await
    }

    /// Imports a key by its text, which is digested and not kept, unless the key is [retrievable](NewKey::retrievable). The text must have at
    /// least 16 bytes, unless [`NewKey::allow_weak`] is set, and one of the key's sources must be able to carry it.
    ///
    /// # Errors
    ///
    /// As for [`import`](Self::import).
    pub async fn import_text(&self, text: &str, new: NewKey) -> Result<Record, ManageError> {
        Validation::default().key_text(text, &new).finish()?;
        let retrievable = new.retrievable.then(|| RetrievableKey::new(text));
        let Digesters { current, .. } = &self.digesters;
        for former in self.digesters.former_digests(text.as_bytes()) {
            if self.store.find(&former).await?.is_some() {
                return Err(BackendError::conflict().into());
            }
        }
        let digest = current.digest(text.as_bytes());
        self.import_with(digest, retrievable, [current.fingerprint()], new).await
    }

    async fn import_with(
        &self,
        digest: Digest,
        retrievable: Option<RetrievableKey>,
        digester: impl IntoIterator<Item = Fingerprint>,
        new: NewKey,
    ) -> Result<Record, ManageError> {
        let now = self.clock.wall();
        self.check(&new, now)?;
        let mut record = Record::imported(KeyId::generate(now)?, digest, new.owner.clone());
        record.retrievable = retrievable;
        new.describe(&mut record, now);
        let actor = self.bounded_actor();
        record.created_by = actor.recorded_name(record.created_by);
        self.insert(&actor, KeyChange::insert(record).made_with(digester)).await
    }

    /// Returns a key.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound) if no key has this id.
    pub async fn get(&self, id: &KeyId) -> Result<Record, ManageError> {
        let found = self.store.get(id).await?;
        found.filter(|record| record.session.is_none()).ok_or_else(ManageError::not_found)
    }

    /// Returns the first `limit` keys after `after` that match a filter, ordered by id.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn list(
        &self,
        filter: &KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Record>, ManageError> {
        Ok(self.store.list(filter, after, limit).await?)
    }

    /// Returns the first `limit` keys after `after` that a filter finds, in the order of their hints or names, as
    /// [`KeyStore::search`] does: for pages by [`starts_with`](KeyFilter::starts_with) or [`name_starts_with`](KeyFilter::name_starts_with).
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn search(
        &self,
        filter: &KeyFilter,
        after: Option<&SearchPosition>,
        limit: usize,
    ) -> Result<Vec<Record>, ManageError> {
        Ok(self.store.search(filter, after, limit).await?)
    }

    /// Returns the number of characters of the hints of new keys.
    #[cfg(feature = "console")]
    pub(crate) fn hint_length(&self) -> Result<usize, MintError> {
        let lengths = [Environment::Live, Environment::Test].map(|environment| {
            let key = self.format.mint(environment)?;
            Ok(key.hint().trim_end_matches('.').chars().count())
        });
        lengths.into_iter().try_fold(0, |most, length| Ok(most.max(length?)))
    }

    /// Updates a key.
    ///
    /// # Errors
    ///
    /// [`Invalid`](super::ManageErrorKind::Invalid), [`NotFound`](super::ManageErrorKind::NotFound), or
    /// [`Conflict`](super::ManageErrorKind::Conflict) if the key was revoked.
    pub async fn update(&self, id: &KeyId, update: KeyUpdate) -> Result<Record, ManageError> {
        self.update_by(&self.bounded_actor(), id, update).await
    }

    pub(super) async fn update_by(
        &self,
        actor: &BoundedActor,
        id: &KeyId,
        mut update: KeyUpdate,
    ) -> Result<Record, ManageError> {
        let mut validation = Validation::default();
        if let Some(name) = &update.name {
            validation = validation.name(name, self.requires_names);
        }
        if let Some(scopes) = &update.scopes {
            validation = validation.scopes(scopes, self.requires_scopes);
            let unlisted = self.unlisted(actor, id, scopes).await?;
            validation = validation.permitted(unlisted, self.permissions());
        }
        if let Some(metadata) = &update.metadata {
            validation = validation.entries("metadata", metadata);
        }
        if let Some(labels) = &update.labels {
            validation = validation.entries("labels", labels);
        }
        validation.expires_at(update.expires_at.flatten(), self.clock.wall()).finish()?;
        update.by = actor.recorded_name(update.by);
        let name = update.by.clone();
        let record = self.change_one(actor, KeyChange::update(id, update)).await?;
        self.emit(Action::Updated, Some(id), name);
        Ok(record)
    }

    /// Replaces a key with a new one that has the same owner and rights.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound); [`Conflict`](super::ManageErrorKind::Conflict) if the key is not active or was already
    /// rotated, such as by a concurrent caller, unless its successor has ended; [`Invalid`](super::ManageErrorKind::Invalid) if the new key
    /// would be expired, or the grace is longer than 4,294,967,295 seconds.
    pub async fn rotate(&self, id: &KeyId, options: RotateOptions) -> Result<CreatedKey, ManageError> {
        self.rotate_by(&self.bounded_actor(), id, options).await
    }

    pub(super) async fn rotate_by(
        &self,
        actor: &BoundedActor,
        id: &KeyId,
        options: RotateOptions,
    ) -> Result<CreatedKey, ManageError> {
        let RotateOptions { grace, expires_at, .. } = options;
        Validation::default().grace(grace).expires_at(expires_at, self.clock.wall()).finish()?;
        let old = self.get_within(actor, id).await?;
        self.rotate_as_read_by(actor, old, options).await
    }

    /// Rotates a key that the caller has read, without a read between the caller's checks and the change.
    #[cfg(feature = "console")]
    pub(crate) async fn rotate_as_read(
        &self,
        old: Record,
        options: RotateOptions,
    ) -> Result<CreatedKey, ManageError> {
        self.rotate_as_read_by(&self.bounded_actor(), old, options).await
    }

    pub(super) async fn rotate_as_read_by(
        &self,
        actor: &BoundedActor,
        old: Record,
        options: RotateOptions,
    ) -> Result<CreatedKey, ManageError> {
        let now = self.clock.wall();
        let RotateOptions { grace, expires_at, by, id: successor } = options;
        let id = &old.id;
        let key = self.format.mint(old.environment)?;
        let mut rotation = Rotation::new(
            successor.map_or_else(|| KeyId::generate(now), Ok)?,
            key.digest(&self.digesters.current),
            key.hint(),
            now,
        );
        rotation.grace = grace;
        rotation.retrievable = old.retrievable.map(|_| key.retrievable());
        rotation.expires_at = expires_at;
        rotation.renews = self.rotation_renews;
        rotation.by = actor.recorded_name(by);
        let name = rotation.by.clone();
        let rotate = KeyChange::rotate(id, rotation).made_with(self.fingerprints());
        // No read follows the commit, which could fail and lose the text of the successor.
        let record = self.change_one(actor, rotate).await?;
        self.emit(Action::Rotated { to: record.id.clone() }, Some(id), name.clone());
        self.emit(Action::Created, Some(&record.id), name);
        Ok(CreatedKey::new(key, record))
    }

    /// Disables a key until it is [enabled](Self::enable), and returns it. Disabling it again changes nothing, except that the application
    /// takes over the disabling by a [`Delegate`](super::Delegate), which no delegate can undo then. The routes show the reason to the owner.
    ///
    /// In other processes it takes effect as a revocation does: [`wait_applied`](Self::wait_applied) waits for them.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound); [`Conflict`](super::ManageErrorKind::Conflict) if the key was revoked;
    /// [`Invalid`](super::ManageErrorKind::Invalid) if the reason is longer than 255 characters.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use tower_api_key::manage::{KeyManager, NewKey};
    /// use tower_api_key::{Authenticator, KeyFormat, MemoryStore, Owner, Reason};
    ///
    /// let store = MemoryStore::new();
    /// let (manager, authenticator) =
    ///     (KeyManager::new(store.clone(), KeyFormat::new("demo")?), Authenticator::new(store));
    /// let (text, record) = manager.create(NewKey::new(Owner::organization("acme"))).await?.into_parts();
    ///
    /// manager.disable(&record.id, "unusual traffic").await?;
    /// assert_eq!(authenticator.verify(text.as_str()).await.unwrap_err().reason(), &Reason::Disabled);
    /// manager.enable(&record.id).await?;
    /// assert!(authenticator.verify(text.as_str()).await.is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn disable(&self, id: &KeyId, reason: &str) -> Result<Record, ManageError> {
        self.disable_by(&self.bounded_actor(), id, reason).await
    }

    pub(super) async fn disable_by(
        &self,
        actor: &BoundedActor,
        id: &KeyId,
        reason: &str,
    ) -> Result<Record, ManageError> {
        Validation::default().reason(reason).finish()?;
        let by = actor.recorded_name(None);
        let disabling = Disabling { by: by.clone(), ..Disabling::new(self.clock.wall(), reason) };
        let record = self.change_one(actor, KeyChange::disable(id, disabling)).await?;
        self.emit(Action::Disabled, Some(id), by);
        Ok(record)
    }

    /// Enables a key that was disabled, and returns it. Enabling an active key changes nothing.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound); [`Conflict`](super::ManageErrorKind::Conflict) if the key was revoked or has expired.
    pub async fn enable(&self, id: &KeyId) -> Result<Record, ManageError> {
        self.enable_by(&self.bounded_actor(), id).await
    }

    pub(super) async fn enable_by(&self, actor: &BoundedActor, id: &KeyId) -> Result<Record, ManageError> {
        let record = self.change_one(actor, KeyChange::enable(id, self.clock.wall())).await?;
        self.emit(Action::Enabled, Some(id), actor.recorded_name(None));
        Ok(record)
    }

    /// Revokes a key permanently. Revoking it again changes nothing.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound); [`Invalid`](super::ManageErrorKind::Invalid) if the reason is longer than 255
    /// characters.
    pub async fn revoke(&self, id: &KeyId, reason: &str) -> Result<(), ManageError> {
        self.revoke_by(&self.bounded_actor(), id, reason).await
    }

    pub(super) async fn revoke_by(
        &self,
        actor: &BoundedActor,
        id: &KeyId,
        reason: &str,
    ) -> Result<(), ManageError> {
        let revocation = Revocation { by: actor.recorded_name(None), ..self.revocation(reason)? };
        let name = revocation.by.clone();
        self.change(actor, KeyChange::revoke(id, revocation)).await?;
        self.emit(Action::Revoked, Some(id), name);
        Ok(())
    }

    /// Revokes all keys that match a filter in one transaction, and returns the number of newly revoked keys.
    ///
    /// # Errors
    ///
    /// As for [`revoke`](Self::revoke). Either all keys are revoked or none.
    pub async fn revoke_all(&self, filter: &KeyFilter, reason: &str) -> Result<u64, ManageError> {
        let actor = self.bounded_actor();
        let revocation = Revocation { by: actor.recorded_name(None), ..self.revocation(reason)? };
        let name = revocation.by.clone();
        let keys = self.change(&actor, KeyChange::revoke_all(filter, revocation)).await?.keys;
        self.emit(Action::RevokedAll { keys }, None, name);
        Ok(keys)
    }

    /// Deletes all keys that expired or were revoked by `before`, and returns their number. A time in the future counts as now: no
    /// active key is deleted.
    ///
    /// Keys are deleted in batches, between which other changes proceed. After an error, some of them may be deleted. Sessions of the console are
    /// deleted as well, and not counted.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn purge_ended(&self, before: Timestamp) -> Result<u64, ManageError> {
        let actor = self.bounded_actor();
        let before = before.min(self.clock.wall());
        let keys = self.change(&actor, KeyChange::purge_ended(before)).await?.keys;
        // The application's own, so that no actor loses its authority between the two.
        self.store.change(KeyChange::purge_sessions(before)).await?;
        self.emit(Action::DeletedAll { keys }, None, actor.recorded_name(None));
        Ok(keys)
    }

    fn check(&self, new: &NewKey, now: Timestamp) -> Result<(), ManageError> {
        Validation::default()
            .owner(&new.owner)
            .name(&new.name, self.requires_names)
            .scopes(&new.scopes, self.requires_scopes)
            .permitted(&new.scopes, self.permissions())
            .expires_at(new.expires_at, now)
            .entries("metadata", &new.metadata)
            .entries("labels", &new.labels)
            .finish()
    }

    /// Returns the scopes that are no permissions, nor scopes of the key.
    async fn unlisted<'s>(
        &self,
        actor: &BoundedActor,
        id: &KeyId,
        scopes: &'s Scopes,
    ) -> Result<Vec<&'s Scope>, ManageError> {
        let Some(permissions) = self.permissions() else { return Ok(Vec::new()) };
        let mut unlisted: Vec<_> = scopes.iter().filter(|scope| !permissions.contains(scope)).collect();
        if !unlisted.is_empty() {
            // Another change may take a scope from the key meanwhile, and this one grants it again, as any later update overwrites an earlier one.
            let record = self.get_within(actor, id).await?;
            unlisted.retain(|scope| !record.scopes.contains(scope));
        }
        Ok(unlisted)
    }

    /// Returns a key of the actor. All others are not found: another error would tell that they exist.
    async fn get_within(&self, actor: &BoundedActor, id: &KeyId) -> Result<Record, ManageError> {
        let record = self.get(id).await?;
        let is_own = actor.bounds.as_ref().is_none_or(|bounds| bounds.keys.matches(&record));
        if is_own { Ok(record) } else { Err(ManageError::not_found()) }
    }

    async fn insert(&self, actor: &BoundedActor, insert: KeyChange) -> Result<Record, ManageError> {
        let record = self.change_one(actor, insert).await?;
        self.emit(Action::Created, Some(&record.id), record.created_by.clone());
        Ok(record)
    }

    pub(super) fn revocation(&self, reason: &str) -> Result<Revocation, ManageError> {
        Validation::default().reason(reason).finish()?;
        Ok(Revocation::new(self.clock.wall(), reason))
    }

    /// Reports a change that the store has acknowledged to the audit hook.
    pub(super) fn emit(&self, action: Action, key: Option<&KeyId>, actor: Option<Box<str>>) {
        if let Some(hook) = &self.audit {
            let event = AuditEvent::new(self.clock.wall(), action).by(actor);
            hook.record(&AuditEvent { key: key.cloned(), ..event });
        }
    }

    pub(super) async fn change(
        &self,
        actor: &BoundedActor,
        change: KeyChange,
    ) -> Result<ChangeOutcome, ManageError> {
        Ok(self.store.change(change.by(actor.actor.clone()).within(actor.bounds.clone())).await?)
    }

    async fn change_one(&self, actor: &BoundedActor, change: KeyChange) -> Result<Record, ManageError> {
        self.change(actor, change).await?.record.ok_or_else(ManageError::not_found)
    }
}
