//! The keys in memory, and their changes.

use std::collections::{BTreeMap, HashMap};

use super::owners::Owners;
use super::usage::Usage;
use crate::backend::deleted_owner::DeletedOwner;
use crate::backend::{
    Actor, AuthorizedActor, BackendError, ChangeOutcome, EditOutcome, Invalidation, KeyAction, KeyChange,
    KeyEdit, KeyFilter, ResolvedSubject, Subject,
};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::key::KeyId;
use crate::record::{Record, Revocation};

/// Keys, with their owners and their usage.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) records: HashMap<Digest, Record>,
    pub(super) digests: BTreeMap<KeyId, Digest>,
    pub(super) owners: Owners,
    pub(super) usage: Usage,
}

impl Keys {
    pub(super) fn by_id(&self, id: &KeyId) -> Option<&Record> {
        self.records.get(self.digests.get(id)?)
    }

    /// Makes a change if its actor may make it. The caller holds the write lock, so the actor stays as it is.
    pub(super) fn change(
        &mut self,
        mut change: KeyChange,
    ) -> Result<(ChangeOutcome, Vec<Invalidation>), BackendError> {
        let authorized = self.authorize(&change.actor)?;
        change.inherit_from_creator(authorized.as_ref());
        let target = change.target().map(|id| self.by_id(id).ok_or_else(BackendError::not_found));
        change.check(authorized.as_ref(), target.transpose()?)?;
        let (record, invalidations) = match change.action {
            KeyAction::Insert(record) => self.insert(*record)?,
            KeyAction::Update(ref id, ref update) => {
                self.edit(id, KeyEdit::Update(update.clone()), Some((&change, authorized.as_ref())))?
            }
            KeyAction::Rotate(ref id, ref rotation) => {
                self.edit(id, KeyEdit::Rotate(rotation.clone()), Some((&change, authorized.as_ref())))?
            }
            KeyAction::Disable(ref id, ref disabling) => {
                self.edit(id, KeyEdit::Disable(disabling.clone()), Some((&change, authorized.as_ref())))?
            }
            KeyAction::Enable(ref id, now) => {
                self.edit(id, KeyEdit::Enable(now), Some((&change, authorized.as_ref())))?
            }
            KeyAction::InsertExclusive(record, filter, revocation) => {
                self.check_insert(&record)?;
                let (outcome, mut invalidations) = several(self.revoke_all(&filter, &revocation));
                let (record, inserted) = self.insert(*record)?;
                invalidations.extend(inserted);
                return Ok((outcome.record(record), invalidations));
            }
            KeyAction::Revoke(ref id, ref revocation) => {
                let before = self.by_id(id).ok_or_else(BackendError::not_found)?;
                let after = Record { revoked: Some(revocation.clone()), ..before.clone() };
                self.check_managers(&change, authorized.as_ref(), before, &after)?;
                return Ok((ChangeOutcome::default(), vec![self.revoke(id, revocation.clone())?]));
            }
            KeyAction::RevokeAll(filter, revocation) => {
                return Ok(several(self.revoke_all(&filter, &revocation)));
            }
            KeyAction::PurgeEnded(before) => return Ok(several(self.purge_ended(before))),
        };
        Ok((ChangeOutcome::default().record(record), invalidations))
    }

    pub(super) fn authorize(&self, actor: &Actor) -> Result<Option<AuthorizedActor>, BackendError> {
        let found = match actor.subject() {
            None => ResolvedSubject::Missing,
            Some(Subject::Key(id)) => self
                .by_id(id)
                .map_or(ResolvedSubject::Missing, |own| ResolvedSubject::Key(self.owners.current(own))),
            Some(Subject::User(email)) => {
                self.owners.user(email).map_or(ResolvedSubject::Missing, ResolvedSubject::User)
            }
        };
        actor.authorize(found)
    }

    fn insert(&mut self, record: Record) -> Result<(Record, Vec<Invalidation>), BackendError> {
        self.check_insert(&record)?;
        self.digests.insert(record.id.clone(), record.digest);
        self.records.insert(record.digest, record.clone());
        let invalidation = Invalidation::Changed(record.digest);
        Ok((record, vec![invalidation]))
    }

    fn check_insert(&self, record: &Record) -> Result<(), BackendError> {
        if self.records.contains_key(&record.digest) || self.digests.contains_key(&record.id) {
            return Err(BackendError::conflict());
        }
        DeletedOwner::that_block(&record.owner)
            .iter()
            .try_for_each(|deleted| self.owners.check_not_deleted(deleted))
    }

    /// Checks that an owner keeps a key that can manage its keys.
    fn check_managers(
        &self,
        change: &KeyChange,
        authorized: Option<&AuthorizedActor>,
        before: &Record,
        after: &Record,
    ) -> Result<(), BackendError> {
        let current = |record| self.owners.current(record);
        let Some(other) = change.needs_other_manager(authorized, &current(before), &current(after)) else {
            return Ok(());
        };
        let mut of_owner = self.records.values().filter(|record| other.filter().matches(record));
        let exists = of_owner.any(|record| other.matches(&current(record)));
        if exists { Ok(()) } else { Err(BackendError::last_manager()) }
    }

    /// Edits a key, and returns the successor if the edit creates one, or the key. `by` is the change that the edit belongs to, if it has an
    /// actor.
    pub(super) fn edit(
        &mut self,
        id: &KeyId,
        edit: KeyEdit,
        by: Option<(&KeyChange, Option<&AuthorizedActor>)>,
    ) -> Result<(Record, Vec<Invalidation>), BackendError> {
        let before = self.by_id(id).ok_or_else(BackendError::not_found)?;
        let mut record = before.clone();
        let relative = edit.depends_on(&record).and_then(|id| self.by_id(&id).cloned());
        let EditOutcome { successor, ended_predecessor } = edit.apply(&mut record, relative.as_ref())?;
        if let Some((change, authorized)) = by {
            let predecessor = ended_predecessor.as_ref().and_then(|end| self.by_id(&end.id));
            predecessor.map_or(Ok(()), |old| change.check_end(authorized, old))?;
            self.check_managers(change, authorized, before, successor.as_ref().unwrap_or(&record))?;
        }
        let mut invalidations = vec![Invalidation::of(&record)];
        if let Some(successor) = &successor {
            invalidations.extend(self.insert(successor.clone())?.1);
        }
        if let Some(end) = ended_predecessor
            && let Some(predecessor) = self.by_id_mut(&end.id)
            && end.apply(predecessor)
        {
            invalidations.push(Invalidation::of(predecessor));
        }
        self.records.insert(record.digest, record.clone());
        Ok((self.owners.current(&successor.unwrap_or(record)), invalidations))
    }

    fn revoke(&mut self, id: &KeyId, revocation: Revocation) -> Result<Invalidation, BackendError> {
        let record = self.by_id_mut(id).ok_or_else(BackendError::not_found)?;
        record.revoked.get_or_insert(revocation);
        Ok(Invalidation::Revoked(record.digest))
    }

    pub(super) fn revoke_all(&mut self, filter: &KeyFilter, revocation: &Revocation) -> Vec<Invalidation> {
        let matching =
            self.records.values_mut().filter(|record| record.revoked.is_none() && filter.matches(record));
        let revoke = |record: &mut Record| {
            record.revoked = Some(revocation.clone());
            Invalidation::Revoked(record.digest)
        };
        matching.map(revoke).collect()
    }

    fn purge_ended(&mut self, before: Timestamp) -> Vec<Invalidation> {
        let has_ended = |record: &Record| {
            let revoked = record.revoked.as_ref().is_some_and(|revoked| revoked.at < before);
            revoked || record.expires_at.is_some_and(|end| end < before)
        };
        self.delete(has_ended)
    }

    /// Deletes the keys that match, and returns their invalidations.
    pub(super) fn delete(&mut self, matches: impl Fn(&Record) -> bool) -> Vec<Invalidation> {
        let deleted = self.records.extract_if(|_, record| matches(record));
        let forget = |(digest, record): (Digest, Record)| {
            self.digests.remove(&record.id);
            Invalidation::Changed(digest)
        };
        deleted.map(forget).collect()
    }

    pub(super) fn by_id_mut(&mut self, id: &KeyId) -> Option<&mut Record> {
        self.records.get_mut(self.digests.get(id)?)
    }
}

fn several(invalidations: Vec<Invalidation>) -> (ChangeOutcome, Vec<Invalidation>) {
    (ChangeOutcome::of_keys(invalidations.len() as u64), invalidations)
}
