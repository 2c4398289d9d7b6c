//! The parameters of creation and rotation, and their result.

use std::collections::BTreeMap;
use std::fmt;

use crate::backend::Grace;
use crate::clock::Timestamp;
use crate::credential::Scheme;
use crate::environment::Environment;
use crate::key::{ApiKey, RevealedKey};
use crate::owner::{Organization, Owner};
use crate::record::Record;
use crate::scope::Scopes;
use crate::text::to_map;

/// The parameters of a new key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewKey {
    /// The owner.
    pub owner: Owner,
    /// A name of at most 255 characters, chosen by the owner.
    pub name: Box<str>,
    /// The environment.
    pub environment: Environment,
    /// The granted scopes.
    pub scopes: Scopes,
    /// The schemes by which it may be presented; any if empty.
    pub sources: Box<[Scheme]>,
    /// The expiry; `None` for a key that does not expire.
    pub expires_at: Option<Timestamp>,
    /// The id of the actor that creates it.
    pub created_by: Option<Box<str>>,
    /// Whether the store keeps the text, for a key that is no secret.
    pub retrievable: bool,
    /// Whether an [imported](super::KeyManager::import_text) text may have fewer than 16 bytes, and so be guessed.
    pub allow_weak: bool,
    /// Up to 50 entries of the application, which the owner neither sees nor changes.
    pub metadata: BTreeMap<String, String>,
    /// Up to 50 entries of the owner.
    pub labels: BTreeMap<String, String>,
}

impl NewKey {
    /// Creates the parameters of a live key without a name, scopes, restrictions or an expiry.
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

    /// Creates the parameters of a key of the organization with this id, like [`new`](Self::new).
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use tower_api_key::manage::{KeyManager, NewKey};
    /// use tower_api_key::{KeyFormat, MemoryStore};
    ///
    /// let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?);
    /// let new = NewKey::for_organization("acme").scopes("notes.read notes.write".parse()?).name("CI");
    /// let created = manager.create(new).await?;
    /// assert!(created.reveal().as_str().starts_with("demo_live_"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn for_organization(id: impl Into<Box<str>>) -> Self {
        Self::new(Owner::organization(id))
    }

    /// Creates the parameters of a key of the project with this id, like [`new`](Self::new).
    pub fn for_project(organization: impl Into<Box<str>>, id: impl Into<Box<str>>) -> Self {
        Self::new(Owner::project(Organization::new(organization), id))
    }

    /// Creates the parameters of a key of the user with this e-mail, like [`new`](Self::new). The store knows the memberships.
    pub fn for_user(email: impl Into<Box<str>>) -> Self {
        Self::new(Owner::user(email, []))
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

    /// Keeps the text of the key, so that it can be read back: for keys that are no secret, such as those by which devices name their
    /// project. The texts of its successors are kept as well.
    #[must_use]
    pub fn retrievable(self) -> Self {
        Self { retrievable: true, ..self }
    }

    /// Permits an [imported](super::KeyManager::import_text) text of fewer than 16 bytes, for existing keys until clients have new ones. Such a
    /// key can be guessed.
    #[must_use]
    pub fn allow_weak(self) -> Self {
        Self { allow_weak: true, ..self }
    }

    /// Sets the sources or schemes by which the key may be presented.
    #[must_use]
    pub fn sources(self, sources: impl IntoIterator<Item: Into<Scheme>>) -> Self {
        Self { sources: sources.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets the expiry.
    #[must_use]
    pub fn expires_at(self, end: Timestamp) -> Self {
        Self { expires_at: Some(end), ..self }
    }

    /// Sets the id of the actor that creates the key.
    #[must_use]
    pub fn created_by(self, id: impl Into<Box<str>>) -> Self {
        Self { created_by: Some(id.into()), ..self }
    }

    /// Sets the entries of the application.
    #[must_use]
    pub fn metadata<K: Into<String>, V: Into<String>>(
        self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self { metadata: to_map(entries), ..self }
    }

    /// Sets the entries of the owner.
    #[must_use]
    pub fn labels<K: Into<String>, V: Into<String>>(self, entries: impl IntoIterator<Item = (K, V)>) -> Self {
        Self { labels: to_map(entries), ..self }
    }

    /// Fills in a record that has only an id, a digest and an owner.
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

/// The options of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotateOptions {
    /// How long the old key stays valid.
    pub grace: Grace,
    /// The expiry of the new key; by default as [`rotation_renews`](super::KeyManager::rotation_renews) determines.
    pub expires_at: Option<Timestamp>,
    /// The id of the actor that rotates it.
    pub by: Option<Box<str>>,
}

impl RotateOptions {
    /// Creates the options of a rotation with this grace.
    pub fn new(grace: Grace) -> Self {
        Self { grace, expires_at: None, by: None }
    }

    /// Sets the expiry of the new key.
    #[must_use]
    pub fn expires_at(self, end: Timestamp) -> Self {
        Self { expires_at: Some(end), ..self }
    }

    /// Sets the id of the actor that rotates the key.
    #[must_use]
    pub fn by(self, id: impl Into<Box<str>>) -> Self {
        Self { by: Some(id.into()), ..self }
    }
}

/// A new key with its text, which is wiped on drop and absent from `Debug` output.
pub struct CreatedKey {
    key: ApiKey,
    record: Record,
}

impl CreatedKey {
    /// Returns the text of the key, which is available only here, and the record.
    #[must_use = "the text cannot be retrieved again"]
    pub fn into_parts(self) -> (RevealedKey, Record) {
        (self.key.reveal(), self.record)
    }

    /// Returns the text of the key, which is available only here. To keep the record as well, see [`into_parts`](Self::into_parts).
    #[must_use = "the text cannot be retrieved again"]
    pub fn reveal(self) -> RevealedKey {
        self.key.reveal()
    }

    /// Returns the stored record.
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
