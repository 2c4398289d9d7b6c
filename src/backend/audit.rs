//! The audit log of a store, written in the transaction of each change. The log keeps events of `audit`; the hook of that module is called
//! elsewhere.

// Layer 3 of 10: storage.

mod query;

pub use query::{AuditEntry, AuditQuery, LoggedAction};

use std::future::Future;
use std::sync::Arc;

use super::BackendError;
use super::forward::forward_to_arc;
use crate::clock::Timestamp;

/// The actor of a change, as an entry has it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Author<'a> {
    pub(super) name: Option<&'a str>,
    /// Whether the change has bounds: see [`AuditEntry::delegated`].
    pub(super) delegated: bool,
}

/// A store that writes an audit entry in the transaction of each change of a key.
///
/// Each key that is created, updated, rotated, disabled, enabled, revoked or deleted has a separate entry, and so has the successor of a
/// rotation. Rejected changes and changes without effect have none.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use tower_api_key::audit::Action;
/// use tower_api_key::backend::{AuditLog, AuditQuery, KeyChange, KeyStore};
/// use tower_api_key::digest::Digester;
/// use tower_api_key::record::Revocation;
/// use tower_api_key::{KeyId, MemoryStore, Owner, Record, Timestamp};
///
/// let store = MemoryStore::new();
/// let id = KeyId::new("key_1")?;
/// let digest = Digester::sha256().digest(b"text");
/// let record = Record::imported(id.clone(), digest, Owner::organization("acme"));
/// store.change(KeyChange::insert(record)).await?;
/// let revocation = Revocation::new(Timestamp::from_unix_millis(1), "lost").by("admin-7");
/// store.change(KeyChange::revoke(&id, revocation)).await?;
///
/// let entries = store.audit_log(&AuditQuery::all().of_key(id).limit(10)).await?;
/// let actions: Vec<_> = entries.iter().map(|entry| &entry.event.action).collect();
/// assert_eq!(actions, [&Action::Revoked, &Action::Created]);
/// assert_eq!(entries[0].event.by.as_deref(), Some("admin-7"));
/// assert_eq!(entries[0].owner, Some(Owner::organization("acme")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait AuditLog: Send + Sync + 'static {
    /// Returns the entries that match a query, ordered by time, then number. Entries of deleted keys are included.
    ///
    /// In PostgreSQL, transactions take times and numbers before they commit. So an entry may appear before one that was returned
    /// earlier: a reader that follows the log reads the last few minutes again.
    ///
    /// # Errors
    ///
    /// If the store is unavailable, or an entry cannot be decoded.
    fn audit_log(
        &self,
        query: &AuditQuery,
    ) -> impl Future<Output = Result<Vec<AuditEntry>, BackendError>> + Send;

    /// Deletes all entries that were written before this time, and returns their number. Nothing else deletes entries, except that a store
    /// in memory keeps the newest only.
    ///
    /// Entries are deleted in batches, so that changes of keys do not wait: if it fails, or is dropped, some of them may be
    /// deleted.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn purge_before(&self, end: Timestamp) -> impl Future<Output = Result<u64, BackendError>> + Send;
}

forward_to_arc! { AuditLog:
    fn audit_log(query: &AuditQuery) -> impl Future<Output = Result<Vec<AuditEntry>, BackendError>> + Send;
    fn purge_before(end: Timestamp) -> impl Future<Output = Result<u64, BackendError>> + Send;
}
