//! The keys of a store, and their changes.

use std::collections::BTreeMap;

use tower_api_key::backend::{
    Actor, AuthorizedActor, BackendError, ChangeOutcome, EditOutcome, Invalidation, KeyAction, KeyChange,
    KeyEdit, ResolvedSubject, Subject,
};
use tower_api_key::record::Revocation;
use tower_api_key::{KeyId, Record, Timestamp};

/// An outcome, and what it invalidates.
type Changed<T> = Result<(T, Vec<Invalidation>), BackendError>;

/// Keys, in the order of their ids.
#[derive(Default)]
pub(crate) struct Keys(BTreeMap<KeyId, Record>);

impl Keys {
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.0.values()
    }

    pub(crate) fn get(&self, id: &KeyId) -> Option<&Record> {
        self.0.get(id)
    }

    /// Makes a change if its actor may make it. The caller holds the lock, so the actor stays as it is.
    pub(crate) fn change(&mut self, mut change: KeyChange) -> Changed<ChangeOutcome> {
        let authorized = self.authorize(&change.actor)?;
        change.inherit_from_creator(authorized.as_ref());
        let target = change.target().map(|id| self.get(id).ok_or_else(BackendError::not_found));
        change.check(authorized.as_ref(), target.transpose()?)?;
        match change.action.clone() {
            KeyAction::Insert(record) => {
                let inserted = self.insert(&record)?;
                Ok((ChangeOutcome::default().record(*record), vec![inserted]))
            }
            KeyAction::InsertExclusive(record, filter, revocation) => {
                self.check_insert(&record)?;
                let (outcome, mut changed) = self.revoke_where(&revocation, |old| filter.matches(old));
                changed.push(self.insert(&record)?);
                Ok((outcome.record(*record), changed))
            }
            KeyAction::Update(id, update) => {
                self.edit(&id, KeyEdit::Update(update), Some((&change, authorized.as_ref())))
            }
            KeyAction::Rotate(id, rotation) => {
                self.edit(&id, KeyEdit::Rotate(rotation), Some((&change, authorized.as_ref())))
            }
            KeyAction::Disable(id, disabling) => {
                self.edit(&id, KeyEdit::Disable(disabling), Some((&change, authorized.as_ref())))
            }
            KeyAction::Enable(id, now) => {
                self.edit(&id, KeyEdit::Enable(now), Some((&change, authorized.as_ref())))
            }
            KeyAction::Revoke(id, revocation) => {
                let before = self.get(&id).ok_or_else(BackendError::not_found)?;
                let mut after = before.clone();
                after.revoked = Some(revocation.clone());
                self.check_managers(&change, authorized.as_ref(), before, &after)?;
                let (_, changed) = self.revoke_where(&revocation, |record| record.id == id);
                Ok((ChangeOutcome::default(), changed))
            }
            KeyAction::RevokeAll(filter, revocation) => {
                Ok(self.revoke_where(&revocation, |record| filter.matches(record)))
            }
            KeyAction::PurgeEnded(before) => Ok(self.purge(before)),
            other => Err(BackendError::invalid(format!("cannot make the change {other:?}"))),
        }
    }

    fn authorize(&self, actor: &Actor) -> Result<Option<AuthorizedActor>, BackendError> {
        actor.authorize(match actor.subject() {
            Some(Subject::Key(id)) => {
                self.get(id).cloned().map_or(ResolvedSubject::Missing, ResolvedSubject::Key)
            }
            // The store keeps no users.
            _ => ResolvedSubject::Missing,
        })
    }

    fn check_insert(&self, record: &Record) -> Result<(), BackendError> {
        let exists = self.records().any(|other| other.id == record.id || other.digest == record.digest);
        if exists { Err(BackendError::conflict()) } else { Ok(()) }
    }

    fn insert(&mut self, record: &Record) -> Result<Invalidation, BackendError> {
        self.check_insert(record)?;
        self.0.insert(record.id.clone(), record.clone());
        Ok(Invalidation::of(record))
    }

    /// Checks that an owner keeps a key that can manage its keys.
    fn check_managers(
        &self,
        change: &KeyChange,
        authorized: Option<&AuthorizedActor>,
        before: &Record,
        after: &Record,
    ) -> Result<(), BackendError> {
        match change.needs_other_manager(authorized, before, after) {
            Some(other) if !self.records().any(|key| other.matches(key)) => Err(BackendError::last_manager()),
            _ => Ok(()),
        }
    }

    /// Edits a key. `by` is the change that the edit belongs to, if it has an actor. Every check comes before the first write.
    pub(crate) fn edit(
        &mut self,
        id: &KeyId,
        edit: KeyEdit,
        by: Option<(&KeyChange, Option<&AuthorizedActor>)>,
    ) -> Changed<ChangeOutcome> {
        let before = self.get(id).ok_or_else(BackendError::not_found)?;
        let mut record = before.clone();
        let relative = edit.depends_on(&record).and_then(|id| self.get(&id));
        let EditOutcome { successor, ended_predecessor, .. } = edit.apply(&mut record, relative)?;
        if let Some((change, authorized)) = by {
            let predecessor = ended_predecessor.as_ref().and_then(|end| self.get(&end.id));
            predecessor.map_or(Ok(()), |old| change.check_end(authorized, old))?;
            self.check_managers(change, authorized, before, successor.as_ref().unwrap_or(&record))?;
        }
        let mut changed = vec![Invalidation::of(&record)];
        if let Some(successor) = &successor {
            changed.push(self.insert(successor)?);
        }
        if let Some(end) = ended_predecessor
            && let Some(predecessor) = self.0.get_mut(&end.id)
            && end.apply(predecessor)
        {
            changed.push(Invalidation::of(predecessor));
        }
        self.0.insert(record.id.clone(), record.clone());
        Ok((ChangeOutcome::default().record(successor.unwrap_or(record)), changed))
    }

    /// Revokes the keys that match and are not revoked.
    fn revoke_where(
        &mut self,
        revocation: &Revocation,
        matches: impl Fn(&Record) -> bool,
    ) -> (ChangeOutcome, Vec<Invalidation>) {
        let active = self.0.values_mut().filter(|record| record.revoked.is_none() && matches(record));
        let revoke = |record: &mut Record| {
            record.revoked = Some(revocation.clone());
            Invalidation::of(record)
        };
        several(active.map(revoke).collect())
    }

    fn purge(&mut self, before: Timestamp) -> (ChangeOutcome, Vec<Invalidation>) {
        let mut ended = Vec::new();
        self.0.retain(|_, record| {
            let has_ended = record.expires_at.is_some_and(|end| end < before)
                || record.revoked.as_ref().is_some_and(|revoked| revoked.at < before);
            if has_ended {
                ended.push(Invalidation::Changed(record.digest));
            }
            !has_ended
        });
        several(ended)
    }
}

fn several(changed: Vec<Invalidation>) -> (ChangeOutcome, Vec<Invalidation>) {
    (ChangeOutcome::of_keys(changed.len() as u64), changed)
}
