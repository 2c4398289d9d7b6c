//! URLs and files that `open` accepts and rejects.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tokio::task::JoinSet;
use tower_api_key::SqliteStore;
use tower_api_key::backend::BackendErrorKind::{Invalid, Unavailable};
use tower_api_key::backend::{BackendErrorKind, KeyChange, KeyStore};

use super::{application, bytes_in, is_sound, number, says, url};
use crate::store::samples;

#[tokio::test]
async fn a_missing_file_is_created_and_an_existing_one_opened() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys with spaces and ümlauts.db");
    let record = samples::full("key");

    let store = SqliteStore::open(&url(&file)).await.unwrap();
    assert!(file.is_file());
    store.change(KeyChange::insert(record.clone())).await.unwrap();
    store.close().await;

    let store = SqliteStore::open(&url(&file)).await.unwrap();
    assert_eq!(store.get(&record.id).await.unwrap(), Some(record));
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_that_a_link_leads_to_is_created_for_its_owner_only() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("real")).unwrap();
    symlink("real/second.db", path("first.db")).unwrap();
    symlink("../real/new.db", path("real/second.db")).unwrap();
    let store = SqliteStore::open(&url(&path("first.db"))).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    store.close().await;
    let metadata = fs::symlink_metadata(path("real/new.db")).unwrap();
    assert!(metadata.is_file());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);

    let store = SqliteStore::open(&url(&path("real/new.db"))).await.unwrap();
    assert!(store.get(&samples::id("key")).await.unwrap().is_some());
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_that_leads_to_itself_is_rejected() {
    let folder = TempDir::new().unwrap();
    std::os::unix::fs::symlink("keys.db", folder.path().join("keys.db")).unwrap();
    let error = SqliteStore::open(&url(&folder.path().join("keys.db"))).await.unwrap_err();
    says(&error, Unavailable, "unable to open database file");
}

#[tokio::test]
async fn an_empty_file_becomes_a_database() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.db");
    fs::write(&file, "").unwrap();
    let store = SqliteStore::open(&url(&file)).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_that_open_a_new_file_at_once_all_succeed() {
    // Often, as the order is a matter of chance.
    for _ in 0..30 {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("keys.db");
        let opening = |task: usize| {
            let url = url(&file);
            async move {
                let store = SqliteStore::open(&url).await?;
                store.change(KeyChange::insert(samples::plain(&format!("key_{task}")))).await?;
                Ok::<_, tower_api_key::backend::BackendError>(store)
            }
        };
        let tasks: JoinSet<_> = (0..8).map(opening).collect();
        for (index, store) in tasks.join_all().await.into_iter().enumerate() {
            let store = store.unwrap();
            assert!(store.get(&samples::id(&format!("key_{index}"))).await.unwrap().is_some());
        }
        let pool = application(&file).await;
        assert_eq!(number(&pool, "SELECT count(*) FROM tower_api_key").await, 8);
        assert_eq!(number(&pool, "SELECT max(version) - count(*) FROM tower_api_key_migration").await, 0);
        is_sound(&pool).await;
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_rejected_and_left_alone() {
    let long = "not a database, and long enough for a header. ".repeat(300);
    let texts = [
        ("not a database", "not a database"),
        (&long, "not a database"),
        // The magic string alone makes no database.
        ("SQLite format 3\0\u{10}\0\u{1}\u{1}\0@  ", "malformed"),
    ];
    for (text, found) in texts {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("notes.txt");
        fs::write(&file, text).unwrap();
        is_rejected(&url(&file), Unavailable, found, folder.path()).await;
    }
}

#[tokio::test]
async fn a_folder_is_rejected() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("inner")).unwrap();
    let error = SqliteStore::open(&url(&folder.path().join("inner"))).await.unwrap_err();
    says(&error, Unavailable, "unable to open database file");
    assert_eq!(fs::read_dir(folder.path().join("inner")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_in_a_folder_that_does_not_exist_is_rejected() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("missing").join("keys.db");
    is_rejected(&url(&file), Unavailable, "No such file or directory", folder.path()).await;
}

/// No user may create files in `/proc`, not even the superuser, who ignores permissions.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_in_a_folder_that_cannot_be_written_is_rejected() {
    let error = SqliteStore::open("sqlite:/proc/keys.db").await.unwrap_err();
    says(&error, Unavailable, "No such file or directory");
}

#[tokio::test]
async fn a_url_with_an_unknown_option_is_invalid() {
    let folder = TempDir::new().unwrap();
    let url = url(&folder.path().join("keys.db"));
    is_rejected(&format!("{url}?mode=sideways"), Invalid, "mode", folder.path()).await;
    is_rejected(&format!("{url}?color=blue"), Invalid, "color", folder.path()).await;
    is_rejected(&format!("{url}%ff"), Invalid, "utf-8", folder.path()).await;
}

/// Such a database is deleted with the last connection to it.
#[tokio::test]
async fn a_url_that_names_no_file_is_invalid() {
    let folder = TempDir::new().unwrap();
    for url in [
        "sqlite:",
        "sqlite://",
        "sqlite::memory:",
        "sqlite:keys.db?mode=memory",
        "sqlite:file::memory:",
        "sqlite:keys.db?mode=%6Demory",
    ] {
        is_rejected(url, Invalid, "URL", folder.path()).await;
    }
}

#[tokio::test]
async fn the_url_of_another_database_is_invalid() {
    let folder = TempDir::new().unwrap();
    for url in ["postgres://localhost/keys", "https://example.com/keys.db", "mysql://localhost/keys"] {
        is_rejected(url, Invalid, "URL", folder.path()).await;
    }
}

/// Checks that `url` is rejected, and that nothing in `folder` has changed.
async fn is_rejected(url: &str, kind: BackendErrorKind, found: &str, folder: &Path) {
    let before = bytes_in(folder);
    let error = SqliteStore::open(url).await.unwrap_err();
    says(&error, kind, found);
    assert!(bytes_in(folder) == before, "`{url}` changed a file");
}
