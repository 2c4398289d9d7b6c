//! A store among the tables of an application.

use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use tower_api_key::backend::{Backend, KeyChange, KeyStore, WriteBack};
use tower_api_key::digest::Digester;
use tower_api_key::{SqliteStore, Timestamp};

use super::{application, is_sound, number, run, url};
use crate::store::samples;

const APPLICATION: &str = "
    CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
    CREATE INDEX notes_by_text ON notes (text);
    INSERT INTO notes (text) VALUES ('one'), ('two');
    CREATE TABLE _sqlx_migrations (
        version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
        success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL
    );
    INSERT INTO _sqlx_migrations VALUES (1, 'notes', '2026-01-01', TRUE, x'00ff', 7), (2, 'index', '2026-01-02', TRUE, x'01', 8);
    PRAGMA user_version = 42;
    PRAGMA application_id = 7";

#[tokio::test]
async fn the_tables_of_the_application_are_left_alone() {
    let folder = TempDir::new().unwrap();
    let pool = application(&folder.path().join("app.db")).await;
    run(&pool, APPLICATION).await;
    let before = everything_of_the_application(&pool).await;

    let record = samples::full("key");
    for _ in 0..2 {
        // The second time, the store finds its own tables.
        let store = SqliteStore::with_pool(pool.clone()).await.unwrap();
        store.change(KeyChange::insert(record.clone())).await.ok();
        store.change(KeyChange::revoke(&record.id, samples::revocation(1, "lost"))).await.unwrap();
        assert_eq!(store.get(&record.id).await.unwrap().as_ref(), Some(&record));
    }
    assert_eq!(everything_of_the_application(&pool).await, before);
    is_sound(&pool).await;
}

#[tokio::test]
async fn the_application_may_still_migrate_and_write() {
    let folder = TempDir::new().unwrap();
    let pool = application(&folder.path().join("app.db")).await;
    let store = SqliteStore::with_pool(pool.clone()).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    run(&pool, APPLICATION).await;
    run(&pool, "ALTER TABLE notes ADD COLUMN key_id TEXT REFERENCES tower_api_key (id)").await;
    run(&pool, "INSERT INTO notes (text, key_id) VALUES ('three', 'key')").await;
    assert_eq!(store.get(&samples::id("key")).await.unwrap(), Some(samples::plain("key")));
    SqliteStore::with_pool(pool).await.unwrap();
}

async fn everything_of_the_application(pool: &sqlx::SqlitePool) -> Vec<String> {
    const EVERYTHING: &str = "
        SELECT sql FROM sqlite_schema
            WHERE sql IS NOT NULL AND tbl_name NOT LIKE 'tower_api_key%' AND tbl_name NOT LIKE 'sqlite_%'
        UNION ALL SELECT concat_ws('|', id, text) FROM notes
        UNION ALL SELECT concat_ws('|', version, description, installed_on, success, hex(checksum), execution_time)
            FROM _sqlx_migrations
        UNION ALL SELECT 'user version ' || user_version FROM pragma_user_version
        UNION ALL SELECT 'application id ' || application_id FROM pragma_application_id";
    sqlx::query_scalar(EVERYTHING).fetch_all(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_rotate_and_revoke_one_key_at_once_one_wins() {
    let (store, folder) = super::open().await;
    // Connections of its own, as another process would have.
    let other = SqliteStore::open(&url(&folder.path().join("keys.db"))).await.unwrap();
    crate::store::races::have_one_winner(store, other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_of_which_one_rotates_and_one_revokes_a_key_at_once_none_lets_it_in() {
    let (store, folder) = super::open().await;
    let other = SqliteStore::open(&url(&folder.path().join("keys.db"))).await.unwrap();
    crate::store::races::end_with_a_revoked_key(store, other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_one_store_adds_is_revoked_with_the_key_by_another() {
    let (store, folder) = super::open().await;
    let other = SqliteStore::open(&url(&folder.path().join("keys.db"))).await.unwrap();
    crate::store::races::announce_the_digests_of_a_revoked_key(store, other).await;
}

#[tokio::test]
async fn a_key_is_deleted_with_its_digests_where_the_application_has_turned_foreign_keys_off() {
    let folder = TempDir::new().unwrap();
    let options = SqliteConnectOptions::new().filename(folder.path().join("app.db"));
    let options = options.create_if_missing(true).foreign_keys(false);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let store = SqliteStore::with_pool(pool.clone()).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let (id, digester) = (samples::id("key"), Digester::hmac_sha256(&[7; 32]).unwrap());
    let (digest, at) = (digester.digest(b"key"), Timestamp::from_unix_millis(1));
    let write = WriteBack::Digest { id, digest, digester: digester.fingerprint(), at };
    store.write_back(write).await.unwrap();
    store.change(samples::revoke("key", 1, "lost")).await.unwrap();
    store.change(KeyChange::purge_ended(Timestamp::from_unix_millis(2))).await.unwrap();
    assert_eq!(number(&pool, "SELECT count(*) FROM tower_api_key_digest").await, 0);
}
