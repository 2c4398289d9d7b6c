//! What a key shall be like that is to be created or to replace another one.

use std::collections::BTreeMap;
use std::fmt;

use crate::backend::Grace;
use crate::clock::Timestamp;
use crate::credential::Scheme;
use crate::environment::Environment;
use crate::key::{ApiKey, RevealedKey};
use crate::owner::Owner;
use crate::record::Record;
use crate::scope::Scopes;

/// What a new key shall be like.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewKey {
    /// Whom it belongs to.
    pub owner: Owner,
    /// A name that its owner chooses, of at most 255 characters.
    pub name: Box<str>,
    /// The environment that it works in.
    pub environment: Environment,
    /// What it may do.
    pub scopes: Scopes,
    /// How it may be presented; empty means in any way.
    pub sources: Box<[Scheme]>,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// Who makes it.
    pub created_by: Option<Box<str>>,
    /// Whether its text is kept, for a key that is no secret.
    pub retrievable: bool,
    /// Whether a text that is [imported](super::KeyManager::import_text) may be so short that it can be guessed.
    pub allow_weak: bool,
    /// What the application keeps with it, which its owner neither sees nor changes: up to 50 texts.
    pub metadata: BTreeMap<String, String>,
    /// What its owner notes about it: up to 50 texts.
    pub labels: BTreeMap<String, String>,
}

impl NewKey {
    /// A live key without a name, scopes, restrictions or an end.
    pub fn new(owner: Owner) -> Self {
        Self {
            owner,
            name: Box::default(),
            environment: Environment::Live,
            scopes: Scopes::default(),
            sources: Box::default(),
            expires_at: None,
            created_by: None,
            retrievable: false,
            allow_weak: false,
            metadata: BTreeMap::new(),
            labels: BTreeMap::new(),
        }
    }

    /// Sets the name.
    #[must_use]
    pub fn name(self, name: impl Into<Box<str>>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Sets the environment.
    #[must_use]
    pub fn environment(self, environment: Environment) -> Self {
        Self { environment, ..self }
    }

    /// Sets the scopes.
    #[must_use]
    pub fn scopes(self, scopes: Scopes) -> Self {
        Self { scopes, ..self }
    }

    /// Has the text of the key kept, so that it can be read back: for keys that are no secret, such as those that devices
    /// carry to say which project they belong to. A key that replaces it is kept as well.
    #[must_use]
    pub fn retrievable(self) -> Self {
        Self { retrievable: true, ..self }
    }

    /// Permits a text of fewer than 16 bytes where one is [imported](super::KeyManager::import_text): for keys that clients have already,
    /// until they have others. Such a key can be guessed.
    #[must_use]
    pub fn allow_weak(self) -> Self {
        Self { allow_weak: true, ..self }
    }

    /// Sets how the key may be presented: by these sources, or by these schemes.
    #[must_use]
    pub fn sources(self, sources: impl IntoIterator<Item: Into<Scheme>>) -> Self {
        Self { sources: sources.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets from when on the key is refused.
    #[must_use]
    pub fn expires_at(self, end: Timestamp) -> Self {
        Self { expires_at: Some(end), ..self }
    }

    /// Fills in a record of which only id, digest and owner are known.
    pub(super) fn describe(self, record: &mut Record, now: Timestamp) {
        record.name = self.name;
        record.environment = self.environment;
        record.scopes = self.scopes;
        record.sources = self.sources;
        record.created_at = Some(now);
        record.created_by = self.created_by;
        record.expires_at = self.expires_at;
        record.metadata = self.metadata;
        record.labels = self.labels;
    }
}

/// How a key is to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotateOptions {
    /// How long the old key goes on.
    pub grace: Grace,
    /// From when on the new key is refused; `None` lets it live as long as [`rotation_renews`](super::KeyManager::rotation_renews) says.
    pub expires_at: Option<Timestamp>,
    /// Who replaces it.
    pub by: Option<Box<str>>,
}

impl RotateOptions {
    /// A replacement after which the old key goes on for this long.
    pub fn new(grace: Grace) -> Self {
        Self { grace, expires_at: None, by: None }
    }
}

/// A key that was just created, with its text: wiped when dropped, without a `Debug` text, taken once.
pub struct CreatedKey {
    key: ApiKey,
    record: Record,
}

impl CreatedKey {
    /// Gives up the text of the key, which is the only way to it, and the record.
    #[must_use = "the text cannot be had again"]
    pub fn into_parts(self) -> (RevealedKey, Record) {
        (self.key.reveal(), self.record)
    }

    /// Returns what the store knows of the key.
    pub fn record(&self) -> &Record {
        &self.record
    }

    pub(super) fn new(key: ApiKey, record: Record) -> Self {
        Self { key, record }
    }
}

impl fmt::Debug for CreatedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedKey").field("id", &self.record.id).finish_non_exhaustive()
    }
}
