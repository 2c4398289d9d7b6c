//! A store of keys in a map, written with the public API of `tower-api-key` alone.

mod keys;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tower_api_key::backend::{
    Backend, BackendError, ChangeOutcome, Invalidation, Invalidator, KeyChange, KeyEdit, KeyFilter, KeyStore,
    Subscriber, WriteBack,
};
use tower_api_key::digest::{Digest, Fingerprint};
use tower_api_key::{KeyId, Record, Timestamp};

use keys::Keys;

/// Keys behind a mutex. Clones share them.
#[derive(Clone, Default)]
pub struct MapStore {
    keys: Arc<Mutex<Keys>>,
    invalidator: Invalidator,
}

impl MapStore {
    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change, and invalidates the keys that it wrote. Neither awaits, so no caller drops the change half-way.
    fn write<T>(
        &self,
        change: impl FnOnce(&mut Keys) -> Result<(T, Vec<Invalidation>), BackendError>,
    ) -> Result<T, BackendError> {
        let (outcome, invalidations) = change(&mut self.keys())?;
        invalidations.into_iter().for_each(|each| self.invalidator.invalidate(each));
        Ok(outcome)
    }
}

impl Backend for MapStore {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        Ok(self.keys().find(digest))
    }

    async fn fingerprints(&self) -> Result<Option<Vec<Fingerprint>>, BackendError> {
        Ok(Some(self.keys().fingerprints().cloned().collect()))
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.invalidator.subscribe(subscriber);
    }

    async fn write_back(&self, write: WriteBack) -> Result<(), BackendError> {
        match write {
            WriteBack::FirstUse { id, at } => {
                self.write(|keys| keys.edit(&id, KeyEdit::FirstUse(at), None)).map(drop)
            }
            WriteBack::Digest { id, digest, digester, at } => {
                self.write(|keys| keys.add_digest(id, digest, digester, at))
            }
            _ => Ok(()),
        }
    }
}

impl KeyStore for MapStore {
    async fn change(&self, change: KeyChange) -> Result<ChangeOutcome, BackendError> {
        self.write(|keys| keys.change(change))
    }

    async fn get(&self, id: &KeyId) -> Result<Option<Record>, BackendError> {
        Ok(self.keys().get(id).cloned())
    }

    async fn list(
        &self,
        filter: &KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Record>, BackendError> {
        let keys = self.keys();
        let behind = keys.records().filter(|record| after.is_none_or(|after| record.id > *after));
        Ok(behind.filter(|record| filter.matches(record)).take(limit).cloned().collect())
    }

    async fn keys_without(&self, digester: &Fingerprint, now: Timestamp) -> Result<u64, BackendError> {
        Ok(self.keys().count_without(digester, now))
    }
}
