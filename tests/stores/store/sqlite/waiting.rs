//! A file that another process locks for writing.

use tempfile::TempDir;
use tower_api_key::SqliteStore;

use super::{application, url};
use crate::store::waiting::changes_beyond_the_queue_are_rejected_at_once;

#[tokio::test]
async fn while_another_process_writes_changes_beyond_the_queue_are_rejected_at_once() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.db");
    let store = SqliteStore::open(&url(&file)).await.unwrap();
    let pool = application(&file).await;
    let lock = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    changes_beyond_the_queue_are_rejected_at_once(store, async || lock.rollback().await.unwrap()).await;
}
