//! The audit log of a store: what was done to keys, written in the transaction of each change.

use std::future::Future;

use super::BackendError;
use crate::audit::AuditEvent;
use crate::clock::Timestamp;
use crate::key::KeyId;

/// An entry of an audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEntry {
    /// The number of the entry. Later ones have higher numbers; some numbers are left out.
    pub seq: u64,
    /// What was done to which key, at the time of the database, and by whom.
    pub event: AuditEvent,
}

impl AuditEntry {
    /// Creates an entry.
    pub fn new(seq: u64, event: AuditEvent) -> Self {
        Self { seq, event }
    }
}

/// A store that writes down each change of a key in the transaction of that change: both are there, or neither is.
///
/// Each key that is created, updated, rotated, revoked or deleted has an entry of its own, and so has the successor of a
/// rotation. Refusals and changes that change nothing have none.
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use tower_api_key::audit::Action;
/// use tower_api_key::backend::{AuditLog, KeyStore};
/// use tower_api_key::{Digester, KeyId, Owner, Record, Revocation, SqliteStore, Timestamp};
///
/// # let folder = tempfile::tempdir()?;
/// # let url = format!("sqlite:{}/keys.db", folder.path().display());
/// let store = SqliteStore::open(&url).await?;
/// let id = KeyId::new("key_1")?;
/// let digest = Digester::sha256().digest(b"text");
/// store.insert(Record::imported(id.clone(), digest, Owner::organization("acme"))).await?;
/// store.revoke(&id, Revocation::new(Timestamp::from_unix_millis(1), "lost").by("admin-7")).await?;
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
    /// Returns the first `limit` entries in the order of their numbers, from behind `after` on: those of one key, or all.
    ///
    /// In PostgreSQL, transactions take their numbers before they commit. An entry may so turn up in front of one that was
    /// there a moment ago, and whoever follows the log to its end reads again what is a few minutes old.
    ///
    /// # Errors
    ///
    /// When the store could not be asked, or an entry cannot be understood.
    fn audit_log(
        &self,
        key: Option<&KeyId>,
        after: Option<u64>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<AuditEntry>, BackendError>> + Send;

    /// Deletes all entries that were written before this time, and returns how many these were. Nothing else ever deletes
    /// one.
    ///
    /// Many are deleted some at a time, so that changes of keys do not wait for them: if it fails, or whoever asked goes away,
    /// some may be deleted and others not.
    ///
    /// # Errors
    ///
    /// When the store could not be asked.
    fn purge_before(&self, end: Timestamp) -> impl Future<Output = Result<u64, BackendError>> + Send;
}
