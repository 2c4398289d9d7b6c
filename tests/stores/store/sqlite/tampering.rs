//! A row that this crate did not write is an outage, never a decision.

use http::StatusCode;
use tempfile::TempDir;
use tower_api_key::SqliteStore;
use tower_api_key::backend::BackendErrorKind::Corrupt;
use tower_api_key::backend::{AuditLog, AuditQuery, Backend, KeyChange, KeyFilter, KeyStore};
use tower_api_key::reject::Reason;

use super::{application, number, run, says};
use crate::store::caller::Caller;
use crate::store::samples;

/// Values that the checks of the table accept.
const GARBAGE: [&str; 26] = [
    r#"scopes = 'a"b'"#,
    "scopes = 'a\tb'",
    "scopes = 'ä'",
    "sources = 'X-API-Key'",
    "sources = 'bearer,basic'",
    "sources = char(10)",
    "metadata = 'x'",
    "labels = 'x'",
    "disabled_by = 'x'",
    "limits = 'burst'",
    "limits = 'burst=1/0s'",
    "limits = char(0)",
    "labels = '[]'",
    "metadata = ''",
    "metadata = '[]'",
    "metadata = 'null'",
    r#"metadata = '{"a":1}'"#,
    r#"metadata = '{"a":"b"'"#,
    "owner_organization = NULL",
    "owner_email = 'ada@example.com'",
    "owner_kind = 'user'",
    "owner_kind = 'project'",
    "rotated_to = ''",
    "rotated_from = 'a b'",
    "name = CAST(x'c328' AS TEXT)",
    "hint = CAST(x'ff' AS TEXT)",
];

#[tokio::test]
async fn a_row_of_garbage_is_an_outage() {
    let folder = TempDir::new().unwrap();
    let pool = application(&folder.path().join("keys.db")).await;
    let store = SqliteStore::with_pool(pool.clone()).await.unwrap();
    for (index, garbage) in GARBAGE.into_iter().enumerate() {
        let name = format!("key_{index}");
        store.change(KeyChange::insert(samples::plain(&name))).await.unwrap();
        assert_eq!(Caller::of(&store).present(&name).await, Ok(samples::id(&name)));

        let update = format!("UPDATE tower_api_key SET {garbage} WHERE id = '{name}'");
        sqlx::query(sqlx::AssertSqlSafe(update)).execute(&pool).await.expect(garbage);
        let found = store.find(&samples::digest(&name)).await;
        says(&found.expect_err(garbage), Corrupt, "");
        says(&store.get(&samples::id(&name)).await.expect_err(garbage), Corrupt, "");

        // Nothing is cached, so the answer is the same again.
        let caller = Caller::of(&store);
        for _ in 0..2 {
            let reason = caller.present(&name).await.expect_err(garbage);
            assert_eq!(reason, Reason::Unavailable, "{garbage}");
            assert_eq!(reason.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
    }
}

#[tokio::test]
async fn a_row_whose_id_is_garbage_is_an_outage() {
    let folder = TempDir::new().unwrap();
    let pool = application(&folder.path().join("keys.db")).await;
    let store = SqliteStore::with_pool(pool.clone()).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    run(&pool, "UPDATE tower_api_key SET id = 'a b'").await;
    says(&store.find(&samples::digest("key")).await.unwrap_err(), Corrupt, "");
    assert_eq!(Caller::of(&store).present("key").await, Err(Reason::Unavailable));
}

#[tokio::test]
async fn a_row_whose_id_is_no_text_is_revoked_with_the_rest() {
    let (store, folder) = super::open().await;
    let pool = application(&folder.path().join("keys.db")).await;
    for name in ["good", "garbage"] {
        store.change(KeyChange::insert(samples::plain(name))).await.unwrap();
    }
    run(&pool, "UPDATE tower_api_key SET id = CAST(x'ff' AS TEXT) WHERE id = 'garbage'").await;
    assert_eq!(
        store
            .change(KeyChange::revoke_all(&KeyFilter::all(), samples::revocation(1, "all")))
            .await
            .unwrap()
            .keys,
        2
    );
    assert_eq!(number(&pool, "SELECT count(*) FROM tower_api_key WHERE revoked_at IS NULL").await, 0);
    let revoked = "SELECT count(*) FROM tower_api_key_audit WHERE action = 'revoked'";
    assert_eq!(number(&pool, revoked).await, 2);
}

#[tokio::test]
async fn an_entry_of_the_audit_log_that_is_garbage_is_an_error() {
    let (store, folder) = super::open().await;
    let pool = application(&folder.path().join("keys.db")).await;
    for garbage in ["action = 'sold'", "action = 'rotated'", "key_id = 'a b'", "related_key_id = 'key'"] {
        run(&pool, "DELETE FROM tower_api_key_audit; DELETE FROM tower_api_key").await;
        store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
        assert_eq!(store.audit_log(&AuditQuery::all().oldest_first().limit(9)).await.unwrap().len(), 1);
        let update = format!("UPDATE tower_api_key_audit SET {garbage}");
        sqlx::query(sqlx::AssertSqlSafe(update)).execute(&pool).await.unwrap();
        says(
            &store.audit_log(&AuditQuery::all().oldest_first().limit(9)).await.expect_err(garbage),
            Corrupt,
            "",
        );
    }
}

#[tokio::test]
async fn a_column_without_a_value_is_not_one_that_is_empty() {
    let (store, folder) = super::open().await;
    let pool = application(&folder.path().join("keys.db")).await;
    // The same columns without the checks, as after a careless import.
    run(&pool, "CREATE TABLE loose AS SELECT * FROM tower_api_key").await;
    run(&pool, "DROP TABLE tower_api_key; ALTER TABLE loose RENAME TO tower_api_key").await;
    for (index, column) in ["hint", "name", "scopes", "sources", "metadata", "labels"].into_iter().enumerate()
    {
        let name = format!("key_{index}");
        store.change(KeyChange::insert(samples::plain(&name))).await.unwrap();
        let update = format!("UPDATE tower_api_key SET {column} = NULL WHERE id = '{name}'");
        sqlx::query(sqlx::AssertSqlSafe(update)).execute(&pool).await.unwrap();
        says(&store.find(&samples::digest(&name)).await.expect_err(column), Corrupt, column);
    }
}

#[tokio::test]
async fn a_table_that_is_gone_is_an_outage() {
    let (store, folder) = super::open().await;
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let pool = application(&folder.path().join("keys.db")).await;
    run(&pool, "ALTER TABLE tower_api_key RENAME TO elsewhere").await;
    assert_eq!(Caller::of(&store).present("key").await, Err(Reason::Unavailable));
    run(&pool, "ALTER TABLE elsewhere RENAME TO tower_api_key").await;
    assert_eq!(Caller::of(&store).present("key").await, Ok(samples::id("key")));
}

#[tokio::test]
async fn a_column_that_is_gone_is_an_outage() {
    let folder = TempDir::new().unwrap();
    let pool = application(&folder.path().join("keys.db")).await;
    let store = SqliteStore::with_pool(pool.clone()).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    run(&pool, "ALTER TABLE tower_api_key RENAME COLUMN scopes TO powers").await;
    let error = store.find(&samples::digest("key")).await.unwrap_err();
    assert!(error.to_string().contains("scopes"), "{error}");
    assert_eq!(Caller::of(&store).present("key").await, Err(Reason::Unavailable));
}
