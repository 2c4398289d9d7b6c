//! A key of another organization in the database of an example.

use std::path::Path;

use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::digest::Digester;
use tower_api_key::{Environment, KeyFormat, KeyId, Owner, Record, Scopes, SqliteStore};

/// Adds a key of the organization `other`, with the id `other`, before an example is started, and returns its text.
pub(crate) async fn add(folder: &Path, prefix: &str, environment: Environment, scopes: &str) -> String {
    let store = SqliteStore::open(&format!("sqlite:{}", folder.join("keys.db").display())).await.unwrap();
    let key = KeyFormat::new(prefix).unwrap().mint(environment).unwrap();
    let id = KeyId::new("other").unwrap();
    let mut record = Record::new(id, &key, &Digester::sha256(), Owner::organization("other"));
    record.scopes = Scopes::parse(scopes).unwrap();
    store.change(KeyChange::insert(record)).await.unwrap();
    store.close().await;
    key.reveal().as_str().to_owned()
}
