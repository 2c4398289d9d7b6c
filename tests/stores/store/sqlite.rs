//! The store in an SQLite file.

mod announcing;
mod following;
mod full_disk;
pub(crate) mod killed;
mod killed_metering;
mod ledger;
mod many;
mod metering;
mod opening;
mod other_user;
mod replaced;
mod rights;
mod sharing;
mod tampering;
mod waiting;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tempfile::TempDir;
use tower_api_key::SqliteStore;
use tower_api_key::backend::{BackendError, BackendErrorKind};

mod contract {
    tower_api_key_contract::key_store!(super::open);
    tower_api_key_contract::further_digests!(super::open);
    tower_api_key_contract::further_digests_of_owners!(super::open);
    tower_api_key_contract::owner_store!(super::open);
    tower_api_key_contract::plan_store!(super::open);
    tower_api_key_contract::plans_of_owners!(super::open);
    tower_api_key_contract::usage_store!(super::open);
    tower_api_key_contract::usage_of_owners!(super::open);
}

mod audit_log {
    tower_api_key_contract::audit_log!(super::open);
    tower_api_key_contract::audit_log_of_owners!(super::open);
}

/// Where the application has turned foreign keys off.
mod without_foreign_keys {
    tower_api_key_contract::plan_store!(super::open_without_foreign_keys);
    tower_api_key_contract::plans_of_owners!(super::open_without_foreign_keys);
}

async fn open_without_foreign_keys() -> (SqliteStore, TempDir) {
    let folder = TempDir::new().unwrap();
    let options = SqliteConnectOptions::new().filename(folder.path().join("app.db"));
    let options = options.create_if_missing(true).foreign_keys(false);
    let store = SqliteStore::with_pool(SqlitePool::connect_with(options).await.unwrap()).await.unwrap();
    (store, folder)
}

async fn open() -> (SqliteStore, TempDir) {
    let folder = TempDir::new().unwrap();
    let store = SqliteStore::open(&url(&folder.path().join("keys.db"))).await.unwrap();
    (store, folder)
}

fn url(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

/// The single connection of an application to a file that may be new.
async fn application(file: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap()
}

/// Runs SQL that the application would run.
async fn run(pool: &SqlitePool, sql: &'static str) {
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
}

async fn number(pool: &SqlitePool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

async fn is_sound(pool: &SqlitePool) {
    let verdict: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(pool).await.unwrap();
    assert_eq!(verdict, "ok");
}

/// Every file in a folder with its bytes.
fn bytes_in(folder: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap())).collect()
}

/// Checks the kind of an error, and that its message reads "cannot X: cause".
fn says(error: &BackendError, kind: BackendErrorKind, found: &str) {
    let message = error.to_string();
    assert_eq!(error.kind(), kind, "{message}");
    assert!(message.starts_with("cannot "), "{message}");
    assert!(message.contains(found), "`{found}` in: {message}");
}
