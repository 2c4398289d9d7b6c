//! Writing usage never blocks changes of keys.

use std::time::Duration;

use tokio::time::timeout;
use tower_api_key::backend::{KeyChange, KeyStore, UsageBatch, UsageCount, UsageStore};
use tower_api_key::{Environment, Owner, Timestamp};

use super::is_absent;
use crate::store::samples;

const AT: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);

fn batch(number: u64) -> UsageBatch {
    let count =
        |name| UsageCount::new(samples::id(name), Environment::Live, Owner::organization("acme"), 1, AT);
    UsageBatch::new("w", number, ["changing", "idle"].map(count))
}

#[tokio::test]
async fn a_key_that_is_being_changed_is_skipped_until_its_next_use() {
    if is_absent() {
        return;
    }
    let (store, database) = super::open().await;
    for name in ["changing", "idle"] {
        store.change(KeyChange::insert(samples::plain(name))).await.unwrap();
    }
    let last = async |name| store.get(&samples::id(name)).await.unwrap().unwrap().last_used_at;

    let pool = database.pool().await;
    let mut change = pool.begin().await.unwrap();
    sqlx::query("SELECT id FROM tower_api_key WHERE id = 'changing' FOR UPDATE")
        .execute(&mut *change)
        .await
        .unwrap();
    let added = timeout(Duration::from_secs(10), store.add_usage(&batch(1))).await;
    added.expect("it does not wait for the change").unwrap();
    assert_eq!((last("changing").await, last("idle").await), (None, Some(AT)));

    change.rollback().await.unwrap();
    store.add_usage(&batch(2)).await.unwrap();
    assert_eq!(last("changing").await, Some(AT));
}
