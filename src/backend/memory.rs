//! A store in memory, for tests and for services with keys in their configuration.

// Layer 3 of 10: storage.
// Above `keys`, `owners` and `plans` of the backend, whose traits it implements; nothing in the backend is above it. Bottom to top, a file importing
// only those before it: `audit`, `usage`, `plans`, `owners`, `digests`, `keys`, `owner_changes`, `self`.

mod audit;
mod digests;
mod keys;
mod owner_changes;
mod owners;
mod plans;
mod usage;

use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{
    AuditEntry, AuditLog, AuditQuery, Backend, BackendError, ChangeOutcome, Invalidation, Invalidator,
    KeyChange, KeyEdit, KeyFilter, KeyStore, OwnerChange, OwnerStore, PlanStore, Subscriber, UsageBatch,
    UsageLine, UsageQuery, UsageStore, WriteBack,
};
use crate::clock::{Day, Timestamp};
use crate::digest::{Digest, Fingerprint};
use crate::key::KeyId;
use crate::limit::Plan;
use crate::owner::{Organization, Project, User};
use crate::record::Record;
use keys::Keys;

/// A store in memory. Clones share their keys.
///
/// It invalidates its authenticators before it acknowledges a change. Its audit log keeps the newest 10,000 entries, whose times are those of
/// the machine's clock.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    keys: Arc<RwLock<Keys>>,
    invalidator: Invalidator,
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

    fn invalidate(&self, invalidations: impl IntoIterator<Item = Invalidation>) {
        invalidations.into_iter().for_each(|invalidation| self.invalidator.invalidate(invalidation));
    }
}

impl Backend for MemoryStore {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.find_any(std::slice::from_ref(digest)).await
    }

    async fn find_any(&self, digests: &[Digest]) -> Result<Option<Record>, BackendError> {
        Ok(self.read().by_digest(digests))
    }

    async fn fingerprints(&self) -> Result<Option<Vec<Fingerprint>>, BackendError> {
        Ok(Some(self.read().digests.fingerprints.iter().cloned().collect()))
    }

    async fn find_user(&self, email: &str) -> Result<Option<User>, BackendError> {
        Ok(self.read().owners.user(email))
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.invalidator.subscribe(subscriber);
    }

    async fn write_back(&self, write: WriteBack) -> Result<(), BackendError> {
        let invalidations = match write {
            WriteBack::FirstUse { id, at } => {
                let mut keys = self.write();
                let (_, invalidations) = keys.edit(&id, KeyEdit::FirstUse(at), None)?;
                keys.of_all_digests(invalidations)
            }
            WriteBack::Digest { id, digest, digester, at } => {
                self.write().add_digest(&id, digest, digester, at)?
            }
            WriteBack::PasswordHash { email, from, to } => {
                return self.change_owner(OwnerChange::rehash(&email, from, to)).await;
            }
        };
        self.invalidate(invalidations);
        Ok(())
    }
}

impl OwnerStore for MemoryStore {
    async fn change_owner(&self, change: OwnerChange) -> Result<(), BackendError> {
        let invalidations = {
            let mut keys = self.write();
            keys.authorize(&change.actor)?;
            let invalidations = keys.change_owner(change.action)?;
            keys.of_all_digests(invalidations)
        };
        self.invalidate(invalidations);
        Ok(())
    }

    async fn organization(&self, id: &str) -> Result<Option<Organization>, BackendError> {
        Ok(self.read().owners.organization(id))
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

impl PlanStore for MemoryStore {
    async fn put_plan(&self, plan: &Plan) -> Result<(), BackendError> {
        self.write().owners.plans.put(plan)?;
        // Also if it has these limits already: another call may have written them, and not have invalidated anything yet.
        self.invalidate([Invalidation::Everything]);
        Ok(())
    }

    async fn delete_plan(&self, name: &str) -> Result<(), BackendError> {
        self.write().delete_plan(name)?;
        self.invalidate([Invalidation::Everything]);
        Ok(())
    }

    async fn plan(&self, name: &str) -> Result<Option<Plan>, BackendError> {
        Ok(self.read().owners.plans.get(name).cloned())
    }

    async fn plans(&self, after: Option<&str>, limit: usize) -> Result<Vec<Plan>, BackendError> {
        Ok(self.read().owners.plans.page(after, limit))
    }
}

impl KeyStore for MemoryStore {
    async fn change(&self, change: KeyChange) -> Result<ChangeOutcome, BackendError> {
        let (outcome, invalidations) = self.write().change(change)?;
        self.invalidate(invalidations);
        Ok(outcome)
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
        let records = keys.ids.range::<KeyId, _>(behind).filter_map(|(_, digest)| keys.records.get(digest));
        let matching = records.filter(|record| filter.matches(record)).take(limit);
        Ok(matching.map(|record| keys.owners.current(record)).collect())
    }

    async fn keys_without(&self, digester: &Fingerprint, now: Timestamp) -> Result<u64, BackendError> {
        let keys = self.read();
        let all = keys.records.values().filter(|record| record.session.is_none());
        let in_force = all.filter(|record| !record.state(now).has_ended());
        Ok(in_force.filter(|record| !keys.digests.has(&record.id, digester)).count() as u64)
    }
}

impl AuditLog for MemoryStore {
    async fn audit_log(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, BackendError> {
        Ok(self.read().audit.entries(query))
    }

    async fn purge_before(&self, end: Timestamp) -> Result<u64, BackendError> {
        Ok(self.write().audit.purge_before(end))
    }
}

impl UsageStore for MemoryStore {
    async fn add_usage(&self, batch: &UsageBatch) -> Result<(), BackendError> {
        let mut keys = self.write();
        if !keys.usage.record_batch(batch) {
            return Ok(());
        }
        batch.counts().iter().for_each(|count| keys.usage.add(count));
        for (id, at) in batch.last_uses() {
            if let Some(record) = keys.by_id_mut(id) {
                record.last_used_at = record.last_used_at.max(Some(at));
            }
        }
        Ok(())
    }

    async fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageLine>, BackendError> {
        Ok(self.read().usage.lines(query))
    }

    async fn purge_usage_before(&self, day: Day) -> Result<u64, BackendError> {
        Ok(self.write().usage.purge_before(day))
    }
}
