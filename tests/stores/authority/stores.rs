//! The stores that the tests run on.

use tempfile::TempDir;
use tower_api_key::backend::{AuditLog, KeyStore, OwnerStore, UsageStore};
use tower_api_key::{MemoryStore, PostgresStore, SqliteStore};

use support::postgres::Database;

/// A store that keeps keys, their owners, their usage and an audit log.
pub(crate) trait Store: KeyStore + OwnerStore + UsageStore + AuditLog + Clone {}

impl<S: KeyStore + OwnerStore + UsageStore + AuditLog + Clone> Store for S {}

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
