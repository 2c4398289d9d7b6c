//! The key manager and its settings.

// Layer 9 of 10: management.

use std::sync::Arc;
use std::time::Duration;

use super::{ManageError, Permissions};
use crate::audit::{Audit, Hook};
use crate::authenticator::Authenticator;
use crate::backend::{
    Actor, AuditEntry, AuditLog, AuditQuery, Bounds, KeyStore, UsageLine, UsageQuery, UsageStore,
};
#[cfg(feature = "routes")]
use crate::clock::Timestamp;
use crate::clock::{Clock, SystemClock};
use crate::digest::{Digester, Digesters, Fingerprint, FormerDigester};
use crate::environment::Environment;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::key::Mint;
use crate::rights::ScopePolicy;

/// The default lease of an authenticator.
const LEASE: Duration = Duration::from_secs(5);

/// Manages the keys of a store. Clones share the store.
///
/// When a call returns, the change is durable and in effect in this process for each request that begins later.
#[derive(Debug, Clone)]
pub struct KeyManager<S> {
    pub(super) store: S,
    pub(super) format: Arc<dyn Mint>,
    pub(super) digesters: Digesters,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) audit: Option<Hook>,
    pub(super) lease: Duration,
    pub(super) actor: Actor,
    /// That of the authenticator, as far as known.
    pub(super) policy: ScopePolicy,
    pub(super) requires_names: bool,
    pub(super) requires_scopes: bool,
    pub(super) stronger_keys: bool,
    pub(super) rotation_renews: bool,
    pub(super) permissions: Option<Arc<Permissions>>,
}

/// The actor of changes, and the keys that it is limited to.
#[derive(Debug, Clone)]
pub(super) struct BoundedActor {
    pub(super) actor: Actor,
    pub(super) bounds: Option<Bounds>,
}

impl BoundedActor {
    /// Returns the name recorded with a change: that of the caller. Only the application may give another one.
    pub(super) fn recorded_name(&self, given: Option<Box<str>>) -> Option<Box<str>> {
        let own = self.actor.name().map(Into::into);
        if matches!(self.actor, Actor::System { .. }) { given.or(own) } else { own }
    }
}

impl<S: KeyStore> KeyManager<S> {
    /// Creates a manager that mints keys of one format, and stores their SHA-256 digests: for a process without an authenticator, such as a
    /// command line. Beside one, [`for_authenticator`](Self::for_authenticator) takes its settings.
    pub fn new(store: S, format: impl Mint) -> Self {
        Self {
            store,
            format: Arc::new(format),
            digesters: Digesters::default(),
            clock: Arc::new(SystemClock::default()),
            audit: None,
            lease: LEASE,
            actor: Actor::system(),
            policy: ScopePolicy::default(),
            requires_names: false,
            requires_scopes: false,
            stronger_keys: false,
            rotation_renews: true,
            permissions: None,
        }
    }

    /// Creates a manager of the keys that an authenticator admits: with its digesters, its clock and its
    /// [admin scope](crate::AuthenticatorBuilder::admin_scope), and with its [lease](crate::AuthenticatorBuilder::lease) and
    /// [stale grace](crate::AuthenticatorBuilder::stale_grace) as the time that revocations wait for. `store` is the one that the
    /// authenticator reads.
    ///
    /// # Errors
    ///
    /// When no source of the authenticator accepts keys of `format`, so that each new key would be rejected; when the random generator of the
    /// operating system fails.
    ///
    /// ```
    /// use tower_api_key::digest::Digester;
    /// use tower_api_key::manage::KeyManager;
    /// use tower_api_key::{Authenticator, KeyFormat, MemoryStore, Source};
    ///
    /// let (store, format) = (MemoryStore::new(), KeyFormat::new("demo")?);
    /// let authenticator = Authenticator::builder(store.clone())
    ///     .sources([Source::bearer().format(format.clone())])
    ///     .digester(Digester::hmac_sha256(b"a pepper of 32 random bytes here")?)
    ///     .build()?;
    /// let manager = KeyManager::for_authenticator(&authenticator, store.clone(), format)?;
    ///
    /// let other = KeyManager::for_authenticator(&authenticator, store, KeyFormat::new("dmo")?).unwrap_err();
    /// assert!(other.to_string().starts_with("no source of the authenticator accepts keys of this format"));
    /// # Ok::<(), tower_api_key::ConfigError>(())
    /// ```
    pub fn for_authenticator(
        authenticator: &Authenticator,
        store: S,
        format: impl Mint,
    ) -> Result<Self, ConfigError> {
        // A format is any type that mints keys, so a key of it has to show whether a source accepts them.
        let sample = Mint::mint(&format, Environment::Live).map_err(|error| {
            ConfigError::new(ConfigErrorKind::KeyFormat, format!("cannot check the format: {error}"))
        })?;
        if !authenticator.sources().accept(sample.reveal().as_str()) {
            let message = "no source of the authenticator accepts keys of this format: give it to a source (`Source::format`), or mint keys of theirs";
            return Err(ConfigError::new(ConfigErrorKind::KeyFormat, message));
        }
        let ((digesters, clock, lease), policy) = (authenticator.shared(), authenticator.policy().clone());
        Ok(Self { digesters, clock, lease, policy, ..Self::new(store, format) })
    }

    /// Returns the manager of the sessions that an authenticator looks up, by its clock.
    ///
    /// # Errors
    ///
    /// When the authenticator lacks the digester of the manager, and would find none of them.
    #[cfg(feature = "console")]
    pub(crate) fn of_sessions(self, authenticator: &Authenticator) -> Result<Self, ConfigError> {
        let (Digesters { current, former }, clock, _) = authenticator.shared();
        let own = self.digesters.current.fingerprint();
        let is_former = || former.iter().any(|former| former.fingerprint().as_ref() == Some(&own));
        if own != current.fingerprint() && !is_former() {
            let message = "the manager of the console has a digester that its authenticator lacks: create it by `KeyManager::for_authenticator`";
            return Err(ConfigError::new(ConfigErrorKind::Console, message));
        }
        Ok(Self { clock, ..self })
    }

    /// Sets the format of new keys, for a service with several kinds of keys.
    #[must_use]
    pub fn with_format(self, format: impl Mint) -> Self {
        Self { format: Arc::new(format), ..self }
    }

    /// Sets the digester, which must be that of the authenticators: their current one, or a former one until each of them has a
    /// [new pepper](crate::_guide::operations#a-new-pepper).
    #[must_use]
    pub fn digester(self, digester: Digester) -> Self {
        Self { digesters: Digesters { current: digester, ..self.digesters }, ..self }
    }

    /// Adds a former digester, as that of the authenticators: a text that the store has under it cannot be imported again.
    #[must_use]
    pub fn former_digester(mut self, digester: impl Into<FormerDigester>) -> Self {
        self.digesters.former.push(digester.into());
        self
    }

    /// Returns the fingerprints of the settings with which keys are made.
    pub(super) fn fingerprints(&self) -> impl Iterator<Item = Fingerprint> {
        [self.digesters.current.fingerprint()].into_iter().chain(self.format.fingerprint())
    }

    /// Sets the clock.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Sets how long other processes may use their cached entries: the longest [lease](crate::AuthenticatorBuilder::lease) of their
    /// authenticators plus their [stale grace](crate::AuthenticatorBuilder::stale_grace), if any. Default: 5 s, the default lease. A store
    /// that keeps a list of nodes with their leases corrects a value that is too short.
    ///
    /// # Panics
    ///
    /// If `lease` is zero.
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        assert!(!lease.is_zero(), "the lease must be above zero");
        Self { lease, ..self }
    }

    /// Requires a name for each key that is created, imported or renamed. By default, names are optional.
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
        Self { requires_names: true, ..self }
    }

    /// Requires a scope of each key that is created or imported, and of an update that sets its scopes. By default, a key may have none.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use tower_api_key::manage::{KeyManager, NewKey};
    /// use tower_api_key::{KeyFormat, MemoryStore, Owner};
    ///
    /// let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?).require_scopes();
    /// let wanted = NewKey::new(Owner::organization("acme"));
    /// assert_eq!(manager.create(wanted.clone()).await.unwrap_err().fields()[0].field, "scopes");
    /// assert!(manager.create(wanted.scopes("notes.read".parse()?)).await.is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn require_scopes(self) -> Self {
        Self { requires_scopes: true, ..self }
    }

    /// Sets the permissions that keys can be granted. A key is created and imported with listed scopes only; an update may also leave a key
    /// scopes that it has. By default, any scope can be granted.
    ///
    /// A rotation is not limited, so keys outlive a permission that the application no longer lists.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use tower_api_key::manage::{KeyManager, NewKey, Permissions};
    /// use tower_api_key::{KeyFormat, MemoryStore};
    ///
    /// let permissions = Permissions::new().group("Notes", [("notes.read", "Read notes"), ("notes.write", "Write notes")])?;
    /// let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?).with_permissions(permissions);
    /// let error = manager.create(NewKey::for_organization("acme").scopes("notes.raed".parse()?)).await.unwrap_err();
    /// assert_eq!(error.to_string(), "invalid values: scopes: no scope `notes.raed`; did you mean `notes.read`?");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with_permissions(self, permissions: Permissions) -> Self {
        Self { permissions: Some(Arc::new(permissions)), ..self }
    }

    /// Returns the permissions that keys can be granted; `None` if any scope can be granted.
    pub fn permissions(&self) -> Option<&Permissions> {
        self.permissions.as_deref()
    }

    /// Lets callers update, disable and revoke keys with scopes that they lack. By default, a caller changes only keys that it could
    /// have created, and its own. Granting scopes or postponing an expiry always requires the scopes.
    #[must_use]
    pub fn allow_stronger_keys(self) -> Self {
        Self { stronger_keys: true, ..self }
    }

    /// Sets whether a rotation restarts the lifetime of a key. Default: `true`, so that a key of 90 days is replaced by one of 90 days. With
    /// `false`, the successor expires when the key would have.
    #[must_use]
    pub fn rotation_renews(self, renews: bool) -> Self {
        Self { rotation_renews: renews, ..self }
    }

    /// Sets a sink that receives an event for each change of keys, after the store has acknowledged it. A change of owners, with the keys
    /// that it revokes, has none, nor has the retirement of digests.
    ///
    /// A call that is dropped before it returns may have made its change without an event. Revoking, disabling or enabling a key without effect
    /// emits an event as well. The log of the store is exact in both cases: see [`AuditLog`](crate::backend::AuditLog).
    #[must_use]
    pub fn audit(self, audit: impl Audit) -> Self {
        Self { audit: Some(Hook::new(audit)), ..self }
    }

    /// Sets the actor of changes that name none. Use an id rather than a name or an e-mail: it is kept with the keys, and for as long as the
    /// audit log.
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
    pub fn acting_as(self, name: impl Into<Box<str>>) -> Self {
        Self { actor: Actor::named(name), ..self }
    }

    /// Sets the actor of all changes, which the store checks in the transaction of each: for changes beyond the keys of the caller's own
    /// owner. The application decides which changes are permitted, with the [requirements](Actor::requires_for) of the actor.
    #[must_use]
    pub fn acting_for(self, actor: Actor) -> Self {
        Self { actor, ..self }
    }

    pub(super) fn bounded_actor(&self) -> BoundedActor {
        BoundedActor { actor: self.actor.clone(), bounds: None }
    }

    /// Returns the time on the manager's clock.
    #[cfg(feature = "routes")]
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.wall()
    }
}

impl<S> KeyManager<S> {
    /// Returns how long other processes may use their cached entries.
    #[cfg(feature = "console")]
    pub(crate) fn longest_lease(&self) -> Duration {
        self.lease
    }
}

impl<S: AuditLog> KeyManager<S> {
    /// Returns the entries of the audit log that match a query, including those of deleted keys.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use tower_api_key::backend::AuditQuery;
    /// use tower_api_key::manage::{KeyManager, NewKey};
    /// use tower_api_key::{KeyFormat, MemoryStore};
    ///
    /// let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?).acting_as("job:nightly");
    /// let id = manager.create(NewKey::for_organization("acme")).await?.record().id.clone();
    /// manager.revoke(&id, "lost").await?;
    ///
    /// let last = manager.query_audit(&AuditQuery::all().of_organization("acme").limit(1)).await?;
    /// assert_eq!(last[0].event.action.label(), "revoked");
    /// assert_eq!(last[0].event.by.as_deref(), Some("job:nightly"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn query_audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, ManageError> {
        Ok(self.store.audit_log(query).await?)
    }
}

impl<S: UsageStore> KeyManager<S> {
    /// Returns the usage of the keys that match a query, including deleted keys.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn query_usage(&self, query: &UsageQuery) -> Result<Vec<UsageLine>, ManageError> {
        Ok(self.store.usage(query).await?)
    }
}
