//! Where keys are kept: one trait to look them up, and what implements it.
//!
//! A [`Backend`] answers one question: which record has this digest? It has three answers, found, not found and could
//! not ask, and only the first two are ever remembered. A backend that also keeps keys is a [`KeyStore`]; one that also keeps
//! their owners is an [`OwnerStore`], and an application that keeps those itself has a [`OwnerResolver`]. How often keys are used is
//! kept in a [`UsageStore`]. Every change of keys and owners has an [`Actor`], who is judged in the transaction of the change.
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
mod key_edit;
mod error;
mod filter;
mod invalidation;
mod keys;
mod deleted_owner;
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

pub use actor::{Actor, ResolvedSubject, KeyActor, PersonActor, AuthorizedActor, Subject};
pub use audit::{AuditEntry, AuditLog};
pub use change_feed::{BoxedChangeFeed, ChangeFeed};
pub use key_edit::{Grace, KeyUpdate, Rotation};
pub use error::{BackendError, BackendErrorKind};
pub use filter::KeyFilter;
pub use invalidation::{Change, Invalidator, PendingInvalidation, Subscriber};
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

/// A place to look keys up by their digest.
pub trait Backend: Send + Sync + 'static {
    /// Returns the record with this digest, or `None` if there is none.
    ///
    /// A revoked or expired key has a record; the record says so.
    ///
    /// # Errors
    ///
    /// When the question could not be answered. The request is then refused with 503, and nothing is remembered. Never
    /// report an outage as `None`: that would tell the owner of a good key that it is bad.
    fn find(&self, digest: &Digest) -> impl Future<Output = Result<Option<Record>, BackendError>> + Send;

    /// Takes the one who wants to hear of changes, before they are acknowledged to whoever made them.
    ///
    /// Called once for each authenticator, when it is built. A store keeps the subscriber in its [`Invalidator`]. The
    /// default ignores it: without news of changes, a record may be used for the whole time to live of the cache after
    /// the key was revoked.
    fn subscribe(&self, subscriber: Subscriber) {
        drop(subscriber);
    }

    /// Returns a reader of the changes that other processes make. An authenticator follows it for as long as it lives.
    ///
    /// The default says that there are none, as is right for a store that no other process can change. A store that others
    /// do change should have one, lest a revocation by another process wait for the time to live of the cache.
    fn feed(&self) -> Option<BoxedChangeFeed> {
        None
    }

    /// Returns how many lookups the store carries out at a time. More of them wait in the authenticator, where keys that were good a
    /// short while ago do not wait behind unknown ones; in a queue of the store they would. The default says any number; a backend that
    /// wraps another one passes it on.
    fn max_concurrent_lookups(&self) -> usize {
        usize::MAX
    }

    /// Takes note that a key whose record has a `first_use_grace` was used for the first time: the key that it replaced ends
    /// that much later, and the record has none from now on. The second call changes nothing.
    ///
    /// Called in a task of its own; a request does not wait for it, and an error is tried again by the next request. The
    /// default does nothing, as is right for a backend whose records have no such grace.
    ///
    /// # Errors
    ///
    /// When that could not be written down.
    fn record_first_use(
        &self,
        id: &KeyId,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        let _ = (id, at);
        std::future::ready(Ok(()))
    }

    /// Returns the person with this e-mail (its ASCII letters are in lower case), with the memberships and the hash of the
    /// password, or `None` if there is none. Asked only where passwords are accepted beside keys.
    ///
    /// The default knows nobody.
    ///
    /// # Errors
    ///
    /// As for [`find`](Self::find).
    fn find_user(&self, email: &str) -> impl Future<Output = Result<Option<User>, BackendError>> + Send {
        let _ = email;
        std::future::ready(Ok(None))
    }

    /// Replaces the hash of a person's password by one of the same password with other parameters, unless the hash has
    /// changed meanwhile. The default does nothing.
    ///
    /// # Errors
    ///
    /// When that could not be written down. It is tried again the next time that the password is verified.
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

/// A backend without its type. It is only called on a miss, where a box does not matter.
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
