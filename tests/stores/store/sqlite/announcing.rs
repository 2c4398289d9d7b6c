//! Which authenticators receive a change to a file, and when.

use std::os::unix::fs::symlink;

use tempfile::TempDir;
use tower_api_key::SqliteStore;
use tower_api_key::backend::BackendErrorKind::Unavailable;
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::reject::Reason;

use super::{application, number, run, url};
use crate::store::caller::Caller;
use crate::store::samples;

#[tokio::test]
async fn stores_on_the_same_file_are_one_store_to_their_authenticators() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.db");
    let link = folder.path().join("link.db");
    let store = SqliteStore::open(&url(&file)).await.unwrap();
    symlink(&file, &link).unwrap();
    let pool = application(&file).await;
    let others = [
        SqliteStore::open(&url(&file)).await.unwrap(),
        SqliteStore::open(&url(&link)).await.unwrap(),
        SqliteStore::with_pool(pool.clone()).await.unwrap(),
        SqliteStore::with_pool(pool).await.unwrap(),
    ];
    let caller = Caller::of(&store);
    for (index, other) in others.iter().enumerate() {
        let name = format!("key_{index}");
        store.change(KeyChange::insert(samples::plain(&name))).await.unwrap();
        caller.warm(&name).await.unwrap();
        other.change(samples::revoke(&name, 1, "elsewhere")).await.unwrap();
        assert_eq!(caller.present(&name).await, Err(Reason::Revoked), "{index}");
    }
}

#[tokio::test]
async fn stores_on_different_files_do_not_disturb_each_other() {
    let folder = TempDir::new().unwrap();
    let open = async |name: &str| SqliteStore::open(&url(&folder.path().join(name))).await.unwrap();
    let (one, two) = (open("one.db").await, open("two.db").await);
    for store in [&one, &two] {
        store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    }
    let caller = Caller::of(&one);
    caller.warm("key").await.unwrap();
    two.change(samples::revoke("key", 1, "elsewhere")).await.unwrap();
    assert!(caller.warm("key").await.is_ok());
}

#[tokio::test]
async fn a_commit_whose_outcome_is_an_error_is_treated_as_if_it_had_been_made() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.db");
    let store = SqliteStore::open(&url(&file)).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let caller = Caller::of(&store);
    caller.warm("key").await.unwrap();

    // Only the commit detects the row of the trigger.
    let pool = application(&file).await;
    run(
        &pool,
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);
         CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
         CREATE TRIGGER spoil AFTER INSERT ON tower_api_key_change BEGIN INSERT INTO child VALUES (1); END",
    )
    .await;
    let reads = caller.reads();
    let error = store.change(samples::revoke("key", 1, "lost")).await.unwrap_err();
    assert_eq!(error.kind(), Unavailable, "{error}");
    assert!(caller.present("key").await.is_ok());
    assert_eq!(caller.reads(), reads + 1, "whether the key was revoked is asked of the store");

    run(&pool, "DROP TRIGGER spoil").await;
    store.change(samples::revoke("key", 1, "lost")).await.unwrap();
    assert_eq!(caller.present("key").await, Err(Reason::Revoked));
}

#[tokio::test]
async fn a_second_revocation_writes_no_change() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.db");
    let store = SqliteStore::open(&url(&file)).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    for _ in 0..3 {
        store.change(samples::revoke("key", 1, "lost")).await.unwrap();
    }
    assert_eq!(number(&application(&file).await, "SELECT count(*) FROM tower_api_key_change").await, 2);
}
