//! The keys in memory, and their changes.

use std::collections::{BTreeMap, HashMap};

use super::audit::Audit;
use super::owners::Owners;
use super::usage::Usage;
use crate::audit::Action;
use crate::backend::audit::Author;
use crate::backend::deleted_owner::DeletedOwner;
use crate::backend::{
    Actor, AuthorizedActor, BackendError, ChangeOutcome, EditOutcome, Invalidation, KeyAction, KeyChange,
    KeyEdit, KeyFilter, ResolvedSubject, Subject,
};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::key::KeyId;
use crate::record::{Record, Revocation};

/// Keys, with their owners, their usage and their audit log.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) records: HashMap<Digest, Record>,
    pub(super) digests: BTreeMap<KeyId, Digest>,
    pub(super) owners: Owners,
    pub(super) usage: Usage,
    pub(super) audit: Audit,
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
        let delegated = change.has_bounds();
        let target = change.target().map(|id| self.by_id(id).ok_or_else(BackendError::not_found));
        change.check(authorized.as_ref(), target.transpose()?)?;
        let (record, invalidations) = match change.action {
            KeyAction::Insert(record) => self.insert(*record, delegated)?,
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
                let (record, inserted) = self.insert(*record, delegated)?;
                invalidations.extend(inserted);
                return Ok((outcome.record(record), invalidations));
            }
            KeyAction::Revoke(ref id, ref revocation) => {
                let before = self.by_id(id).ok_or_else(BackendError::not_found)?;
                let after = Record { revoked: Some(revocation.clone()), ..before.clone() };
                self.check_managers(&change, authorized.as_ref(), before, &after)?;
                return Ok((ChangeOutcome::default(), vec![self.revoke(id, revocation.clone(), delegated)?]));
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

    fn insert(
        &mut self,
        record: Record,
        delegated: bool,
    ) -> Result<(Record, Vec<Invalidation>), BackendError> {
        self.check_insert(&record)?;
        let author = Author { name: record.created_by.as_deref(), delegated };
        self.audit.record(Action::Created, &record, author);
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
        let before = self.by_id(id).ok_or_else(BackendError::not_found)?.clone();
        let mut record = before.clone();
        let change = by.map(|(change, _)| change);
        let (logged, name) = (
            edit.logged_action(),
            edit.author(change.and_then(|change| change.actor.name())).map(str::to_owned),
        );
        let delegated = change.is_some_and(KeyChange::has_bounds);
        let author = Author { name: name.as_deref(), delegated };
        let relative = edit.depends_on(&record).and_then(|id| self.by_id(&id).cloned());
        let EditOutcome { successor, ended_predecessor } = edit.apply(&mut record, relative.as_ref())?;
        if let Some((change, authorized)) = by {
            let predecessor = ended_predecessor.as_ref().and_then(|end| self.by_id(&end.id));
            predecessor.map_or(Ok(()), |old| change.check_end(authorized, old))?;
            self.check_managers(change, authorized, &before, successor.as_ref().unwrap_or(&record))?;
        }
        let mut invalidations = vec![Invalidation::of(&record)];
        successor.as_ref().map_or(Ok(()), |successor| self.check_insert(successor))?;
        if record != before {
            let action = logged.with(successor.as_ref().map(|successor| successor.id.clone()));
            // OK because a rotation has a successor, and no other edit has one.
            self.audit.record(action.expect("the action of an edit"), &record, author);
        }
        if let Some(successor) = &successor {
            invalidations.extend(self.insert(successor.clone(), delegated)?.1);
        }
        if let Some(end) = ended_predecessor
            && let Some(digest) = self.digests.get(&end.id)
            && let Some(predecessor) = self.records.get_mut(digest)
        {
            let expiry = predecessor.expires_at;
            if end.apply(predecessor) {
                invalidations.push(Invalidation::of(predecessor));
            }
            if predecessor.expires_at != expiry {
                self.audit.record(Action::Updated, predecessor, author);
            }
        }
        self.records.insert(record.digest, record.clone());
        Ok((self.owners.current(&successor.unwrap_or(record)), invalidations))
    }

    fn revoke(
        &mut self,
        id: &KeyId,
        revocation: Revocation,
        delegated: bool,
    ) -> Result<Invalidation, BackendError> {
        let digest = *self.digests.get(id).ok_or_else(BackendError::not_found)?;
        if let Some(record) = self.records.get_mut(&digest)
            && record.revoked.is_none()
        {
            let author = Author { name: revocation.by.as_deref(), delegated };
            self.audit.record(Action::Revoked, record, author);
            record.revoked = Some(revocation);
        }
        Ok(Invalidation::Revoked(digest))
    }

    pub(super) fn revoke_all(&mut self, filter: &KeyFilter, revocation: &Revocation) -> Vec<Invalidation> {
        let author = Author { name: revocation.by.as_deref(), delegated: false };
        let mut revoked = Vec::new();
        for digest in self.digests.values() {
            if let Some(record) = self.records.get_mut(digest)
                && record.revoked.is_none()
                && filter.matches(record)
            {
                record.revoked = Some(revocation.clone());
                self.audit.record(Action::Revoked, record, author);
                revoked.push(Invalidation::Revoked(record.digest));
            }
        }
        revoked
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
        let mut deleted: Vec<_> = self.records.extract_if(|_, record| matches(record)).collect();
        deleted.sort_by(|(_, one), (_, other)| one.id.cmp(&other.id));
        let forget = |(digest, record): (Digest, Record)| {
            self.digests.remove(&record.id);
            let action = if record.revoked.is_none() { Action::Expired } else { Action::Deleted };
            self.audit.record(action, &record, Author::default());
            Invalidation::Changed(digest)
        };
        deleted.into_iter().map(forget).collect()
    }

    pub(super) fn by_id_mut(&mut self, id: &KeyId) -> Option<&mut Record> {
        self.records.get_mut(self.digests.get(id)?)
    }
}

fn several(invalidations: Vec<Invalidation>) -> (ChangeOutcome, Vec<Invalidation>) {
    (ChangeOutcome::of_keys(invalidations.len() as u64), invalidations)
}
