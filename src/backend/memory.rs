//! Keys kept in memory, for tests and for services whose keys stand in their configuration.

mod owners;
mod usage;

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::edit::{Consequence, Edit, change_of, end_by};
use super::{
    Backend, BackendError, Change, Changes, KeyFilter, KeyStore, KeyUpdate, OwnerChange, OwnerStore,
    Rotation, Subscriber,
};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::key::KeyId;
use crate::owner::{Organization, Project, User};
use crate::password_hash::PasswordHash;
use crate::record::{Record, Revocation};
use owners::Owners;

/// A store in memory. Clones share their keys.
///
/// It is exact: it tells its authenticators of each change before it acknowledges it.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    keys: Arc<RwLock<Keys>>,
    changes: Changes,
}

#[derive(Debug, Default)]
struct Keys {
    records: HashMap<Digest, Record>,
    digests: BTreeMap<KeyId, Digest>,
    owners: Owners,
    usage: usage::Usage,
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn read(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Keys> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes keys and tells everyone of it.
    fn edit(&self, id: &KeyId, edit: Edit) -> Result<Record, BackendError> {
        let (record, changes) = self.write().edit(id, edit)?;
        self.announce(changes);
        Ok(record)
    }

    fn announce(&self, changes: impl IntoIterator<Item = Change>) {
        changes.into_iter().for_each(|change| self.changes.announce(change));
    }
}

impl Keys {
    fn by_id(&self, id: &KeyId) -> Option<&Record> {
        self.records.get(self.digests.get(id)?)
    }

    fn add(&mut self, record: Record) -> Result<Change, BackendError> {
        if self.records.contains_key(&record.digest) || self.digests.contains_key(&record.id) {
            return Err(BackendError::conflict());
        }
        let digest = record.digest;
        self.digests.insert(record.id.clone(), digest);
        self.records.insert(digest, record);
        Ok(Change::Changed(digest))
    }

    /// Changes a key, and returns the record that the edit is about: the successor if there is one.
    fn edit(&mut self, id: &KeyId, edit: Edit) -> Result<(Record, Vec<Change>), BackendError> {
        let mut record = self.by_id(id).ok_or_else(BackendError::not_found)?.clone();
        let Consequence { successor, ends } = edit.apply(&mut record)?;
        let mut changes = vec![change_of(&record)];
        if let Some(successor) = &successor {
            changes.push(self.add(successor.clone())?);
        }
        if let Some((id, end)) = ends
            && let Some(other) = self.by_id_mut(&id)
        {
            end_by(other, end);
            changes.push(change_of(other));
        }
        self.records.insert(record.digest, record.clone());
        Ok((self.owners.current(&successor.unwrap_or(record)), changes))
    }

    fn revoke(&mut self, id: &KeyId, revocation: Revocation) -> Result<Change, BackendError> {
        let record = self.by_id_mut(id).ok_or_else(BackendError::not_found)?;
        record.revoked.get_or_insert(revocation);
        Ok(Change::Revoked(record.digest))
    }

    fn revoke_all(&mut self, filter: &KeyFilter, revocation: &Revocation) -> Vec<Change> {
        let meant =
            self.records.values_mut().filter(|record| record.revoked.is_none() && filter.matches(record));
        let revoke = |record: &mut Record| {
            record.revoked = Some(revocation.clone());
            Change::Revoked(record.digest)
        };
        meant.map(revoke).collect()
    }

    fn delete_ended(&mut self, before: Timestamp) -> Vec<Change> {
        let has_ended = |record: &Record| {
            let revoked = record.revoked.as_ref().is_some_and(|revoked| revoked.at < before);
            revoked || record.expires_at.is_some_and(|end| end < before)
        };
        let gone = self.records.extract_if(|_, record| has_ended(record));
        let forget = |(digest, record): (Digest, Record)| {
            self.digests.remove(&record.id);
            Change::Changed(digest)
        };
        gone.map(forget).collect()
    }

    fn by_id_mut(&mut self, id: &KeyId) -> Option<&mut Record> {
        self.records.get_mut(self.digests.get(id)?)
    }
}

impl Backend for MemoryStore {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        let keys = self.read();
        Ok(keys.records.get(digest).map(|record| keys.owners.current(record)))
    }

    async fn find_user(&self, email: &str) -> Result<Option<User>, BackendError> {
        Ok(self.read().owners.user(email))
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.changes.subscribe(subscriber);
    }

    async fn first_used(&self, id: &KeyId, at: Timestamp) -> Result<(), BackendError> {
        self.edit(id, Edit::FirstUse(at)).map(drop)
    }

    async fn rehashed(
        &self,
        email: &str,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> Result<(), BackendError> {
        self.change_owner(OwnerChange::Rehash(email.into(), from.clone(), to.clone())).await
    }
}

impl OwnerStore for MemoryStore {
    async fn change_owner(&self, change: OwnerChange) -> Result<(), BackendError> {
        let changes = self.write().change_owner(change)?;
        self.announce(changes);
        Ok(())
    }

    async fn organization(&self, id: &str) -> Result<Option<Organization>, BackendError> {
        Ok(self.read().owners.organization(id).cloned())
    }

    async fn members(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<User>, BackendError> {
        Ok(self.read().owners.members(organization, after, limit))
    }

    async fn project(&self, organization: &str, id: &str) -> Result<Option<Project>, BackendError> {
        Ok(self.read().owners.project(organization, id))
    }

    async fn projects(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Project>, BackendError> {
        Ok(self.read().owners.projects(organization, after, limit))
    }
}

impl KeyStore for MemoryStore {
    async fn insert(&self, record: Record) -> Result<(), BackendError> {
        let change = self.write().add(record)?;
        self.changes.announce(change);
        Ok(())
    }

    async fn get(&self, id: &KeyId) -> Result<Option<Record>, BackendError> {
        let keys = self.read();
        Ok(keys.by_id(id).map(|record| keys.owners.current(record)))
    }

    async fn list(
        &self,
        filter: &KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Record>, BackendError> {
        let keys = self.read();
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let records =
            keys.digests.range::<KeyId, _>(behind).filter_map(|(_, digest)| keys.records.get(digest));
        let meant = records.filter(|record| filter.matches(record)).take(limit);
        Ok(meant.map(|record| keys.owners.current(record)).collect())
    }

    async fn update(&self, id: &KeyId, update: KeyUpdate) -> Result<Record, BackendError> {
        self.edit(id, Edit::Update(update))
    }

    async fn rotate(&self, id: &KeyId, rotation: Rotation) -> Result<Record, BackendError> {
        self.edit(id, Edit::Rotate(rotation))
    }

    async fn revoke(&self, id: &KeyId, revocation: Revocation) -> Result<(), BackendError> {
        let change = self.write().revoke(id, revocation)?;
        self.announce([change]);
        Ok(())
    }

    async fn revoke_all(&self, filter: &KeyFilter, revocation: Revocation) -> Result<u64, BackendError> {
        let changes = self.write().revoke_all(filter, &revocation);
        let revoked = changes.len() as u64;
        self.announce(changes);
        Ok(revoked)
    }

    async fn delete_ended(&self, before: Timestamp) -> Result<u64, BackendError> {
        let changes = self.write().delete_ended(before);
        let deleted = changes.len() as u64;
        self.announce(changes);
        Ok(deleted)
    }
}
