//! A full disk: new keys are rejected, and existing ones stay.

use sqlx::SqlitePool;
use tempfile::TempDir;
use tower_api_key::backend::BackendErrorKind::Unavailable;
use tower_api_key::backend::{Backend, KeyChange, KeyStore};
use tower_api_key::{Record, SqliteStore};

use super::{application, is_sound, number, run, says};
use crate::store::caller::Caller;
use crate::store::samples;

/// Sizes of keys for which different statements of the transaction hit the end of the disk.
const SIZES: [usize; 5] = [0, 100, 1_000, 10_000, 100_000];

#[tokio::test]
async fn a_key_that_does_not_fit_leaves_no_trace() {
    for size in SIZES {
        let folder = TempDir::new().unwrap();
        let pool = application(&folder.path().join("keys.db")).await;
        let store = SqliteStore::with_pool(pool.clone()).await.unwrap();
        let caller = Caller::of(&store);
        store.change(KeyChange::insert(samples::plain("key_first"))).await.unwrap();
        caller.warm("key_first").await.unwrap();

        allow_pages(&pool, 2).await;
        let (kept, rejected) = fill(&store, size).await;
        assert_eq!(store.get(&rejected.id).await.unwrap(), None);
        assert_eq!(store.find(&rejected.digest).await.unwrap(), None);
        for record in &kept {
            assert_eq!(store.find(&record.digest).await.unwrap().as_ref(), Some(record));
        }
        let keys = number(&pool, "SELECT count(*) FROM tower_api_key").await;
        assert_eq!(keys, kept.len() as i64 + 1);
        assert_eq!(number(&pool, "SELECT count(*) FROM tower_api_key_change").await, keys);
        is_sound(&pool).await;
        assert!(caller.present("key_first").await.is_ok());
    }
}

#[tokio::test]
async fn keys_are_taken_again_once_there_is_room() {
    for size in SIZES {
        let folder = TempDir::new().unwrap();
        let pool = application(&folder.path().join("keys.db")).await;
        let store = SqliteStore::with_pool(pool.clone()).await.unwrap();
        store.change(KeyChange::insert(samples::plain("key_first"))).await.unwrap();
        allow_pages(&pool, 2).await;
        let (_, rejected) = fill(&store, size).await;

        run(&pool, "PRAGMA max_page_count = 1000000").await;
        let again = store.change(KeyChange::insert(rejected.clone())).await;
        assert!(again.is_ok(), "a key of {size} bytes and more: {again:?}");
        assert_eq!(store.get(&rejected.id).await.unwrap(), Some(rejected));
        store.change(samples::revoke("key_first", 1, "lost")).await.unwrap();
    }
}

#[tokio::test]
async fn a_revocation_that_does_not_fit_is_not_acknowledged() {
    let folder = TempDir::new().unwrap();
    let pool = application(&folder.path().join("keys.db")).await;
    let store = SqliteStore::with_pool(pool.clone()).await.unwrap();
    let record = samples::plain("key_first");
    store.change(KeyChange::insert(record.clone())).await.unwrap();
    allow_pages(&pool, 0).await;

    let long = samples::revocation(1, &"a long story. ".repeat(10_000));
    says(&store.change(KeyChange::revoke(&record.id, long.clone())).await.unwrap_err(), Unavailable, "full");
    assert_eq!(store.get(&record.id).await.unwrap(), Some(record.clone()));
    is_sound(&pool).await;

    run(&pool, "PRAGMA max_page_count = 1000000").await;
    store.change(KeyChange::revoke(&record.id, long.clone())).await.unwrap();
    assert_eq!(store.get(&record.id).await.unwrap().unwrap().revoked, Some(long));
}

/// Lets the database grow by this many pages and no further.
async fn allow_pages(pool: &SqlitePool, more: i64) {
    let pages = number(pool, "PRAGMA page_count").await + more;
    let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    sqlx::query(limit).execute(pool).await.unwrap();
}

/// Inserts keys until one is rejected. Returns those that were acknowledged, and the one that was not.
async fn fill(store: &SqliteStore, size: usize) -> (Vec<Record>, Record) {
    let mut kept = Vec::new();
    loop {
        let mut record = samples::full(&format!("key_{}", kept.len()));
        record.name = "x".repeat(size).into();
        match store.change(KeyChange::insert(record.clone())).await {
            Ok(_) => kept.push(record),
            Err(error) => {
                says(&error, Unavailable, "full");
                return (kept, record);
            }
        }
    }
}
