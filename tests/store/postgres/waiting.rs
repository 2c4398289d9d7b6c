//! A database in which many keys are changed.

use super::{is_absent, open};
use crate::waiting::changes_beyond_the_queue_are_refused_at_once;

#[tokio::test]
async fn while_many_keys_are_changed_changes_beyond_the_queue_are_refused_at_once() {
    if is_absent() {
        return;
    }
    let (store, database) = open().await;
    let pool = database.pool().await;
    let mut lock = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE tower_api_key IN EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    changes_beyond_the_queue_are_refused_at_once(store, async || lock.rollback().await.unwrap()).await;
}
