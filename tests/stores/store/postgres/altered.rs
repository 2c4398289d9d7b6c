//! Tables whose columns are altered while they are in use.

use http::{HeaderMap, HeaderValue};
use tower_api_key::backend::{
    Backend, BackendErrorKind, Grace, Invalidation, KeyChange, KeyFilter, KeyStore,
};
use tower_api_key::{Authenticator, PostgresStore};

use super::{Database, is_absent};
use crate::store::samples;

/// Statements that alter the result types of the prepared statements of a store.
const WIDER: &str = "ALTER TABLE tower_api_key ALTER COLUMN scopes TYPE VARCHAR(1000);
    ALTER TABLE tower_api_key_change ALTER COLUMN kind TYPE VARCHAR(1000)";
const BACK: &str = "ALTER TABLE tower_api_key ALTER COLUMN scopes TYPE TEXT;
    ALTER TABLE tower_api_key_change ALTER COLUMN kind TYPE TEXT";

/// Opens a store whose connections have prepared all statements.
async fn open_prepared() -> (PostgresStore, Database) {
    let (store, database) = super::open().await;
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let reads = (0..16).map(|_| {
        let store = store.clone();
        async move {
            store.find(&samples::digest("key")).await.unwrap();
            store.list(&KeyFilter::all(), None, 10).await.unwrap();
            store.change(samples::revoke("none", 1, "lost")).await.unwrap_err();
        }
    });
    reads.collect::<tokio::task::JoinSet<_>>().join_all().await;
    (store, database)
}

/// Logical replication copies rows, and leaves sequences behind them.
#[tokio::test]
async fn a_log_whose_numbers_are_taken_is_an_outage_and_no_conflict() {
    if is_absent() {
        return;
    }
    let (store, database) = super::open().await;
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let behind = "ALTER TABLE tower_api_key_change ALTER seq RESTART WITH 1";
    sqlx::raw_sql(behind).execute(&database.pool().await).await.unwrap();
    let error = store.change(samples::revoke("key", 1, "lost")).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn keys_are_read_and_changed_after_a_column_was_altered() {
    if is_absent() {
        return;
    }
    let (store, database) = open_prepared().await;
    let pool = database.pool().await;
    for (round, altering) in [WIDER, BACK, WIDER].into_iter().enumerate() {
        let name = format!("key_{round}");
        store.change(KeyChange::insert(samples::plain(&name))).await.unwrap();
        store.change(KeyChange::update(&samples::id(&name), Default::default())).await.unwrap();
        sqlx::raw_sql(altering).execute(&pool).await.unwrap();
        let reads = (0..16).map(|_| {
            let store = store.clone();
            async move {
                assert!(store.find(&samples::digest("key")).await.unwrap().is_some());
                assert!(store.list(&KeyFilter::all(), None, 10).await.unwrap().len() > 1);
            }
        });
        reads.collect::<tokio::task::JoinSet<_>>().join_all().await;
        let rotation = samples::rotation(&format!("next_{round}"), 1, Grace::None);
        store.change(KeyChange::rotate(&samples::id(&name), rotation)).await.unwrap();
    }
}

#[tokio::test]
async fn an_altered_column_costs_no_answer_and_no_poll() {
    if is_absent() {
        return;
    }
    let (store, database) = open_prepared().await;
    let mut feed = store.feed().unwrap();
    feed.poll().await.unwrap();
    let authenticator = Authenticator::builder(store.clone()).build().unwrap();
    let pool = database.pool().await;
    // Each failed one would count towards opening the circuit breaker.
    for (round, altering) in [WIDER, BACK].repeat(4).into_iter().enumerate() {
        sqlx::raw_sql(altering).execute(&pool).await.unwrap();
        let other = format!("key_{round}");
        store.change(KeyChange::insert(samples::plain(&other))).await.unwrap();
        let digest = samples::digest(&other);
        assert_eq!(feed.poll().await.unwrap(), [Invalidation::Changed(digest)]);
        let headers = HeaderMap::from_iter([(
            "x-api-key".parse().unwrap(),
            HeaderValue::try_from(samples::text(&other)).unwrap(),
        )]);
        authenticator.authenticate(&headers).await.unwrap();
    }
}
