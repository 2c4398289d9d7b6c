//! The errors of an SQLite store.

use std::fs;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tempfile::TempDir;
use tower_api_key::backend::{Backend, KeyChange, KeyStore};
use tower_api_key::owner::{Membership, Organization};
use tower_api_key::record::Revocation;
use tower_api_key::{AuthenticateLayer, Authenticator, KeyId, Owner, Scopes, SqliteStore, Timestamp};

use crate::secrecy::keys::{Keys, PASSWORD, SESSION};
use crate::secrecy::requests;
use crate::secrecy::service;
use crate::secrecy::transcript::Transcript;

pub(crate) async fn misbehave(transcript: &Transcript, keys: &Keys) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.db");
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let store = keys.store_in(SqliteStore::with_pool(pool.clone()).await.unwrap()).await;
    transcript.debug("store", &store);

    ask(transcript, keys, &store).await;
    reject_records(transcript, keys, &store).await;
    fill_the_disk(transcript, keys, &store, &pool).await;
    run(&pool, "UPDATE tower_api_key SET metadata = 'garbage', scopes = 'a\"b'").await;
    ask(transcript, keys, &store).await;
    pool.close().await;
    ask(transcript, keys, &store).await;
    reject_records(transcript, keys, &store).await;
    reject_to_open(transcript, &folder).await;
}

/// Presents keys to an authenticator with an empty cache, and asks the store directly.
async fn ask(transcript: &Transcript, keys: &Keys, store: &SqliteStore) {
    let authenticator =
        Authenticator::builder(store.clone()).digester(keys.digester.clone()).build().unwrap();
    let service = service::protect(transcript, &AuthenticateLayer::new(authenticator));
    for presented in requests::presentations(keys) {
        service::send(transcript, &service, "application/json", "/notes", &[presented]).await;
    }
    let record = &keys.good.record;
    for found in [store.find(&record.digest).await, store.get(&record.id).await] {
        match found {
            Ok(record) => transcript.debug("record", &record),
            Err(error) => transcript.error("error of a store", &error),
        }
    }
}

async fn reject_records(transcript: &Transcript, keys: &Keys, store: &SqliteStore) {
    let mut with_membership = keys.unknown.record.clone();
    let membership = Membership::new(Organization::new("acme"), "reader", Scopes::default());
    with_membership.owner = Owner::user("ada@example.com", [membership]);
    let mut same_digest = keys.good.record.clone();
    same_digest.id = KeyId::new("key_other").unwrap();
    for record in [keys.good.record.clone(), same_digest, with_membership] {
        transcript.error("error of a store", &store.change(KeyChange::insert(record)).await.unwrap_err());
    }
    let revocation = Revocation::new(Timestamp::from_unix_millis(1), "lost");
    let unknown = KeyId::new("key_missing").unwrap();
    transcript
        .error("error of a store", &store.change(KeyChange::revoke(&unknown, revocation)).await.unwrap_err());
}

async fn fill_the_disk(transcript: &Transcript, keys: &Keys, store: &SqliteStore, pool: &SqlitePool) {
    run(pool, "PRAGMA max_page_count = 1").await;
    let mut large = keys.unknown.record.clone();
    large.name = "x".repeat(100_000).into();
    transcript.error("error of a store", &store.change(KeyChange::insert(large)).await.unwrap_err());
    run(pool, "PRAGMA max_page_count = 1000000").await;
}

async fn reject_to_open(transcript: &Transcript, folder: &TempDir) {
    let no_database = folder.path().join("notes.txt");
    fs::write(&no_database, format!("{SESSION} ").repeat(1_000)).unwrap();
    let url = format!("sqlite:{}", no_database.display());
    for url in [
        url.clone(),
        format!("{url}?key={PASSWORD}"),
        format!("sqlite:{}/missing/keys.db", folder.path().display()),
        format!("postgres://keys:{PASSWORD}@localhost/keys"),
    ] {
        transcript.error("error of a store", &SqliteStore::open(&url).await.unwrap_err());
    }
}

async fn run(pool: &SqlitePool, sql: &'static str) {
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
}
