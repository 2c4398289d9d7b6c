//! The audit log of a store, written in the transaction of each change. It keeps events of `audit`, and does not call that module's hook.

use std::future::Future;

use super::BackendError;
use crate::audit::AuditEvent;
use crate::clock::Timestamp;
use crate::key::KeyId;

/// An entry of an audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEntry {
    /// The number of the entry. Numbers increase, with gaps.
    pub seq: u64,
    /// The action, its key, the time of the database, and the actor.
    pub event: AuditEvent,
}

impl AuditEntry {
    /// Creates an entry.
    pub fn new(seq: u64, event: AuditEvent) -> Self {
        Self { seq, event }
    }
}

/// A store that writes an audit entry in the transaction of each change of a key.
///
/// Each key that is created, updated, rotated, disabled, enabled, revoked or deleted has a separate entry, and so has the successor of a
/// rotation. Rejected changes and changes without effect have none.
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use tower_api_key::audit::Action;
/// use tower_api_key::backend::{AuditLog, KeyChange, KeyStore};
/// use tower_api_key::digest::Digester;
/// use tower_api_key::record::Revocation;
/// use tower_api_key::{KeyId, Owner, Record, SqliteStore, Timestamp};
///
/// # let folder = tempfile::tempdir()?;
/// # let url = format!("sqlite:{}/keys.db", folder.path().display());
/// let store = SqliteStore::open(&url).await?;
/// let id = KeyId::new("key_1")?;
/// let digest = Digester::sha256().digest(b"text");
/// let record = Record::imported(id.clone(), digest, Owner::organization("acme"));
/// store.change(KeyChange::insert(record)).await?;
/// let revocation = Revocation::new(Timestamp::from_unix_millis(1), "lost").by("admin-7");
/// store.change(KeyChange::revoke(&id, revocation)).await?;
///
/// let entries = store.audit_log(Some(&id), None, 10).await?;
/// let actions: Vec<_> = entries.iter().map(|entry| &entry.event.action).collect();
/// assert_eq!(actions, [&Action::Created, &Action::Revoked]);
/// assert_eq!(entries[1].event.by.as_deref(), Some("admin-7"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait AuditLog: Send + Sync + 'static {
    /// Returns the first `limit` entries after `after`, in the order of their numbers: those of one key, or all.
    ///
    /// In PostgreSQL, transactions take their numbers before they commit. So an entry may appear before one that was returned
    /// earlier: a reader that follows the log reads the last few minutes again.
    ///
    /// # Errors
    ///
    /// If the store is unavailable, or an entry cannot be decoded.
    fn audit_log(
        &self,
        key: Option<&KeyId>,
        after: Option<u64>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<AuditEntry>, BackendError>> + Send;

    /// Deletes all entries that were written before this time, and returns their number. Nothing else deletes entries.
    ///
    /// Entries are deleted in batches, so that changes of keys do not wait: if it fails, or is dropped, some of them may be
    /// deleted.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn purge_before(&self, end: Timestamp) -> impl Future<Output = Result<u64, BackendError>> + Send;
}
