//! The keys of the example: one that manages keys, and one without scopes.

use std::time::Duration;

use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::digest::Digester;
use tower_api_key::{ConfigError, Environment, KeyFormat, KeyId, Owner, PostgresStore, Record, Scopes};

use crate::process::Failure;

/// The lifetime of the keys, as each run of the example leaves some behind.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// The scope that is required to manage keys.
pub(crate) const MANAGE: &str = "keys.manage";

/// The organization that the keys belong to.
pub(crate) const ORGANIZATION: &str = "fleet";

/// The texts of the keys.
pub(crate) struct Keys {
    pub(crate) admin: String,
    pub(crate) reader: String,
}

pub(crate) fn format() -> Result<KeyFormat, ConfigError> {
    KeyFormat::new("demo")
}

impl Keys {
    pub(crate) async fn make(store: &PostgresStore) -> Result<Self, Failure> {
        Ok(Self {
            admin: make(store, "fleet admin", Scopes::parse(MANAGE)?).await?,
            reader: make(store, "fleet reader", Scopes::default()).await?,
        })
    }
}

async fn make(store: &PostgresStore, name: &str, scopes: Scopes) -> Result<String, Failure> {
    let now = SystemClock::new().wall();
    let key = format()?.mint(Environment::Live)?;
    let owner = Owner::organization(ORGANIZATION);
    let mut record = Record::new(KeyId::generate(now)?, &key, &Digester::sha256(), owner);
    record.name = name.into();
    record.scopes = scopes;
    record.created_at = Some(now);
    record.expires_at = Some(now.saturating_add(LIFE));
    store.change(KeyChange::insert(record)).await?;
    Ok(key.reveal().as_str().to_owned())
}
