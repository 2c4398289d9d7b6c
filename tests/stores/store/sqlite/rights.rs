//! The mode of new files, and the rights that a process needs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;
use tower_api_key::SqliteStore;
use tower_api_key::backend::BackendErrorKind::{Invalid, Unavailable};
use tower_api_key::backend::{KeyChange, KeyStore};

use super::other_user::{open_without_rights, set_mode};
use super::url;
use crate::store::samples;

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_file_that_is_created_may_be_read_by_its_owner_only() {
    let (store, folder) = super::open().await;
    store.change(KeyChange::insert(samples::full("key"))).await.unwrap();
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn the_mode_of_a_file_that_exists_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.db");
    fs::write(&file, "").unwrap();
    set_mode(&file, 0o640);
    let store = SqliteStore::open(&url(&file)).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    for name in ["keys.db", "keys.db-wal", "keys.db-shm"] {
        assert_eq!(mode(&folder.path().join(name)), 0o640, "{name}");
    }
}

#[tokio::test]
async fn a_url_of_a_database_that_may_only_be_read_is_invalid() {
    let (store, folder) = super::open().await;
    store.close().await;
    for setting in ["mode=ro", "immutable=true", "cache=private&immutable=1"] {
        let url = url(&folder.path().join("keys.db")) + "?" + setting;
        let error = SqliteStore::open(&url).await.unwrap_err();
        assert_eq!(error.kind(), Invalid, "{setting}: {error}");
        assert!(error.to_string().contains("read-only"), "{error}");
    }
}

#[tokio::test]
async fn a_pool_of_connections_that_may_only_read_is_rejected() {
    let (store, folder) = super::open().await;
    store.close().await;
    let file = folder.path().join("keys.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).read_only(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let error = SqliteStore::with_pool(pool).await.unwrap_err();
    assert_eq!(error.kind(), Unavailable, "{error}");
    let message = error.to_string();
    assert!(message.contains(file.to_str().unwrap()) && message.contains("readonly"), "{message}");
}

#[tokio::test]
async fn a_file_that_the_process_may_not_write_is_rejected() {
    let (store, folder) = super::open().await;
    store.close().await;
    let file = folder.path().join("keys.db");
    set_mode(&file, 0o444);
    set_mode(folder.path(), 0o777);
    is_rejected(&file, "must be able to write the file");
}

#[tokio::test]
async fn a_file_in_a_folder_that_the_process_may_not_write_is_rejected() {
    let (store, folder) = super::open().await;
    store.close().await;
    let file = folder.path().join("keys.db");
    set_mode(&file, 0o666);
    set_mode(folder.path(), 0o555);
    is_rejected(&file, "must be able to write the folder of the file");
    is_rejected(&folder.path().join("new.db"), "Permission denied");
    set_mode(folder.path(), 0o700);
}

/// Checks that a process without superuser rights cannot open a file, and that the error names the file and the cause.
fn is_rejected(file: &Path, cause: &str) {
    let outcome = open_without_rights(file);
    assert!(outcome.starts_with("Unavailable: "), "{outcome}");
    assert!(outcome.contains(file.to_str().unwrap()) && outcome.contains(cause), "{outcome}");
}
