//! A database in which many keys are changed.

use tower_api_key::backend::{KeyChange, KeyStore};

use super::{is_absent, open};
use crate::store::samples;
use crate::store::waiting::changes_beyond_the_queue_are_rejected_at_once;

/// The lock of changes of many keys, for which new keys wait.
const LOCK: &str = "SELECT pg_advisory_xact_lock(8390047731244621933)";

#[tokio::test]
async fn while_many_keys_are_changed_changes_beyond_the_queue_are_rejected_at_once_and_a_revocation_is_made()
{
    if is_absent() {
        return;
    }
    let (store, database) = open().await;
    let pool = database.pool().await;
    store.change(KeyChange::insert(samples::plain("lost"))).await.unwrap();
    let mut lock = pool.begin().await.unwrap();
    sqlx::query(LOCK).execute(&mut *lock).await.unwrap();
    let release = async || {
        store.change(samples::revoke("lost", 1, "lost")).await.unwrap();
        lock.rollback().await.unwrap();
    };
    changes_beyond_the_queue_are_rejected_at_once(store.clone(), release).await;
}
