//! Backends that look keys up, and stores that keep them.
//!
//! A [`Backend`] looks a record up by its digest. The result is a record, `None` or an error, and only the first two are ever
//! cached. A backend that also keeps keys is a [`KeyStore`]; one that also keeps their owners is an [`OwnerStore`], and an
//! application that keeps those itself implements [`OwnerResolver`]. A [`UsageStore`] counts how often keys are used. Every
//! change of keys and owners has an [`Actor`], which is authorized in the transaction of the change.
//!
//! ```
//! use tower_api_key::backend::{Backend, BackendError};
//! use tower_api_key::digest::Digest;
//! use tower_api_key::{Owner, Record, key::KeyId};
//!
//! /// A single key from the configuration of a service.
//! struct OneKey(Digest);
//!
//! impl Backend for OneKey {
//!     async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
//!         let id = KeyId::new("the-one-key").map_err(BackendError::invalid)?;
//!         let found = *digest == self.0;
//!         Ok(found.then(|| Record::imported(id, self.0, Owner::organization("acme"))))
//!     }
//! }
//! ```

mod actor;
mod audit;
mod bounds;
mod change_feed;
mod deleted_owner;
mod error;
mod filter;
mod invalidation;
mod key_edit;
mod keys;
mod memory;
mod owner_resolver;
mod owners;
#[cfg(feature = "postgres")]
mod postgres;
mod propagation;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod usage;

pub use actor::{Actor, AuthorizedActor, KeyActor, PersonActor, ResolvedSubject, Subject};
pub use audit::{AuditEntry, AuditLog};
pub use change_feed::{BoxedChangeFeed, ChangeFeed};
pub use error::{BackendError, BackendErrorKind};
pub use filter::KeyFilter;
pub use invalidation::{Invalidation, Invalidator, PendingInvalidation, Subscriber};
pub use key_edit::{Grace, KeyUpdate, Rotation};
pub use keys::{ChangeOutcome, KeyAction, KeyChange, KeyStore};
pub use memory::MemoryStore;
pub use owner_resolver::{OwnerResolver, WithOwnerResolver};
pub use owners::{OwnerChange, OwnerStore};
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
pub use propagation::Propagation;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
pub use usage::{UsageBatch, UsageBy, UsageCount, UsageLine, UsageQuery, UsageStore};

#[cfg(feature = "manage")]
pub(crate) use bounds::Bounds;
pub(crate) use invalidation::Apply;
pub(crate) use usage::{Slot, merge};

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::key::KeyId;
use crate::owner::User;
use crate::password_hash::PasswordHash;
use crate::record::Record;

/// Looks records up by their digest.
pub trait Backend: Send + Sync + 'static {
    /// Returns the record with this digest, or `None` if it does not exist.
    ///
    /// Revoked and expired keys have records too.
    ///
    /// # Errors
    ///
    /// If the lookup failed. The request is then refused with 503, and nothing is cached. Never report an outage as `None`: a
    /// client with a good key would be told that it is invalid.
    fn find(&self, digest: &Digest) -> impl Future<Output = Result<Option<Record>, BackendError>> + Send;

    /// Adds a subscriber, which receives changes before they are acknowledged.
    ///
    /// Called once for each authenticator, when it is built. A store keeps the subscriber in its [`Invalidator`]. The default
    /// ignores it: without invalidations, a revoked key may be accepted for the time to live of the cache.
    fn subscribe(&self, subscriber: Subscriber) {
        drop(subscriber);
    }

    /// Returns a change feed of other processes. An authenticator follows it for its whole life.
    ///
    /// The default returns `None`, for a store that no other process can change. A store that other processes change should have
    /// a feed: otherwise a revocation by another process takes effect only after the time to live of the cache.
    fn feed(&self) -> Option<BoxedChangeFeed> {
        None
    }

    /// Returns how many lookups the store performs concurrently. The authenticator queues further ones, so that known keys do not
    /// wait behind unknown ones, which a queue of the store could not tell apart. The default is unlimited; a backend that wraps another one
    /// forwards it.
    fn max_concurrent_lookups(&self) -> usize {
        usize::MAX
    }

    /// Records the first use of a key whose record has a `first_use_grace`: its predecessor expires after that grace, and the
    /// record loses it. A second call changes nothing.
    ///
    /// Called in a separate task: a request does not wait for it, and the next request retries after an error. The default does
    /// nothing, for backends whose records have no such grace.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    fn record_first_use(
        &self,
        id: &KeyId,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        let _ = (id, at);
        std::future::ready(Ok(()))
    }

    /// Returns the person with this e-mail, with memberships and password hash, or `None` if none exists. The ASCII letters of
    /// the e-mail are in lower case. Called only where passwords are accepted beside keys.
    ///
    /// The default returns `None`.
    ///
    /// # Errors
    ///
    /// As for [`find`](Self::find).
    fn find_user(&self, email: &str) -> impl Future<Output = Result<Option<User>, BackendError>> + Send {
        let _ = email;
        std::future::ready(Ok(None))
    }

    /// Replaces a person's password hash by another hash of the same password, unless it was changed meanwhile. The default does
    /// nothing.
    ///
    /// # Errors
    ///
    /// If the hash cannot be written. It is retried the next time that the password is verified.
    fn replace_password_hash(
        &self,
        email: &str,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        let _ = (email, from, to);
        std::future::ready(Ok(()))
    }
}

impl<B: Backend> Backend for Arc<B> {
    fn find(&self, digest: &Digest) -> impl Future<Output = Result<Option<Record>, BackendError>> + Send {
        (**self).find(digest)
    }

    fn subscribe(&self, subscriber: Subscriber) {
        (**self).subscribe(subscriber);
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        (**self).feed()
    }

    fn max_concurrent_lookups(&self) -> usize {
        (**self).max_concurrent_lookups()
    }

    fn record_first_use(
        &self,
        id: &KeyId,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        (**self).record_first_use(id, at)
    }

    fn find_user(&self, email: &str) -> impl Future<Output = Result<Option<User>, BackendError>> + Send {
        (**self).find_user(email)
    }

    fn replace_password_hash(
        &self,
        email: &str,
        from: &PasswordHash,
        to: &PasswordHash,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        (**self).replace_password_hash(email, from, to)
    }
}

/// A type-erased backend. It is called only on a cache miss, where a box does not matter.
pub(crate) trait ErasedBackend: Send + Sync {
    fn find<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Option<Record>>;
    fn subscribe(&self, subscriber: Subscriber);
    fn feed(&self) -> Option<BoxedChangeFeed>;
    fn max_concurrent_lookups(&self) -> usize;
    fn record_first_use<'a>(&'a self, id: &'a KeyId, at: Timestamp) -> BoxFuture<'a, ()>;
    #[cfg(feature = "password")]
    fn find_user<'a>(&'a self, email: &'a str) -> BoxFuture<'a, Option<User>>;
    #[cfg(feature = "password")]
    fn replace_password_hash<'a>(
        &'a self,
        email: &'a str,
        from: &'a PasswordHash,
        to: &'a PasswordHash,
    ) -> BoxFuture<'a, ()>;
}

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'a>>;

impl<B: Backend> ErasedBackend for B {
    fn find<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Option<Record>> {
        Box::pin(Backend::find(self, digest))
    }

    fn subscribe(&self, subscriber: Subscriber) {
        Backend::subscribe(self, subscriber);
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        Backend::feed(self)
    }

    fn max_concurrent_lookups(&self) -> usize {
        Backend::max_concurrent_lookups(self)
    }

    fn record_first_use<'a>(&'a self, id: &'a KeyId, at: Timestamp) -> BoxFuture<'a, ()> {
        Box::pin(Backend::record_first_use(self, id, at))
    }

    #[cfg(feature = "password")]
    fn find_user<'a>(&'a self, email: &'a str) -> BoxFuture<'a, Option<User>> {
        Box::pin(Backend::find_user(self, email))
    }

    #[cfg(feature = "password")]
    fn replace_password_hash<'a>(
        &'a self,
        email: &'a str,
        from: &'a PasswordHash,
        to: &'a PasswordHash,
    ) -> BoxFuture<'a, ()> {
        Box::pin(Backend::replace_password_hash(self, email, from, to))
    }
}
