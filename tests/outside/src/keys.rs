//! The keys of a store, and their changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tower_api_key::backend::{
    Actor, AuthorizedActor, BackendError, ChangeOutcome, EditOutcome, Invalidation, KeyAction, KeyChange,
    KeyEdit, KeyFilter, ResolvedSubject, Subject,
};
use tower_api_key::digest::{Digest, Fingerprint};
use tower_api_key::record::{KeyState, Revocation};
use tower_api_key::{KeyId, Record, Timestamp};

/// An outcome, and what it invalidates.
type Changed<T> = Result<(T, Vec<Invalidation>), BackendError>;

/// Keys, in the order of their ids, and the digests of all of them, with the digesters that computed them, where known.
#[derive(Default)]
pub(crate) struct Keys {
    records: BTreeMap<KeyId, Record>,
    digests: HashMap<Digest, (KeyId, Option<Fingerprint>)>,
    fingerprints: BTreeSet<Fingerprint>,
}

impl Keys {
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    pub(crate) fn fingerprints(&self) -> impl Iterator<Item = &Fingerprint> {
        self.fingerprints.iter()
    }

    pub(crate) fn get(&self, id: &KeyId) -> Option<&Record> {
        self.records.get(id)
    }

    pub(crate) fn find(&self, digest: &Digest) -> Option<Record> {
        let (id, _) = self.digests.get(digest)?;
        let mut record = self.get(id)?.clone();
        record.digest = *digest;
        Some(record)
    }

    /// Returns the digests of a key, with their digesters.
    fn digests_of<'k>(&'k self, id: &'k KeyId) -> impl Iterator<Item = (Digest, Option<&'k Fingerprint>)> {
        let own = self.digests.iter().filter(move |(_, (owner, _))| owner == id);
        own.map(|(digest, (_, digester))| (*digest, digester.as_ref()))
    }

    fn in_force(&self, now: Timestamp) -> impl Iterator<Item = &Record> {
        self.records()
            .filter(move |record| !matches!(record.state(now), KeyState::Revoked | KeyState::Expired))
    }

    /// Returns whether a key has a digest by a digester.
    fn has(&self, id: &KeyId, digester: &Fingerprint) -> bool {
        self.digests_of(id).any(|(_, own)| own == Some(digester))
    }

    pub(crate) fn count_without(&self, digester: &Fingerprint, now: Timestamp) -> u64 {
        let keys = self.in_force(now).filter(|record| record.session.is_none());
        keys.filter(|record| !self.has(&record.id, digester)).count() as u64
    }

    /// Returns the invalidations of all digests of a key.
    fn invalidations(&self, record: &Record) -> Vec<Invalidation> {
        let changed = Invalidation::of(record);
        self.digests_of(&record.id).map(|(digest, _)| changed.with_digest(digest)).collect()
    }

    /// Adds a digest to a key that is active.
    pub(crate) fn add_digest(
        &mut self,
        id: KeyId,
        digest: Digest,
        digester: Fingerprint,
        at: Timestamp,
    ) -> Changed<()> {
        let Some(record) = self.get(&id).filter(|record| record.state(at) == KeyState::Active).cloned()
        else {
            return Ok(((), Vec::new()));
        };
        if self.find(&digest).is_some_and(|other| other.id != id) {
            return Err(BackendError::conflict());
        }
        // Without any, the former digester of the key has none either, and must not be contradicted.
        if self.fingerprints.iter().any(Fingerprint::is_of_digester) {
            self.fingerprints.insert(digester.clone());
        }
        self.digests.entry(digest).or_insert((id, Some(digester)));
        Ok(((), self.invalidations(&record)))
    }

    /// Makes a change if its actor may make it. The caller holds the lock, so the actor stays as it is.
    pub(crate) fn change(&mut self, mut change: KeyChange) -> Changed<ChangeOutcome> {
        let authorized = self.authorize(&change.actor)?;
        change.inherit_from_creator(authorized.as_ref());
        let target = change.target().map(|id| self.get(id).ok_or_else(BackendError::not_found));
        change.check(authorized.as_ref(), target.transpose()?)?;
        match change.action.clone() {
            KeyAction::Insert(record) => {
                let inserted = self.insert(&record, change.fingerprints())?;
                Ok((ChangeOutcome::default().record(*record), inserted))
            }
            KeyAction::InsertExclusive(record, filter, revocation) => {
                self.check_insert(&record)?;
                let (outcome, mut changed) =
                    self.revoke_where(&revocation, usize::MAX, |old| filter.matches(old));
                changed.extend(self.insert(&record, change.fingerprints())?);
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
                let (_, changed) = self.revoke_where(&revocation, 1, |record| record.id == id);
                Ok((ChangeOutcome::default(), changed))
            }
            KeyAction::RevokeAll(filter, revocation) => {
                Ok(self.revoke_where(&revocation, usize::MAX, |record| filter.matches(record)))
            }
            KeyAction::RevokeBatch(batch, revocation) => {
                let nth = |index| {
                    let mut batch = self.records().filter(|record| batch.matches(record));
                    batch.nth(index).map(|record| record.id.as_str().into())
                };
                let last = batch.most.checked_sub(1).and_then(nth);
                let (outcome, changed) =
                    self.revoke_where(&revocation, batch.most, |record| batch.matches(record));
                Ok((outcome.last(last), changed))
            }
            KeyAction::EndSessions(opener, kept, revocation) => {
                let is_live = |record: &Record| {
                    let ended = [KeyState::Revoked, KeyState::Expired].contains(&record.state(revocation.at));
                    record.session.as_ref().is_some_and(|session| session.opener == opener) && !ended
                };
                let sessions = self.records().filter(|record| is_live(record)).count();
                Ok(self.revoke_where(&revocation, sessions.saturating_sub(kept), is_live))
            }
            KeyAction::PurgeEnded(before) => Ok(self.purge(before, &KeyFilter::all())),
            KeyAction::PurgeSessions(before) => Ok(self.purge(before, &KeyFilter::sessions())),
            KeyAction::RetireDigests(digester, now) => Ok(self.retire(&digester, now)),
            other => Err(BackendError::invalid(format!("cannot make the change {other:?}"))),
        }
    }

    fn authorize(&self, actor: &Actor) -> Result<Option<AuthorizedActor>, BackendError> {
        actor.authorize(actor.subjects().map(|subject| match subject {
            Subject::Key(id) => self.get(id).cloned().map_or(ResolvedSubject::Missing, ResolvedSubject::Key),
            // The store keeps no users.
            _ => ResolvedSubject::Missing,
        }))
    }

    fn check_insert(&self, record: &Record) -> Result<(), BackendError> {
        if self.get(&record.id).is_some() || self.find(&record.digest).is_some() {
            Err(BackendError::conflict())
        } else {
            check_plan(record)
        }
    }

    fn insert(
        &mut self,
        record: &Record,
        made_with: &[Fingerprint],
    ) -> Result<Vec<Invalidation>, BackendError> {
        self.check_insert(record)?;
        let digester = made_with.iter().find(|fingerprint| fingerprint.is_of_digester()).cloned();
        self.digests.insert(record.digest, (record.id.clone(), digester));
        self.fingerprints.extend(made_with.iter().cloned());
        self.records.insert(record.id.clone(), record.clone());
        Ok(self.invalidations(record))
    }

    /// Checks that an owner keeps a key that can manage its keys.
    fn check_managers(
        &self,
        change: &KeyChange,
        authorized: Option<&AuthorizedActor>,
        before: &Record,
        after: &Record,
    ) -> Result<(), BackendError> {
        match change.required_manager(authorized, before, after) {
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
        check_plan(&record)?;
        if let Some((change, authorized)) = by {
            let predecessor = ended_predecessor.as_ref().and_then(|end| self.get(&end.id));
            predecessor.map_or(Ok(()), |old| change.check_end(authorized, old))?;
            self.check_managers(change, authorized, before, successor.as_ref().unwrap_or(&record))?;
        }
        let mut changed = self.invalidations(&record);
        if let Some(successor) = &successor {
            changed.extend(self.insert(successor, by.map_or(&[], |(change, _)| change.fingerprints()))?);
        }
        if let Some(end) = ended_predecessor
            && let Some(predecessor) = self.records.get_mut(&end.id)
            && end.apply(predecessor)
        {
            let predecessor = predecessor.clone();
            changed.extend(self.invalidations(&predecessor));
        }
        self.records.insert(record.id.clone(), record.clone());
        Ok((ChangeOutcome::default().record(successor.unwrap_or(record)), changed))
    }

    /// Revokes the first keys that match and are not revoked.
    fn revoke_where(
        &mut self,
        revocation: &Revocation,
        most: usize,
        matches: impl Fn(&Record) -> bool,
    ) -> (ChangeOutcome, Vec<Invalidation>) {
        let active = self.records.values_mut().filter(|record| record.revoked.is_none() && matches(record));
        let revoke = |record: &mut Record| {
            record.revoked = Some(revocation.clone());
            record.id.clone()
        };
        let revoked: Vec<_> = active.take(most).map(revoke).collect();
        self.several(&revoked, Invalidation::Revoked)
    }

    fn purge(&mut self, before: Timestamp, filter: &KeyFilter) -> (ChangeOutcome, Vec<Invalidation>) {
        let has_ended = |record: &Record| {
            let has_ended = record.expires_at.is_some_and(|end| end < before)
                || record.revoked.as_ref().is_some_and(|revoked| revoked.at < before);
            has_ended && filter.matches(record)
        };
        let ended: Vec<_> =
            self.records().filter(|record| has_ended(record)).map(|record| record.id.clone()).collect();
        let outcome = self.several(&ended, Invalidation::Changed);
        self.records.retain(|_, record| !has_ended(record));
        self.digests.retain(|_, (id, _)| self.records.contains_key(id));
        outcome
    }

    /// Drops the digests by other digesters from the keys that have one by this digester, and the fingerprints of digesters of which no key
    /// in force has a digest.
    fn retire(&mut self, digester: &Fingerprint, now: Timestamp) -> (ChangeOutcome, Vec<Invalidation>) {
        let kept = |id| {
            let kept = self.digests_of(id).find(|(_, own)| *own == Some(digester))?;
            (self.digests_of(id).count() > 1).then_some(kept.0)
        };
        let kept: BTreeMap<_, _> =
            self.records.keys().filter_map(|id| Some((id.clone(), kept(id)?))).collect();
        let retired: Vec<_> = kept.keys().cloned().collect();
        let outcome = self.several(&retired, Invalidation::Changed);
        self.digests.retain(|digest, (id, _)| kept.get(id).is_none_or(|kept| kept == digest));
        for (id, digest) in kept {
            self.records.entry(id).and_modify(|record| record.digest = digest);
        }
        let needed = self.in_force(now).flat_map(|record| self.digests_of(&record.id));
        let needed: BTreeSet<_> = needed.filter_map(|(_, digester)| digester.cloned()).collect();
        self.fingerprints.retain(|own| !own.is_of_digester() || own == digester || needed.contains(own));
        outcome
    }

    /// Returns the outcome of a change of several keys.
    fn several(
        &self,
        keys: &[KeyId],
        change: impl Fn(Digest) -> Invalidation,
    ) -> (ChangeOutcome, Vec<Invalidation>) {
        let digests = keys.iter().flat_map(|id| self.digests_of(id));
        (ChangeOutcome::of_keys(keys.len() as u64), digests.map(|(digest, _)| change(digest)).collect())
    }
}

/// Rejects a record that refers to a plan: the store keeps none, and its limits would be lost.
fn check_plan(record: &Record) -> Result<(), BackendError> {
    if record.plan.is_some() { Err(BackendError::unknown_plan()) } else { Ok(()) }
}
