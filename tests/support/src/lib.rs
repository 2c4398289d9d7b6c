//! Keys, stores and requests shared by the tests.

pub mod captured;
pub mod chromium;
pub mod meddling;
pub mod outside;
pub mod postgres;
pub mod probe;
pub mod python;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower_api_key::backend::{Backend, KeyChange, KeyStore};
use tower_api_key::clock::ManualClock;
use tower_api_key::digest::Digester;
use tower_api_key::key::{KeyFormat, KeyId};
use tower_api_key::record::Revocation;
use tower_api_key::{
    Authenticator, AuthenticatorBuilder, Environment, MemoryStore, Owner, Record, Scopes, Timestamp,
};

pub type Body = Full<Bytes>;

/// The wall-clock time at the start of the tests.
pub const START: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);

/// The text of a key and its record.
#[derive(Clone)]
pub struct Key {
    pub text: String,
    pub record: Record,
}

impl Key {
    /// Mints a live key of the organization `acme`.
    pub fn mint() -> Self {
        let key = KeyFormat::new("demo").unwrap().mint(Environment::Live).unwrap();
        let id = KeyId::generate(START).unwrap();
        let record = Record::new(id, &key, &Digester::sha256(), Owner::organization("acme"));
        Self { text: key.reveal().as_str().to_owned(), record }
    }

    /// Creates a key from a text issued elsewhere.
    pub fn foreign(text: &str) -> Self {
        let id = KeyId::generate(START).unwrap();
        let digest = Digester::sha256().digest(text.as_bytes());
        Self { text: text.to_owned(), record: Record::imported(id, digest, Owner::organization("acme")) }
    }

    pub fn with(mut self, describe: impl FnOnce(&mut Record)) -> Self {
        describe(&mut self.record);
        self
    }

    pub fn scopes(self, scopes: &str) -> Self {
        self.with(|record| record.scopes = Scopes::parse(scopes).unwrap())
    }

    pub fn id(&self) -> &KeyId {
        &self.record.id
    }

    pub async fn insert_into(self, store: &impl KeyStore) -> Self {
        store.change(KeyChange::insert(self.record.clone())).await.unwrap();
        self
    }

    pub fn bearer(&self) -> Request<Body> {
        request("authorization", &format!("Bearer {}", self.text))
    }

    pub fn x_api_key(&self) -> Request<Body> {
        request("x-api-key", &self.text)
    }
}

pub fn request(name: &str, value: &str) -> Request<Body> {
    Request::builder().header(name, value).body(Body::default()).unwrap()
}

pub fn revocation() -> Revocation {
    Revocation::new(START, "lost")
}

/// Creates an authenticator over `backend` with a manual clock.
pub fn authenticator(backend: impl Backend) -> (Authenticator, Arc<ManualClock>) {
    build(Authenticator::builder(backend))
}

pub fn build(builder: AuthenticatorBuilder) -> (Authenticator, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(START));
    (builder.with_clock(Arc::clone(&clock)).build().unwrap(), clock)
}

/// Creates a memory store with one key in it.
pub async fn store_with_key() -> (MemoryStore, Key) {
    let store = MemoryStore::new();
    let key = Key::mint().insert_into(&store).await;
    (store, key)
}

/// A service that answers 200.
pub async fn ok(_: Request<Body>) -> Result<Response<Body>, std::convert::Infallible> {
    Ok(Response::new(Body::default()))
}
