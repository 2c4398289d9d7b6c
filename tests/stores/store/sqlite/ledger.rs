//! Schemas that this crate did not create, which are rejected before anything is changed.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use tower_api_key::SqliteStore;
use tower_api_key::backend::BackendErrorKind::Corrupt;
use tower_api_key::backend::{KeyChange, KeyStore};

use super::{application, run, says, url};
use crate::store::samples;

#[tokio::test]
async fn the_schema_of_an_unreleased_version_is_rejected() {
    let former = "UPDATE tower_api_key_migration SET name = 'keys', checksum = zeroblob(32);
        INSERT INTO tower_api_key_migration (version, name, checksum) VALUES
            (2, 'life', zeroblob(32)), (3, 'owners', zeroblob(32)), (4, 'audit', zeroblob(32)), (5, 'usage', zeroblob(32)),
            (6, 'retrievable', zeroblob(32)), (7, 'lists', zeroblob(32)), (8, 'actors', zeroblob(32))";
    is_rejected(a_store_after(former).await, "create a new one").await;
}

#[tokio::test]
async fn the_schema_of_a_newer_version_is_rejected() {
    let newer = "INSERT INTO tower_api_key_migration (version, name, checksum) VALUES (99, 'later', x'00')";
    is_rejected(a_store_after(newer).await, "version 99").await;
}

#[tokio::test]
async fn a_step_with_another_checksum_is_rejected() {
    let other = "UPDATE tower_api_key_migration SET checksum = zeroblob(32)";
    is_rejected(a_store_after(other).await, "create a new one").await;
}

#[tokio::test]
async fn a_checksum_of_another_type_is_rejected() {
    let cut = "UPDATE tower_api_key_migration SET checksum = substr(checksum, 1, 31)";
    is_rejected(a_store_after(cut).await, "version 1").await;
}

#[tokio::test]
async fn a_ledger_that_has_lost_its_rows_is_rejected() {
    is_rejected(a_store_after("DELETE FROM tower_api_key_migration").await, "tower_api_key").await;
}

#[tokio::test]
async fn a_table_of_the_application_with_the_name_of_ours_is_rejected() {
    let tables = [
        "CREATE TABLE tower_api_key (id INTEGER PRIMARY KEY, height REAL); INSERT INTO tower_api_key VALUES (1, 828.0)",
        "CREATE TABLE tower_api_key_change (id INTEGER PRIMARY KEY)",
        "CREATE VIEW tower_api_key AS SELECT 1 AS id",
    ];
    for table in tables {
        is_rejected(an_application_with(table).await, "tower_api_key").await;
    }
}

#[tokio::test]
async fn a_table_of_the_application_with_the_name_of_the_ledger_is_rejected() {
    let table = "CREATE TABLE tower_api_key_migration (id INTEGER PRIMARY KEY, note TEXT)";
    is_rejected(an_application_with(table).await, "version").await;
}

#[tokio::test]
async fn a_file_that_open_rejects_stays_as_it_was() {
    let rejected = [
        a_store_after("UPDATE tower_api_key_migration SET checksum = zeroblob(32)").await,
        an_application_with("CREATE TABLE tower_api_key (id INTEGER PRIMARY KEY, height REAL)").await,
    ];
    for (file, _folder) in rejected {
        let before = fs::read(&file).unwrap();
        SqliteStore::open(&url(&file)).await.unwrap_err();
        assert!(fs::read(&file).unwrap() == before, "{}", file.display());
    }
}

/// A file with a folder of its own.
type File = (PathBuf, TempDir);

/// A store that was closed, and then changed by another program.
async fn a_store_after(change: &'static str) -> File {
    let (store, folder) = super::open().await;
    store.change(KeyChange::insert(samples::full("key"))).await.unwrap();
    store.close().await;
    let file = folder.path().join("keys.db");
    let pool = application(&file).await;
    run(&pool, change).await;
    pool.close().await;
    (file, folder)
}

async fn an_application_with(table: &'static str) -> File {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("app.db");
    let pool = application(&file).await;
    run(&pool, table).await;
    pool.close().await;
    (file, folder)
}

async fn is_rejected((file, _folder): File, found: &str) {
    let before = fs::read(&file).unwrap();

    let pool = application(&file).await;
    says(&SqliteStore::with_pool(pool.clone()).await.unwrap_err(), Corrupt, found);
    pool.close().await;
    assert!(fs::read(&file).unwrap() == before, "`with_pool` changed what it rejected");

    says(&SqliteStore::open(&url(&file)).await.unwrap_err(), Corrupt, found);
}
