//! The schemas of a database, and the choice of one.

use tower_api_key::backend::{
    AuditLog, AuditQuery, Backend, BackendErrorKind, Grace, KeyChange, KeyFilter, KeyStore, OwnerChange,
    OwnerStore, Propagation, UsageBatch, UsageCount, UsageQuery, UsageStore,
};
use tower_api_key::clock::Day;
use tower_api_key::manage::KeyManager;
use tower_api_key::owner::Organization;
use tower_api_key::{Authenticator, Environment, KeyFormat, Owner, PostgresStore, Timestamp};

use super::{Database, is_absent};
use crate::store::samples;

const SETS_OF_TABLES: &str = "SELECT count(*) FROM pg_class WHERE relname = 'tower_api_key'";

/// Uses every method of a store.
async fn is_of_use(store: &PostgresStore) {
    let node = Authenticator::builder(store.clone()).build().unwrap();
    node.start().await.unwrap();
    store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await.unwrap();
    store.change_owner(OwnerChange::put_user("ada@example.com")).await.unwrap();
    store.change_owner(OwnerChange::put_project("acme", "rocket")).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    store.change(samples::rotate("key", "next", 1, Grace::None)).await.unwrap();
    assert!(store.find(&samples::digest("key")).await.unwrap().is_some());
    assert!(store.find_user("ada@example.com").await.unwrap().is_some());
    assert_eq!(store.list(&KeyFilter::all(), None, 10).await.unwrap().len(), 2);
    assert!(store.organization("acme").await.unwrap().is_some());
    assert_eq!(store.projects("acme", None, 10).await.unwrap().len(), 1);
    let (day, used) = (Day::from_unix_days(0), Timestamp::from_unix_millis(1));
    let count = UsageCount::new(samples::id("key"), Environment::Live, Owner::organization("acme"), 7, used);
    let batch = UsageBatch::new("writer", 1, [count]);
    store.add_usage(&batch).await.unwrap();
    assert_eq!(store.usage(&UsageQuery::new(day, day)).await.unwrap().len(), 1);
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap());
    let reached = manager.revoke_everywhere(&samples::id("next"), "lost").await.unwrap();
    assert_eq!(reached, Propagation::EveryNode);
    let noted = store.audit_log(&AuditQuery::all().oldest_first().limit(10)).await.unwrap().len() as u64;
    assert_eq!(store.purge_before(Timestamp::from_unix_millis(i64::MAX)).await.unwrap(), noted);
}

#[tokio::test]
async fn keys_are_found_in_their_schema_when_a_role_gets_one_of_its_own() {
    if is_absent() {
        return;
    }
    let (store, database) = super::open().await;
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    database.run_all("CREATE SCHEMA AUTHORIZATION CURRENT_USER").await;
    let again = PostgresStore::open(&database.url()).await.unwrap();
    assert_eq!(again.get(&samples::id("key")).await.unwrap(), Some(samples::plain("key")));
    assert_eq!(database.count(SETS_OF_TABLES).await, 1);
}

#[tokio::test]
async fn a_store_keeps_its_tables_when_the_search_path_has_new_ones_before_them() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let store = PostgresStore::with_pool(database.single_use().await).await.unwrap();
    database.run_all("CREATE SCHEMA AUTHORIZATION CURRENT_USER").await;
    let role: String =
        sqlx::query_scalar("SELECT CURRENT_USER::TEXT").fetch_one(&database.pool().await).await.unwrap();
    let other = PostgresStore::with_pool(database.with_path(&role).await).await.unwrap();
    assert_eq!(database.count(SETS_OF_TABLES).await, 2);
    is_of_use(&store).await;
    assert_eq!(database.count("SELECT count(*) FROM public.tower_api_key").await, 2);
    assert_eq!(other.list(&KeyFilter::all(), None, 10).await.unwrap(), []);

    let error = PostgresStore::open(&database.url()).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Corrupt, "{error}");
    for name in [role.as_str(), "public", "search_path"] {
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn a_store_stays_with_its_tables_whatever_the_search_path_of_a_session() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let odd = r#"odd "name\' of 'a schema"#;
    database.run_all(&format!("CREATE SCHEMA \"{}\"", odd.replace('"', "\"\""))).await;
    database.command("ALTER DATABASE", &format!("SET search_path = \"{}\"", odd.replace('"', "\"\""))).await;
    let store = PostgresStore::with_pool(database.single_use().await).await.unwrap();
    database.command("ALTER DATABASE", "SET search_path = nowhere").await;
    is_of_use(&store).await;
}

#[tokio::test]
async fn a_search_path_without_a_schema_is_rejected() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let error = PostgresStore::with_pool(database.with_path("nowhere").await).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("search_path"), "{error}");
}
