//! Revocations of more keys than are logged one by one.

use tempfile::TempDir;
use tower_api_key::SqliteStore;
use tower_api_key::backend::{AuditLog, AuditQuery, Backend, Invalidation, KeyChange, KeyFilter, KeyStore};

use super::{application, number, url};
use crate::store::samples;

#[tokio::test]
async fn a_revocation_of_more_than_a_thousand_keys_is_logged_as_one_change_with_an_entry_for_each_key() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.db");
    let store = SqliteStore::open(&url(&file)).await.unwrap();
    for number in 0..1_001 {
        store.change(KeyChange::insert(samples::plain(&format!("key_{number}")))).await.unwrap();
    }
    let mut feed = store.feed().unwrap();
    feed.poll().await.unwrap();
    let pool = application(&file).await;
    let rows = "SELECT count(*) FROM tower_api_key_change";
    let before = number(&pool, rows).await;
    let entries = store.audit_log(&AuditQuery::all().oldest_first()).await.unwrap().len();

    let revoked = store
        .change(KeyChange::revoke_all(&KeyFilter::all(), samples::revocation(1, "all")))
        .await
        .unwrap()
        .keys;
    assert_eq!(revoked, 1_001);
    assert_eq!(number(&pool, rows).await, before + 1);
    assert_eq!(feed.poll().await.unwrap(), [Invalidation::Everything]);
    assert_eq!(store.audit_log(&AuditQuery::all().oldest_first()).await.unwrap().len(), entries + 1_001);
}
