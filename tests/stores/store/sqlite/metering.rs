//! Rows of the file that writing usage changes beside the counts.

use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use tower_api_key::SqliteStore;
use tower_api_key::backend::{KeyChange, KeyStore, UsageBatch, UsageCount, UsageStore};
use tower_api_key::clock::Day;
use tower_api_key::{Environment, Owner, Timestamp};

use super::{application, number, run};
use crate::store::samples;

async fn add(store: &SqliteStore, writer: &str, number: u64) {
    let (id, owner) = (samples::id("key"), Owner::organization("acme"));
    let count = UsageCount::new(id, Environment::Live, owner, 1, Timestamp::from_unix_millis(0));
    store.add_usage(&UsageBatch::new(writer, number, [count])).await.unwrap();
}

#[tokio::test]
async fn writers_that_have_been_silent_for_a_week_are_forgotten() {
    let folder = TempDir::new().unwrap();
    let pool = application(&folder.path().join("keys.db")).await;
    let store = SqliteStore::with_pool(pool.clone()).await.unwrap();
    add(&store, "gone", 7).await;
    add(&store, "quiet", 7).await;
    run(
        &pool,
        "UPDATE tower_api_key_usage_writer
         SET at = at - 7 * 86400000 + CASE writer WHEN 'gone' THEN -60000 ELSE 60000 END",
    )
    .await;
    add(&store, "busy", 1).await;
    let known = "SELECT count(*) FROM tower_api_key_usage_writer WHERE writer IN ('quiet', 'busy')";
    assert_eq!(number(&pool, known).await, 2);
    assert_eq!(number(&pool, "SELECT count(*) FROM tower_api_key_usage_writer").await, 2);
    // The last batch of the idle writer is still known.
    add(&store, "quiet", 7).await;
    assert_eq!(number(&pool, "SELECT sum(requests) FROM tower_api_key_usage").await, 3);
}

#[tokio::test]
async fn usage_writes_no_row_of_the_change_feed() {
    let folder = TempDir::new().unwrap();
    let pool = application(&folder.path().join("keys.db")).await;
    let store = SqliteStore::with_pool(pool.clone()).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let before = number(&pool, "SELECT count(*) FROM tower_api_key_change").await;
    add(&store, "w", 1).await;
    assert_eq!(number(&pool, "SELECT count(*) FROM tower_api_key_change").await, before);
    assert_eq!(number(&pool, "SELECT count(*) FROM tower_api_key WHERE last_used_at = 0").await, 1);
}

#[tokio::test]
async fn counts_by_route_are_deleted_with_those_of_their_keys_where_foreign_keys_are_off() {
    let folder = TempDir::new().unwrap();
    let options = SqliteConnectOptions::new().filename(folder.path().join("app.db"));
    let options = options.create_if_missing(true).foreign_keys(false);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let store = SqliteStore::with_pool(pool.clone()).await.unwrap();
    let count = |day: Day| {
        let (id, owner) = (samples::id("key"), Owner::organization("acme"));
        let count = UsageCount::new(id, Environment::Live, owner, 2, day.start());
        count.routes([("/notes", 1), ("other", 1)])
    };
    let day = Day::from_unix_days(20_000);
    store.add_usage(&UsageBatch::new("w", 1, [count(day), count(day.plus(1))])).await.unwrap();
    assert_eq!(store.purge_usage_before(day.plus(1)).await.unwrap(), 1);
    assert_eq!(number(&pool, "SELECT count(*) FROM tower_api_key_usage_route WHERE day = 20000").await, 0);
    assert_eq!(number(&pool, "SELECT count(*) FROM tower_api_key_usage_route WHERE day = 20001").await, 2);
}
