//! The keys in memory, and their changes, under the lock of `MemoryStore`. Changes write the audit log, except those of digests alone;
//! `MemoryStore` applies the returned invalidations.

// Layer 3 of 10: storage.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use super::audit::Audit;
use super::digests::Digests;
use super::owners::Owners;
use super::usage::Usage;
use crate::audit::Action;
use crate::backend::audit::Author;
use crate::backend::deleted_owner::DeletedOwner;
use crate::backend::{
    Actor, AuthorizedActor, BackendError, ChangeOutcome, EditOutcome, Invalidation, KeyAction, KeyBatch,
    KeyChange, KeyEdit, KeyFilter, ResolvedSubject, Subject,
};
use crate::clock::Timestamp;
use crate::digest::{Digest, Fingerprint};
use crate::key::KeyId;
use crate::limit::Plan;
use crate::record::{KeyState, Record, Revocation};

/// Keys, with their owners, their usage and their audit log.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) records: HashMap<Digest, Record>,
    pub(super) ids: BTreeMap<KeyId, Digest>,
    pub(super) digests: Digests,
    pub(super) owners: Owners,
    pub(super) usage: Usage,
    pub(super) audit: Audit,
}

impl Keys {
    pub(super) fn by_id(&self, id: &KeyId) -> Option<&Record> {
        self.records.get(self.ids.get(id)?)
    }

    /// Returns the record with one of these digests, the first of them first. Its digest is the one under which it was found.
    pub(super) fn by_digest(&self, digests: &[Digest]) -> Option<Record> {
        digests.iter().find_map(|digest| {
            let further = || self.by_id(self.digests.key(digest)?);
            let record = self.records.get(digest).or_else(further)?;
            Some(Record { digest: *digest, ..self.owners.current(record) })
        })
    }

    /// Adds the invalidations of the further digests of the keys.
    pub(super) fn of_all_digests(&self, invalidations: Vec<Invalidation>) -> Vec<Invalidation> {
        let of_key = |invalidation: Invalidation| {
            let further = invalidation.digest().and_then(|digest| self.records.get(&digest));
            let further = further.into_iter().flat_map(|record| self.digests.of(&record.id));
            [invalidation].into_iter().chain(further.map(move |digest| invalidation.with_digest(digest)))
        };
        invalidations.into_iter().flat_map(of_key).collect()
    }

    /// Makes a change if its actor may make it. The caller holds the write lock, so the actor stays as it is.
    pub(super) fn change(
        &mut self,
        change: KeyChange,
    ) -> Result<(ChangeOutcome, Vec<Invalidation>), BackendError> {
        let (outcome, invalidations) = self.change_records(change)?;
        Ok((outcome, self.of_all_digests(invalidations)))
    }

    fn change_records(
        &mut self,
        mut change: KeyChange,
    ) -> Result<(ChangeOutcome, Vec<Invalidation>), BackendError> {
        let authorized = self.authorize(&change.actor)?;
        change.inherit_from_creator(authorized.as_ref());
        let delegated = change.has_bounds();
        let target = change.target().map(|id| self.by_id(id).ok_or_else(BackendError::not_found));
        change.check(authorized.as_ref(), target.transpose()?)?;
        let fingerprints = change.fingerprints().to_vec();
        let (record, invalidations) = match change.action {
            KeyAction::Insert(record) => self.insert(&record, delegated)?,
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
                let (record, inserted) = self.insert(&record, delegated)?;
                self.digests.made_with(&record.id, &fingerprints);
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
            KeyAction::RevokeBatch(batch, revocation) => {
                let (last, revoked) = self.revoke_batch(&batch, &revocation);
                let (outcome, invalidations) = several(revoked);
                return Ok((outcome.last(last), invalidations));
            }
            KeyAction::EndSessions(opener, kept, revocation) => {
                let is_of_opener = |record: &Record| {
                    record.session.as_ref().is_some_and(|session| session.opener == opener)
                        && !record.state(revocation.at).has_ended()
                };
                let sessions = self.records.values().filter(|record| is_of_opener(record)).count();
                let (_, ended) =
                    self.revoke_where(sessions.saturating_sub(kept), None, is_of_opener, &revocation);
                return Ok(several(ended));
            }
            KeyAction::PurgeEnded(before) => {
                let (keys, invalidations) = self.purge_ended(before, &KeyFilter::all());
                return Ok((ChangeOutcome::of_keys(keys), invalidations));
            }
            KeyAction::PurgeSessions(before) => {
                let (keys, invalidations) = self.purge_ended(before, &KeyFilter::sessions());
                return Ok((ChangeOutcome::of_keys(keys), invalidations));
            }
            KeyAction::RetireDigests(digester, now) => {
                let (keys, invalidations) = self.retire_digests(&digester, now);
                return Ok((ChangeOutcome::of_keys(keys), invalidations));
            }
        };
        // The key of an insertion, or the successor of a rotation.
        self.digests.made_with(&record.id, &fingerprints);
        Ok((ChangeOutcome::default().record(record), invalidations))
    }

    pub(super) fn authorize(&self, actor: &Actor) -> Result<Option<AuthorizedActor>, BackendError> {
        let key = |id| self.by_id(id).map(|own| ResolvedSubject::Key(self.owners.current(own)));
        let found = actor.subjects().map(|subject| match subject {
            Subject::Key(id) => key(id).unwrap_or(ResolvedSubject::Missing),
            Subject::User(email) => {
                self.owners.user(email).map_or(ResolvedSubject::Missing, ResolvedSubject::User)
            }
        });
        actor.authorize(found)
    }

    fn insert(
        &mut self,
        record: &Record,
        delegated: bool,
    ) -> Result<(Record, Vec<Invalidation>), BackendError> {
        self.check_insert(record)?;
        let author = Author { name: record.created_by.as_deref(), delegated };
        self.audit.record(Action::Created, record, author);
        self.ids.insert(record.id.clone(), record.digest);
        self.records.insert(record.digest, record.clone());
        let invalidation = Invalidation::Changed(record.digest);
        Ok((self.owners.current(record), vec![invalidation]))
    }

    fn check_insert(&self, record: &Record) -> Result<(), BackendError> {
        let has_digest =
            self.records.contains_key(&record.digest) || self.digests.key(&record.digest).is_some();
        if has_digest || self.ids.contains_key(&record.id) {
            return Err(BackendError::conflict());
        }
        self.owners.plans.check(record.plan.as_ref())?;
        if record.owner.organizations().any(|own| own.plan.is_some()) || record.owner.plan().is_some() {
            return Err(BackendError::invalid("the plan of an owner is not kept with a key"));
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
        let Some(other) = change.required_manager(authorized, &current(before), &current(after)) else {
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
        if record.plan != before.plan {
            self.owners.plans.check(record.plan.as_ref())?;
        }
        if record != before {
            let action = logged.with(successor.as_ref().map(|successor| successor.id.clone()));
            // OK because a rotation has a successor, and no other edit has one.
            self.audit.record(action.expect("the action of an edit"), &record, author);
        }
        if let Some(successor) = &successor {
            invalidations.extend(self.insert(successor, delegated)?.1);
        }
        if let Some(end) = ended_predecessor
            && let Some(digest) = self.ids.get(&end.id)
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
        let digest = *self.ids.get(id).ok_or_else(BackendError::not_found)?;
        if let Some(record) = self.records.get_mut(&digest)
            && record.revoked.is_none()
        {
            let author = Author { name: revocation.by.as_deref(), delegated };
            self.audit.record(Action::Revoked, record, author);
            record.revoked = Some(revocation);
        }
        Ok(Invalidation::Revoked(digest))
    }

    /// Revokes all keys that match a filter and are not revoked.
    pub(super) fn revoke_all(&mut self, filter: &KeyFilter, revocation: &Revocation) -> Vec<Invalidation> {
        self.revoke_batch(&KeyBatch::first(usize::MAX, filter.clone()), revocation).1
    }

    /// Revokes a batch of keys, and returns the last one if others may follow.
    fn revoke_batch(
        &mut self,
        batch: &KeyBatch,
        revocation: &Revocation,
    ) -> (Option<Box<str>>, Vec<Invalidation>) {
        self.revoke_where(batch.most, batch.after.as_deref(), |record| batch.matches(record), revocation)
    }

    /// Revokes the first records after an id that meet a condition, and returns the last one if others may follow.
    fn revoke_where(
        &mut self,
        most: usize,
        after: Option<&str>,
        matches: impl Fn(&Record) -> bool,
        revocation: &Revocation,
    ) -> (Option<Box<str>>, Vec<Invalidation>) {
        let author = Author { name: revocation.by.as_deref(), delegated: false };
        let (mut last, mut revoked) = (None, Vec::new());
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        for (id, digest) in self.ids.range::<str, _>((start, Bound::Unbounded)) {
            if revoked.len() == most {
                return (last, revoked);
            }
            if let Some(record) = self.records.get_mut(digest)
                && matches(record)
            {
                record.revoked = Some(revocation.clone());
                self.audit.record(Action::Revoked, record, author);
                revoked.push(Invalidation::Revoked(record.digest));
                last = Some(id.as_str().into());
            }
        }
        (None, revoked)
    }

    /// Adds a digest to a key that is active.
    pub(super) fn add_digest(
        &mut self,
        id: &KeyId,
        digest: Digest,
        digester: Fingerprint,
        at: Timestamp,
    ) -> Result<Vec<Invalidation>, BackendError> {
        let Some(record) = self.by_id(id).filter(|record| record.state(at) == KeyState::Active) else {
            return Ok(Vec::new());
        };
        let first = record.digest;
        match self.by_digest(&[digest]) {
            None => self.digests.add(id, digest, digester),
            Some(other) if other.id != *id => return Err(BackendError::conflict()),
            Some(_) => return Ok(Vec::new()),
        }
        Ok(self.of_all_digests(vec![Invalidation::Changed(first)]))
    }

    fn retire_digests(&mut self, digester: &Fingerprint, now: Timestamp) -> (u64, Vec<Invalidation>) {
        let kept = |record: &Record| self.digests.retired(&record.id, record.digest, digester);
        let retired: Vec<_> =
            self.records.values().filter_map(|record| Some((record.id.clone(), kept(record)?))).collect();
        let mut invalidations = Vec::new();
        for (id, digest) in &retired {
            let Some(mut record) =
                self.ids.insert(id.clone(), *digest).and_then(|old| self.records.remove(&old))
            else {
                continue;
            };
            let dropped = self.digests.of(id).chain([record.digest]).filter(|each| each != digest);
            invalidations.extend(dropped.map(Invalidation::Changed));
            record.digest = *digest;
            self.records.insert(*digest, record);
            self.digests.retire(id, digester);
        }
        let in_force = self.records.values().filter(|record| !record.state(now).has_ended());
        self.digests.forget_digesters(digester, in_force.map(|record| &record.id));
        (retired.len() as u64, invalidations)
    }

    fn purge_ended(&mut self, before: Timestamp, filter: &KeyFilter) -> (u64, Vec<Invalidation>) {
        let has_ended = |record: &Record| {
            let revoked = record.revoked.as_ref().is_some_and(|revoked| revoked.at < before);
            revoked || record.expires_at.is_some_and(|end| end < before)
        };
        self.delete(|record| filter.matches(record) && has_ended(record))
    }

    /// Deletes the keys that match, and returns their number and their invalidations.
    pub(super) fn delete(&mut self, matches: impl Fn(&Record) -> bool) -> (u64, Vec<Invalidation>) {
        let mut deleted: Vec<_> = self.records.extract_if(|_, record| matches(record)).collect();
        deleted.sort_by(|(_, one), (_, other)| one.id.cmp(&other.id));
        let (keys, mut invalidations) = (deleted.len() as u64, Vec::new());
        for (digest, record) in deleted {
            self.ids.remove(&record.id);
            invalidations.extend(self.digests.of(&record.id).chain([digest]).map(Invalidation::Changed));
            self.digests.remove(&record.id);
            let action = if record.revoked.is_none() { Action::Expired } else { Action::Deleted };
            self.audit.record(action, &record, Author::default());
        }
        (keys, invalidations)
    }

    /// Deletes a plan that no owner has, and no key that is not revoked.
    pub(super) fn delete_plan(&mut self, name: &str) -> Result<(), BackendError> {
        let is_it = |plan: &Plan| plan.name() == name;
        let unrevoked = self.records.values().filter(|record| record.revoked.is_none());
        let of_keys = unrevoked.filter_map(|record| record.plan.as_ref());
        if of_keys.chain(self.owners.plans_of_owners()).any(is_it) {
            return Err(BackendError::plan_in_use());
        }
        if self.owners.plans.remove(name) { Ok(()) } else { Err(BackendError::no_plan()) }
    }

    pub(super) fn by_id_mut(&mut self, id: &KeyId) -> Option<&mut Record> {
        self.records.get_mut(self.ids.get(id)?)
    }
}

fn several(invalidations: Vec<Invalidation>) -> (ChangeOutcome, Vec<Invalidation>) {
    (ChangeOutcome::of_keys(invalidations.len() as u64), invalidations)
}
