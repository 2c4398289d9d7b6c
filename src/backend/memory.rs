//! A store in memory, for tests and for services with keys in their configuration.

mod owners;
mod usage;

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::deleted_owner::DeletedOwner;
use super::key_edit::{EditOutcome, KeyEdit, change_of, end_by};
use super::{
    Actor, AuthorizedActor, Backend, BackendError, Change, ChangeOutcome, Invalidator, KeyAction, KeyChange,
    KeyFilter, KeyStore, OwnerChange, OwnerStore, ResolvedSubject, Subject, Subscriber,
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
/// It invalidates its authenticators before it acknowledges a change.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    keys: Arc<RwLock<Keys>>,
    changes: Invalidator,
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

    fn invalidate(&self, changes: impl IntoIterator<Item = Change>) {
        changes.into_iter().for_each(|change| self.changes.invalidate(change));
    }
}

impl Keys {
    fn by_id(&self, id: &KeyId) -> Option<&Record> {
        self.records.get(self.digests.get(id)?)
    }

    /// Makes a change if its actor may make it. The caller holds the write lock, so the actor stays as it is.
    fn change(&mut self, mut change: KeyChange) -> Result<(ChangeOutcome, Vec<Change>), BackendError> {
        let authorized = self.authorize(&change.actor)?;
        change.complete(authorized.as_ref());
        let target = change.target().map(|id| self.by_id(id).ok_or_else(BackendError::not_found));
        change.check(authorized.as_ref(), target.transpose()?)?;
        let (record, changes) = match change.action {
            KeyAction::Insert(record) => self.insert(*record)?,
            KeyAction::Update(id, update) => self.edit(&id, KeyEdit::Update(update), |_| Ok(()))?,
            KeyAction::Rotate(ref id, ref rotation) => {
                let may_end = |ends: &Record| change.check_end(authorized.as_ref(), ends);
                self.edit(id, KeyEdit::Rotate(rotation.clone()), may_end)?
            }
            KeyAction::Replace(record, filter, revocation) => {
                self.check_insert(&record)?;
                let (mut changed, mut changes) = several(self.revoke_all(&filter, &revocation));
                let (record, inserted) = self.insert(*record)?;
                changed.record = Some(record);
                changes.extend(inserted);
                return Ok((changed, changes));
            }
            KeyAction::Revoke(id, revocation) => {
                return Ok((ChangeOutcome::default(), vec![self.revoke(&id, revocation)?]));
            }
            KeyAction::RevokeAll(filter, revocation) => {
                return Ok(several(self.revoke_all(&filter, &revocation)));
            }
            KeyAction::PurgeEnded(before) => return Ok(several(self.purge_ended(before))),
        };
        Ok((ChangeOutcome { record: Some(record), ..ChangeOutcome::default() }, changes))
    }

    fn authorize(&self, actor: &Actor) -> Result<Option<AuthorizedActor>, BackendError> {
        let found = match actor.subject() {
            None => ResolvedSubject::Missing,
            Some(Subject::Key(id)) => self
                .by_id(id)
                .map_or(ResolvedSubject::Missing, |own| ResolvedSubject::Key(self.owners.current(own))),
            Some(Subject::Person(email)) => {
                self.owners.user(email).map_or(ResolvedSubject::Missing, ResolvedSubject::Person)
            }
        };
        actor.authorize(found)
    }

    fn insert(&mut self, record: Record) -> Result<(Record, Vec<Change>), BackendError> {
        self.check_insert(&record)?;
        let change = Change::Changed(record.digest);
        self.digests.insert(record.id.clone(), record.digest);
        self.records.insert(record.digest, record.clone());
        Ok((record, vec![change]))
    }

    fn check_insert(&self, record: &Record) -> Result<(), BackendError> {
        if self.records.contains_key(&record.digest) || self.digests.contains_key(&record.id) {
            return Err(BackendError::conflict());
        }
        DeletedOwner::blocking(&record.owner)
            .iter()
            .try_for_each(|deleted| self.owners.check_not_deleted(deleted))
    }

    /// Edits a key, and returns the successor if the edit creates one, or the key. `may_end` checks the predecessor that ends as
    /// a side effect.
    fn edit(
        &mut self,
        id: &KeyId,
        edit: KeyEdit,
        may_end: impl Fn(&Record) -> Result<(), BackendError>,
    ) -> Result<(Record, Vec<Change>), BackendError> {
        let mut record = self.by_id(id).ok_or_else(BackendError::not_found)?.clone();
        let former = edit.depends_on(&record).and_then(|id| self.by_id(&id).cloned());
        let EditOutcome { successor, ends } = edit.apply(&mut record, former.as_ref())?;
        let ended = ends.as_ref().and_then(|(id, _)| self.by_id(id));
        ended.map_or(Ok(()), may_end)?;
        let mut changes = vec![change_of(&record)];
        if let Some(successor) = &successor {
            changes.extend(self.insert(successor.clone())?.1);
        }
        if let Some((id, end)) = ends
            && let Some(other) = self.by_id_mut(&id)
            && other.rotated_to.as_ref() == Some(&record.id)
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

    fn purge_ended(&mut self, before: Timestamp) -> Vec<Change> {
        let has_ended = |record: &Record| {
            let revoked = record.revoked.as_ref().is_some_and(|revoked| revoked.at < before);
            revoked || record.expires_at.is_some_and(|end| end < before)
        };
        self.delete(has_ended)
    }

    fn delete(&mut self, goes: impl Fn(&Record) -> bool) -> Vec<Change> {
        let gone = self.records.extract_if(|_, record| goes(record));
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

    async fn record_first_use(&self, id: &KeyId, at: Timestamp) -> Result<(), BackendError> {
        let (_, changes) = self.write().edit(id, KeyEdit::FirstUse(at), |_| Ok(()))?;
        self.invalidate(changes);
        Ok(())
    }

    async fn replace_password_hash(
        &self,
        email: &str,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> Result<(), BackendError> {
        let rehash = OwnerChange::Rehash(email.into(), from.clone(), to.clone());
        self.change_owner(rehash, Actor::system()).await
    }
}

impl OwnerStore for MemoryStore {
    async fn change_owner(&self, change: OwnerChange, actor: Actor) -> Result<(), BackendError> {
        let changes = {
            let mut keys = self.write();
            keys.authorize(&actor)?;
            keys.change_owner(change)?
        };
        self.invalidate(changes);
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
    async fn change(&self, change: KeyChange) -> Result<ChangeOutcome, BackendError> {
        let (changed, changes) = self.write().change(change)?;
        self.invalidate(changes);
        Ok(changed)
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
}

fn several(changes: Vec<Change>) -> (ChangeOutcome, Vec<Change>) {
    (ChangeOutcome { keys: changes.len() as u64, ..ChangeOutcome::default() }, changes)
}
