//! The stores that the tests run on.

use tempfile::TempDir;
use tower_api_key::backend::{AuditEntry, AuditLog, KeyStore, OwnerStore, UsageStore};
use tower_api_key::{MemoryStore, PostgresStore, SqliteStore};

use support::postgres::Database;

/// A store that keeps keys, their owners and their usage.
pub(crate) trait Store: KeyStore + OwnerStore + UsageStore + Clone {
    /// Whether the store keeps an audit log.
    const IS_AUDITED: bool;

    /// Returns the audit log, which is empty if the store keeps none.
    fn entries(&self) -> impl Future<Output = Vec<AuditEntry>> + Send;
}

impl Store for MemoryStore {
    const IS_AUDITED: bool = false;

    async fn entries(&self) -> Vec<AuditEntry> {
        Vec::new()
    }
}

impl Store for SqliteStore {
    const IS_AUDITED: bool = true;

    async fn entries(&self) -> Vec<AuditEntry> {
        self.audit_log(None, None, usize::MAX).await.unwrap()
    }
}

impl Store for PostgresStore {
    const IS_AUDITED: bool = true;

    async fn entries(&self) -> Vec<AuditEntry> {
        self.audit_log(None, None, usize::MAX).await.unwrap()
    }
}

/// A store that needs no server can always be tested.
pub(crate) fn never() -> bool {
    false
}

pub(crate) async fn memory() -> (MemoryStore, ()) {
    (MemoryStore::new(), ())
}

pub(crate) async fn sqlite() -> (SqliteStore, TempDir) {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite:{}", folder.path().join("keys.db").display());
    (SqliteStore::open(&url).await.unwrap(), folder)
}

pub(crate) async fn postgres() -> (PostgresStore, Database) {
    let database = Database::create().await;
    (PostgresStore::open(&database.url()).await.unwrap(), database)
}
