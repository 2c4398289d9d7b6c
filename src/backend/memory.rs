//! Keys kept in memory, for tests and for services whose keys stand in their configuration.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{Backend, BackendError, Change, Changes, KeyStore, Subscriber};
use crate::digest::Digest;
use crate::key::KeyId;
use crate::record::{Record, Revocation};

/// A store in memory. Clones share their keys.
///
/// It is exact: it tells its authenticators of each change before it acknowledges it.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    records: Arc<RwLock<HashMap<Digest, Record>>>,
    changes: Changes,
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Digest, Record>> {
        self.records.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Digest, Record>> {
        self.records.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, record: Record) -> Result<Change, BackendError> {
        let mut records = self.write();
        let taken =
            records.contains_key(&record.digest) || records.values().any(|other| other.id == record.id);
        if taken {
            return Err(BackendError::conflict());
        }
        let change = Change::Changed(record.digest);
        records.insert(record.digest, record);
        Ok(change)
    }

    fn mark_revoked(&self, id: &KeyId, revocation: Revocation) -> Result<Change, BackendError> {
        let mut records = self.write();
        let record =
            records.values_mut().find(|record| record.id == *id).ok_or_else(BackendError::not_found)?;
        record.revoked.get_or_insert(revocation);
        Ok(Change::Revoked(record.digest))
    }
}

impl Backend for MemoryStore {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        Ok(self.read().get(digest).cloned())
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.changes.subscribe(subscriber);
    }
}

impl KeyStore for MemoryStore {
    async fn insert(&self, record: Record) -> Result<(), BackendError> {
        self.changes.announce(self.add(record)?);
        Ok(())
    }

    async fn get(&self, id: &KeyId) -> Result<Option<Record>, BackendError> {
        Ok(self.read().values().find(|record| record.id == *id).cloned())
    }

    async fn revoke(&self, id: &KeyId, revocation: Revocation) -> Result<(), BackendError> {
        self.changes.announce(self.mark_revoked(id, revocation)?);
        Ok(())
    }
}
