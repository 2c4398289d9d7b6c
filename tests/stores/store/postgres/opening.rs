//! Opening a database, alone or concurrently.

use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::task::JoinSet;
use tower_api_key::PostgresStore;
use tower_api_key::backend::{BackendErrorKind, KeyChange, KeyStore};

use super::{Database, is_absent};
use crate::store::samples;

#[tokio::test]
async fn an_invalid_url_is_rejected_without_showing_it() {
    for url in
        ["sqlite:keys.db", "host=localhost password=hunter2", "mysql://root:hunter2@localhost/keys", ""]
    {
        let error = PostgresStore::open(url).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("cannot open PostgreSQL database"), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable() {
    let error = PostgresStore::open("postgres://unknown@127.0.0.1:1/keys").await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn a_store_does_not_show_its_password() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let options = database.url().parse::<PgConnectOptions>().unwrap().password("hunter2");
    let pool = PgPool::connect_with(options).await.unwrap();
    let store = PostgresStore::with_pool(pool.clone()).await.unwrap().with_replica(pool);
    assert!(!format!("{store:?}").contains("hunter2"));
}

#[tokio::test]
async fn of_concurrent_starts_one_applies_the_schema() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let mut starting = JoinSet::new();
    for _ in 0..6 {
        let url = database.url();
        starting.spawn(async move { PostgresStore::open(&url).await });
    }
    let stores: Vec<_> = starting.join_all().await.into_iter().map(Result::unwrap).collect();
    stores[0].change(KeyChange::insert(samples::full("key"))).await.unwrap();
    for store in &stores {
        assert_eq!(store.get(&samples::id("key")).await.unwrap(), Some(samples::full("key")));
    }
    let ledger = "SELECT version, name FROM tower_api_key_migration ORDER BY version";
    let ledger: Vec<(i64, String)> = sqlx::query_as(ledger).fetch_all(&database.pool().await).await.unwrap();
    assert_eq!(ledger, [(1, "initial".to_owned())]);
}

#[tokio::test]
async fn a_schema_of_another_version_is_rejected() {
    if is_absent() {
        return;
    }
    for (ledger, version) in [
        (
            "INSERT INTO tower_api_key_migration (version, name, checksum) VALUES (99, 'later', '')",
            "version 99",
        ),
        ("UPDATE tower_api_key_migration SET checksum = '\\x00'", "create a new one"),
        (
            "UPDATE tower_api_key_migration SET name = 'keys', checksum = '\\x00';
             INSERT INTO tower_api_key_migration (version, name, checksum) SELECT n, 'step ' || n, '\\x00' FROM generate_series(2, 9) n",
            "create a new one",
        ),
    ] {
        let (store, database) = super::open().await;
        store.close().await;
        sqlx::raw_sql(ledger).execute(&database.pool().await).await.unwrap();
        let error = PostgresStore::open(&database.url()).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains(version), "{error}");
    }
}

#[tokio::test]
async fn the_tables_of_an_application_stay_as_they_are() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let pool = database.pool().await;
    sqlx::raw_sql("CREATE TABLE orders (id INT); INSERT INTO orders VALUES (7)")
        .execute(&pool)
        .await
        .unwrap();
    let store = PostgresStore::with_pool(pool.clone()).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let order: i32 = sqlx::query_scalar("SELECT id FROM orders").fetch_one(&pool).await.unwrap();
    assert_eq!(order, 7);
}

#[tokio::test]
async fn a_text_that_the_database_cannot_keep_is_rejected_and_nothing_is_kept() {
    if is_absent() {
        return;
    }
    let (store, _database) = super::open().await;
    let mut record = samples::plain("key");
    record.name = "a\0b".into();
    let error = store.change(KeyChange::insert(record)).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Invalid, "{error}");
    assert_eq!(store.get(&samples::id("key")).await.unwrap(), None);
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
}

#[tokio::test]
async fn a_column_that_a_newer_process_adds_is_ignored() {
    if is_absent() {
        return;
    }
    let (store, database) = super::open().await;
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    // The statements of all connections are prepared.
    for _ in 0..20 {
        store.get(&samples::id("key")).await.unwrap();
    }
    let newer = "ALTER TABLE tower_api_key ADD COLUMN later TEXT NOT NULL DEFAULT 'x'";
    sqlx::raw_sql(newer).execute(&database.pool().await).await.unwrap();
    for _ in 0..20 {
        assert_eq!(store.get(&samples::id("key")).await.unwrap(), Some(samples::plain("key")));
    }
}
