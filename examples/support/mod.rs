//! Shared setup of the examples: address, database, logs, shutdown.

pub(crate) mod process;
mod serve;

pub(crate) use process::{Failure, env_or, print_line, shutdown};
pub(crate) use serve::serve;

use process::log_by_default;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::digest::Digester;
use tower_api_key::key::KeyFormat;
use tower_api_key::{Environment, KeyId, Owner, Record, Scopes, SqliteStore};

/// Writes logs to stderr: by default those of the examples, and admissions and rejections.
pub(crate) fn log() -> Result<(), Failure> {
    log_by_default("info,tower_api_key=debug")
}

/// Listens on `ADDR`. Port 0 selects a free port.
pub(crate) async fn listen() -> Result<TcpListener, Failure> {
    // A wrong setting fails before the first request.
    serve::head()?;
    let address = env_or("ADDR", "127.0.0.1:3000")?;
    let listener = TcpListener::bind(&address).await;
    Ok(listener.map_err(|error| format!("ADDR: cannot listen on {address:?}: {error}"))?)
}

/// Opens the SQLite database at `DATABASE_URL`.
pub(crate) async fn open_store(default: &str) -> Result<SqliteStore, Failure> {
    let url = env_or("DATABASE_URL", default)?;
    if !url.starts_with("sqlite:") {
        // The URL is not shown: those of other databases contain passwords.
        return Err("DATABASE_URL must be the URL of an SQLite database, such as sqlite:keys.db".into());
    }
    let store = SqliteStore::open(&url).await.map_err(|error| format!("DATABASE_URL: {url:?}: {error}"))?;
    eprintln!("Keys are kept in {url}");
    Ok(store)
}

/// The keys of an example. Missing ones are minted.
pub(crate) struct Keys<'s> {
    store: &'s SqliteStore,
    example: &'static str,
    format: KeyFormat,
    minted: Vec<Record>,
    texts: Map<String, Value>,
}

impl<'s> Keys<'s> {
    pub(crate) fn new(store: &'s SqliteStore, example: &'static str, format: KeyFormat) -> Self {
        Self { store, example, format, minted: Vec::new(), texts: Map::new() }
    }

    /// Requires a key with these scopes. If it was minted, its record can be changed before it is stored.
    pub(crate) async fn need(
        &mut self,
        name: &str,
        environment: Environment,
        scopes: &[&str],
    ) -> Result<Option<&mut Record>, Failure> {
        let id = KeyId::new(&format!("key_{}_{}", self.example, name.strip_suffix("_key").unwrap_or(name)))?;
        if self.store.get(&id).await?.is_some() {
            return Ok(None);
        }
        let key = self.format.mint(environment)?;
        let mut record = Record::new(id, &key, &Digester::sha256(), Owner::organization("acme"));
        record.scopes = Scopes::new(scopes.iter().copied())?;
        record.name = name.into();
        record.created_at = Some(SystemClock::new().wall());
        self.minted.push(record);
        self.texts.insert(name.to_owned(), key.reveal().as_str().into());
        Ok(self.minted.last_mut())
    }

    /// Prints the address and the new keys as one line of JSON, stores the keys, and returns the values for example commands.
    pub(crate) async fn announce(self, listener: &TcpListener) -> Result<Announced, Failure> {
        let address = format!("http://{}", listener.local_addr()?);
        print_line(&json!({ "address": address, "credentials": self.texts }))?;
        if self.minted.is_empty() {
            eprintln!(
                "The keys of the first start still work. Set the variables below to them, or delete the database to get new ones."
            );
        }
        // Stored after printing: a key that was stored, but not printed before the process died, would be unusable. Early clients wait,
        // because no connection is accepted yet.
        for record in self.minted {
            self.store.change(KeyChange::insert(record)).await?;
        }
        Ok(Announced { address, texts: self.texts })
    }
}

/// The values for example commands: an address and, on the first start, keys.
pub(crate) struct Announced {
    pub(crate) address: String,
    texts: Map<String, Value>,
}

impl Announced {
    /// Returns a key as in a command: its text, or a variable to set if the key was shown at an earlier start.
    pub(crate) fn key(&self, name: &str) -> String {
        let text = self.texts.get(name).and_then(Value::as_str);
        text.map_or_else(|| format!("${}", name.to_uppercase()), str::to_owned)
    }
}
