//! The life of a key: create, import, list, update, rotate, replace, revoke, delete.
//!
//! [`KeyManager`] is for the code of an application that is trusted with all keys: a command line, a job, a page for
//! administrators. What a customer does to its own keys goes through a [`Delegate`], which knows no other keys and grants
//! nothing that the caller does not have. The store judges the caller once more in the transaction of each change: what was true when its
//! request began does not count.
#![cfg_attr(feature = "axum", doc = "[`routes`] serves a delegate over HTTP, as [`OPENAPI`] describes.")]
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use tower_api_key::backend::{Grace, KeyFilter};
//! use tower_api_key::manage::{KeyManager, NewKey, RotateOptions};
//! use tower_api_key::{KeyFormat, MemoryStore, Owner, Scopes};
//!
//! let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?);
//! let wanted = NewKey::new(Owner::organization("acme")).name("Build server").scopes(Scopes::parse("notes.read")?);
//! let (text, record) = manager.create(wanted).await?.into_parts();
//! assert!(text.as_str().starts_with("demo_live_")); // shown once, here
//!
//! let (_, successor) = manager.rotate(&record.id, RotateOptions::new(Grace::None)).await?.into_parts();
//! assert_eq!(successor.rotated_from, Some(record.id));
//! manager.revoke(&successor.id, "the server is gone").await?;
//! assert_eq!(manager.list(&KeyFilter::of_organization("acme"), None, 10).await?.len(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

mod changes;
mod create_exclusive;
mod delegate;
mod error;
mod new_key;
#[cfg(feature = "axum")]
mod routes;
mod validation;
mod wait;

pub use delegate::Delegate;
pub use error::{FieldError, ManageError, ManageErrorKind};
pub use new_key::{CreatedKey, NewKey, RotateOptions};
#[cfg(feature = "axum")]
pub use routes::{ManageSettings, OPENAPI, RouteError, routes};
pub use wait::Wait;

use std::sync::Arc;
use std::time::Duration;

use crate::audit::{Audit, Hook};
use crate::backend::{Actor, Bounds, KeyStore, UsageLine, UsageQuery, UsageStore};
use crate::clock::{Clock, SystemClock};
use crate::digest::Digester;
use crate::key::Mint;
use crate::principal::Principal;

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
    actor: Actor,
    names: bool,
    stronger_keys: bool,
    rotation_renews: bool,
}

/// Who makes a change, and within what bounds.
#[derive(Debug, Clone)]
struct Authority {
    actor: Actor,
    bounds: Option<Bounds>,
}

impl Authority {
    /// Returns whose doing a change is: that of a caller whatever it says, and of the application as it says.
    fn by(&self, said: Option<Box<str>>) -> Option<Box<str>> {
        let own = self.actor.name().map(Into::into);
        if matches!(self.actor, Actor::System { .. }) { said.or(own) } else { own }
    }
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
            actor: Actor::system(),
            names: false,
            stronger_keys: false,
            rotation_renews: true,
        }
    }

    /// Sets the format of the keys that are minted from now on, for a service with keys of several kinds.
    #[must_use]
    pub fn with_format(self, format: impl Mint) -> Self {
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

    /// Lets callers update and revoke keys with scopes that they lack. Without this, a caller changes and ends only keys that it could
    /// have made, and its own. What grants scopes, or puts an end off, asks for them in any case.
    #[must_use]
    pub fn allow_stronger_keys(self) -> Self {
        Self { stronger_keys: true, ..self }
    }

    /// Sets whether a rotation begins the life of a key anew. Default: `true`, so a key of 90 days is replaced by one of 90 days. With
    /// `false`, the successor ends when the key was to end.
    #[must_use]
    pub fn rotation_renews(self, renews: bool) -> Self {
        Self { rotation_renews: renews, ..self }
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
        Self { actor: Actor::named(by), ..self }
    }

    /// Has an actor make all changes, whom the store judges in the transaction of each: for what an application lets a caller do beside
    /// the keys of its own owner. What may be done is up to the application, and to what the actor
    /// [requires](Actor::requires_for).
    #[must_use]
    pub fn acting_for(self, actor: Actor) -> Self {
        Self { actor, ..self }
    }

    /// Narrows the manager to what a caller may do whose key is in this store. It is judged once more with each change, in place of the
    /// actor of the manager, and has to meet what that requires.
    pub fn on_behalf_of<'m>(&'m self, caller: &'m Principal) -> Delegate<'m, S> {
        Delegate::new(self, caller, caller.actor().requires_same_as(&self.actor))
    }

    /// Narrows the manager to what a caller may do whose key another backend keeps. The store cannot judge such a caller: it may do what
    /// its key entitled it to when it was admitted, however long ago that was. Call [`Principal::recheck`] right before a change.
    pub fn on_behalf_of_external<'m>(&'m self, caller: &'m Principal) -> Delegate<'m, S> {
        Delegate::external(self, caller)
    }

    fn authority(&self) -> Authority {
        Authority { actor: self.actor.clone(), bounds: None }
    }
}

impl<S: UsageStore> KeyManager<S> {
    /// Returns how often the keys that a query means were used, also those that were deleted since.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ManageErrorKind::Unavailable) if the store fails.
    pub async fn query_usage(&self, query: &UsageQuery) -> Result<Vec<UsageLine>, ManageError> {
        Ok(self.store.usage(query).await?)
    }
}
