//! The cost of further digests for lookups and caches.

use tower_api_key::backend::{Backend, BackendErrorKind, Invalidation, KeyChange, KeyStore, WriteBack};
use tower_api_key::digest::Digester;
use tower_api_key::{PostgresStore, Timestamp};

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

#[tokio::test]
async fn a_retirement_leaves_what_nodes_have_cached_under_digests_that_stay() {
    if is_absent() {
        return;
    }
    let (store, _database) = super::open().await;
    let (digester, at) = (Digester::hmac_sha256(&[7; 32]).unwrap(), Timestamp::from_unix_millis(1));
    let mut dropped = Vec::new();
    for name in ["one", "two"] {
        store.change(KeyChange::insert(samples::plain(name))).await.unwrap();
        let (id, digest) = (samples::id(name), digester.digest(name.as_bytes()));
        let write = WriteBack::Digest { id, digest, digester: digester.fingerprint(), at };
        store.write_back(write).await.unwrap();
        dropped.push(Invalidation::Changed(samples::digest(name)));
    }
    let mut feed = store.feed().unwrap();
    feed.poll().await.unwrap();
    store.change(KeyChange::retire_digests(digester.fingerprint(), at)).await.unwrap();
    assert_eq!(feed.poll().await.unwrap(), dropped);
}
