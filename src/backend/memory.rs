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
    keys: Arc<RwLock<Keys>>,
    changes: Changes,
}

#[derive(Debug, Default)]
struct Keys {
    records: HashMap<Digest, Record>,
    digests: HashMap<KeyId, Digest>,
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

    fn revoke(&mut self, id: &KeyId, revocation: Revocation) -> Result<Change, BackendError> {
        let record = self.digests.get(id).and_then(|digest| self.records.get_mut(digest));
        let record = record.ok_or_else(BackendError::not_found)?;
        record.revoked.get_or_insert(revocation);
        Ok(Change::Revoked(record.digest))
    }
}

impl Backend for MemoryStore {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        Ok(self.read().records.get(digest).cloned())
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.changes.subscribe(subscriber);
    }
}

impl KeyStore for MemoryStore {
    async fn insert(&self, record: Record) -> Result<(), BackendError> {
        let change = self.write().add(record)?;
        self.changes.announce(change);
        Ok(())
    }

    async fn get(&self, id: &KeyId) -> Result<Option<Record>, BackendError> {
        Ok(self.read().by_id(id).cloned())
    }

    async fn revoke(&self, id: &KeyId, revocation: Revocation) -> Result<(), BackendError> {
        let change = self.write().revoke(id, revocation)?;
        self.changes.announce(change);
        Ok(())
    }
}
