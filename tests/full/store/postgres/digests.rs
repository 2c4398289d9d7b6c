//! The cost of further digests for lookups.

use tower_api_key::PostgresStore;
use tower_api_key::backend::{Backend, BackendErrorKind, KeyChange, KeyStore};

use super::{Database, is_absent};
use crate::store::samples;

/// A view in the place of the table of further digests, which fails once it is read.
const TRAP: &str = "ALTER TABLE tower_api_key_digest RENAME TO tower_api_key_digest_moved;
    CREATE FUNCTION fail() RETURNS SETOF tower_api_key_digest_moved
        AS $$ BEGIN RAISE EXCEPTION 'it is read'; END $$ LANGUAGE plpgsql;
    CREATE VIEW tower_api_key_digest AS SELECT * FROM fail()";

#[tokio::test]
async fn a_key_that_is_found_under_its_first_digest_costs_no_search_for_a_further_one() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let pool = database.pool().await;
    let store = PostgresStore::with_pool(pool.clone()).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    sqlx::raw_sql(TRAP).execute(&pool).await.unwrap();
    // The server may plan a prepared statement anew after some executions.
    for _ in 0..20 {
        assert!(store.find(&samples::digest("key")).await.unwrap().is_some());
    }
    let error = store.find(&samples::digest("unknown")).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Unavailable);
    assert!(error.to_string().contains("it is read"), "{error}");
}
