//! The life of a key: create, import, list, update, rotate, replace, revoke, delete.
//!
//! [`KeyManager`] is for the code of an application that is trusted with all keys: a command line, a job, a page for
//! administrators. What a customer does to its own keys goes through a [`Delegate`], which knows no other keys and grants
//! nothing that the caller does not have.
#![cfg_attr(feature = "axum", doc = "[`routes`] serves a delegate over HTTP, as [`OPENAPI`] describes.")]
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use tower_api_key::backend::{Grace, KeyFilter};
//! use tower_api_key::manage::{KeyManager, NewKey, Replacement};
//! use tower_api_key::{KeyFormat, MemoryStore, Owner, Scopes};
//!
//! let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?);
//! let wanted = NewKey::new(Owner::organization("acme")).name("Build server").scopes(Scopes::parse("notes.read")?);
//! let (text, record) = manager.create(wanted).await?.into_parts();
//! assert!(text.as_str().starts_with("demo_live_")); // shown once, here
//!
//! let (_, successor) = manager.rotate(&record.id, Replacement::new(Grace::None)).await?.into_parts();
//! assert_eq!(successor.rotated_from, Some(record.id));
//! manager.revoke(&successor.id, "the server is gone").await?;
//! assert_eq!(manager.list(&KeyFilter::of_organization("acme"), None, 10).await?.len(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

mod delegate;
mod error;
mod new_key;
mod reached;
mod replace;
#[cfg(feature = "axum")]
mod routes;
mod rules;

pub use delegate::Delegate;
pub use error::{FieldError, ManageError, ManageErrorKind};
pub use new_key::{CreatedKey, NewKey, Replacement};
pub use reached::Reached;
#[cfg(feature = "axum")]
pub use routes::{ManageSettings, OPENAPI, Refused, routes};

use std::sync::Arc;
use std::time::Duration;

use crate::audit::{Action, Audit, AuditEvent, Hook};
use crate::backend::{KeyFilter, KeyStore, KeyUpdate, Rotation, UsageLine, UsageQuery, UsageStore};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::digest::{Digest, Digester};
use crate::key::{KeyId, Mint, ReadableKey};
use crate::principal::Principal;
use crate::record::{KeyState, Record, Revocation};
use rules::Findings;

/// The lease of an authenticator that is not told otherwise.
const LEASE: Duration = Duration::from_secs(5);

/// Manages the keys of a store. A clone shares it.
///
/// When a call returns, the change is durable and in effect in this process; a request that begins later is decided by it.
#[derive(Debug, Clone)]
pub struct KeyManager<S> {
    store: S,
    format: Arc<dyn Mint>,
    digester: Digester,
    clock: Arc<dyn Clock>,
    audit: Option<Hook>,
    lease: Duration,
    by: Option<Box<str>>,
    names: bool,
}

impl<S: KeyStore> KeyManager<S> {
    /// Creates a manager that mints keys of one format, and stores their SHA-256.
    pub fn new(store: S, format: impl Mint) -> Self {
        Self {
            store,
            format: Arc::new(format),
            digester: Digester::sha256(),
            clock: Arc::new(SystemClock::default()),
            audit: None,
            lease: LEASE,
            by: None,
            names: false,
        }
    }

    /// Sets the format of the keys that are minted from now on, for a service with keys of several kinds.
    #[must_use]
    pub fn minting(self, format: impl Mint) -> Self {
        Self { format: Arc::new(format), ..self }
    }

    /// Sets how keys become digests: as the authenticators do that look them up.
    #[must_use]
    pub fn digester(self, digester: Digester) -> Self {
        Self { digester, ..self }
    }

    /// Sets the clock.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Sets how long other processes may go on with what they remember: the longest
    /// [lease](crate::AuthenticatorBuilder::lease) of their authenticators, together with their
    /// [stale grace](crate::AuthenticatorBuilder::stale_grace) if they have one. Default: 5 s, as theirs is. A store
    /// that keeps a list of them with their leases corrects what is too short.
    ///
    /// # Panics
    ///
    /// If `lease` is zero: no authenticator has such a lease.
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        assert!(!lease.is_zero(), "expected a lease above zero, found zero");
        Self { lease, ..self }
    }

    /// Asks for a name of every key that is created, imported or given another name. Without this, a key need not have one.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use tower_api_key::manage::{KeyManager, NewKey};
    /// use tower_api_key::{KeyFormat, MemoryStore, Owner};
    ///
    /// let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?).require_names();
    /// let wanted = NewKey::new(Owner::organization("acme"));
    /// assert_eq!(manager.create(wanted.clone()).await.unwrap_err().fields()[0].field, "name");
    /// assert!(manager.create(wanted.name("Build server")).await.is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn require_names(self) -> Self {
        Self { names: true, ..self }
    }

    /// Tells of each change, after the store has acknowledged it.
    ///
    /// A call that is dropped before it returns may leave its change made and not told. A revocation is told though the key
    /// had been revoked before. The log of the SQL stores is exact in both: see [`AuditLog`](crate::backend::AuditLog).
    #[must_use]
    pub fn audit(self, audit: impl Audit) -> Self {
        Self { audit: Some(Hook::new(audit)), ..self }
    }

    /// Sets whose doing all changes are that do not say so themselves. Give an id rather than a name or an e-mail: it is
    /// kept with the keys, and for as long as the audit log is.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use tower_api_key::manage::{KeyManager, NewKey};
    /// use tower_api_key::{KeyFormat, MemoryStore, Owner};
    ///
    /// let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?);
    /// let job = manager.clone().acting_as("job:nightly");
    /// let (_, record) = job.create(NewKey::new(Owner::organization("acme"))).await?.into_parts();
    /// assert_eq!(record.created_by.as_deref(), Some("job:nightly"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn acting_as(self, by: impl Into<Box<str>>) -> Self {
        Self { by: Some(by.into()), ..self }
    }

    /// Narrows the manager to what a caller may do.
    pub fn on_behalf_of<'m>(&'m self, caller: &'m Principal) -> Delegate<'m, S> {
        Delegate::new(self, caller)
    }

    /// Creates a key.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ManageErrorKind::Invalid) if the key cannot be like this;
    /// [`Unavailable`](ManageErrorKind::Unavailable) if the store or the operating system's generator fails.
    pub async fn create(&self, new: NewKey) -> Result<CreatedKey, ManageError> {
        let now = self.clock.wall();
        self.check(&new, now)?;
        let key = self.format.mint(new.environment)?;
        let mut record = Record::new(KeyId::generate(now)?, &key, &self.digester, new.owner.clone());
        record.readable = new.readable.then(|| key.readable());
        new.describe(&mut record, now);
        Ok(CreatedKey::new(key, self.insert(record).await?))
    }

    /// Adds a key that was made elsewhere, of which nothing but its digest need be known.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create); [`Conflict`](ManageErrorKind::Conflict) if the key is there already.
    pub async fn import(&self, digest: Digest, new: NewKey) -> Result<Record, ManageError> {
        Findings::default().no_text_to_keep(new.readable).verdict()?;
        self.import_with(digest, None, new).await
    }

    /// Adds a key that was made elsewhere by its text, which is digested and forgotten, unless it is to be
    /// [readable](NewKey::readable).
    ///
    /// # Errors
    ///
    /// As for [`import`](Self::import).
    pub async fn import_text(&self, text: &str, new: NewKey) -> Result<Record, ManageError> {
        Findings::default().key_text(text).verdict()?;
        let readable = new.readable.then(|| ReadableKey::new(text));
        self.import_with(self.digester.digest(text.as_bytes()), readable, new).await
    }

    async fn import_with(
        &self,
        digest: Digest,
        readable: Option<ReadableKey>,
        new: NewKey,
    ) -> Result<Record, ManageError> {
        let now = self.clock.wall();
        self.check(&new, now)?;
        let mut record = Record::imported(KeyId::generate(now)?, digest, new.owner.clone());
        record.readable = readable;
        new.describe(&mut record, now);
        self.insert(record).await
    }

    /// Returns a key.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ManageErrorKind::NotFound) if there is none with this id.
    pub async fn get(&self, id: &KeyId) -> Result<Record, ManageError> {
        self.store.get(id).await?.ok_or_else(ManageError::not_found)
    }

    /// Returns the first `limit` keys that a filter means, from behind `after` on, in the order of their ids.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ManageErrorKind::Unavailable) if the store fails.
    pub async fn list(
        &self,
        filter: &KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Record>, ManageError> {
        Ok(self.store.list(filter, after, limit).await?)
    }

    /// Changes what may be changed of a key.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ManageErrorKind::Invalid), [`NotFound`](ManageErrorKind::NotFound), or
    /// [`Conflict`](ManageErrorKind::Conflict) if the key was revoked.
    pub async fn update(&self, id: &KeyId, mut update: KeyUpdate) -> Result<Record, ManageError> {
        let mut findings = Findings::default();
        if let Some(name) = &update.name {
            findings = findings.name(name, self.names);
        }
        if let Some(scopes) = &update.scopes {
            findings = findings.scopes(scopes);
        }
        if let Some(metadata) = &update.metadata {
            findings = findings.metadata(metadata);
        }
        findings.expires_at(update.expires_at.flatten(), self.clock.wall()).verdict()?;
        update.by = self.or_own(update.by);
        let by = update.by.clone();
        let record = self.store.update(id, update).await?;
        self.tell(Action::Updated, Some(id), by);
        Ok(record)
    }

    /// Replaces a key by a new one that may do the same.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ManageErrorKind::NotFound); [`Conflict`](ManageErrorKind::Conflict) if the key is not in force or was
    /// rotated before, as by someone else at the same time; [`Invalid`](ManageErrorKind::Invalid) if the new key would have
    /// expired, or the grace is longer than 4,294,967,295 seconds.
    pub async fn rotate(&self, id: &KeyId, replacement: Replacement) -> Result<CreatedKey, ManageError> {
        let now = self.clock.wall();
        let Replacement { grace, expires_at, .. } = replacement;
        Findings::default().grace(grace).expires_at(expires_at, now).verdict()?;
        let old = self.get(id).await?;
        let key = self.format.mint(old.environment)?;
        let mut rotation = Rotation::new(KeyId::generate(now)?, key.digest(&self.digester), key.hint(), now);
        rotation.grace = grace;
        rotation.readable = old.readable.map(|_| key.readable());
        rotation.expires_at = expires_at;
        rotation.by = self.or_own(replacement.by);
        let by = rotation.by.clone();
        let record = self.store.rotate(id, rotation).await?;
        self.tell(Action::Rotated { to: record.id.clone() }, Some(id), by.clone());
        self.tell(Action::Created, Some(&record.id), by);
        Ok(CreatedKey::new(key, record))
    }

    /// Revokes a key for good. Revoking it again changes nothing.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ManageErrorKind::NotFound); [`Invalid`](ManageErrorKind::Invalid) if the reason is longer than 255
    /// characters.
    pub async fn revoke(&self, id: &KeyId, reason: &str) -> Result<(), ManageError> {
        self.revoke_as(self.by.clone(), id, reason).await
    }

    async fn revoke_as(&self, by: Option<Box<str>>, id: &KeyId, reason: &str) -> Result<(), ManageError> {
        let revocation = Revocation { by: by.clone(), ..self.revocation(reason)? };
        self.store.revoke(id, revocation).await?;
        self.tell(Action::Revoked, Some(id), by);
        Ok(())
    }

    /// Revokes all keys that a filter means, at once, and returns how many were not revoked before.
    ///
    /// # Errors
    ///
    /// As for [`revoke`](Self::revoke); either all of them are revoked or none.
    pub async fn revoke_all(&self, filter: &KeyFilter, reason: &str) -> Result<u64, ManageError> {
        let revocation = Revocation { by: self.by.clone(), ..self.revocation(reason)? };
        let keys = self.store.revoke_all(filter, revocation).await?;
        self.tell(Action::RevokedAll { keys }, None, self.by.clone());
        Ok(keys)
    }

    /// Deletes all keys that had expired or were revoked by the time `before`, and returns how many these were. A time that is
    /// still to come stands for now: no key is deleted that is in force.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ManageErrorKind::Unavailable) if the store fails.
    pub async fn delete_ended(&self, before: Timestamp) -> Result<u64, ManageError> {
        let keys = self.store.delete_ended(before.min(self.clock.wall())).await?;
        self.tell(Action::DeletedAll { keys }, None, self.by.clone());
        Ok(keys)
    }

    fn check(&self, new: &NewKey, now: Timestamp) -> Result<(), ManageError> {
        Findings::default()
            .owner(&new.owner)
            .name(&new.name, self.names)
            .scopes(&new.scopes)
            .expires_at(new.expires_at, now)
            .metadata(&new.metadata)
            .verdict()
    }

    async fn insert(&self, mut record: Record) -> Result<Record, ManageError> {
        record.created_by = self.or_own(record.created_by);
        self.store.insert(record.clone()).await?;
        self.tell(Action::Created, Some(&record.id), record.created_by.clone());
        Ok(record)
    }

    /// Tells whether a caller could still call. A key that is kept elsewhere is not for this store to judge.
    async fn is_in_force(&self, caller: &Principal) -> Result<bool, ManageError> {
        let own = self.store.get(caller.key_id()).await?;
        Ok(own.is_none_or(|own| own.state(self.clock.wall()) == KeyState::Active))
    }

    fn revocation(&self, reason: &str) -> Result<Revocation, ManageError> {
        Findings::default().reason(reason).verdict()?;
        Ok(Revocation::new(self.clock.wall(), reason))
    }

    fn or_own(&self, by: Option<Box<str>>) -> Option<Box<str>> {
        by.or_else(|| self.by.clone())
    }

    fn tell(&self, action: Action, key: Option<&KeyId>, by: Option<Box<str>>) {
        if let Some(hook) = &self.audit {
            let event = AuditEvent::new(self.clock.wall(), action).by(by);
            hook.tell(&AuditEvent { key: key.cloned(), ..event });
        }
    }
}

impl<S: UsageStore> KeyManager<S> {
    /// Returns how often the keys that a query means were used, also those that were deleted since.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ManageErrorKind::Unavailable) if the store fails.
    pub async fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageLine>, ManageError> {
        Ok(self.store.usage(query).await?)
    }
}
