//! Backends that look keys up, and stores that keep them.
//!
//! A [`Backend`] looks a record up by its digest. The result is a record, `None` or an error, and only the first two are ever
//! cached. [`backend_fn`] makes one from a function. A backend that also keeps keys is a [`KeyStore`]; one that also keeps their
//! owners is an [`OwnerStore`], and an application that keeps those itself implements [`OwnerResolver`]. A [`PlanStore`] keeps plans,
//! which limit many keys at once; an application that gives plans itself gives them with their limits. A [`UsageStore`] counts how often keys are used. Every change of keys and owners has an [`Actor`], which is authorized in the transaction of the change.
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
//!
//! # Implementing a store
//!
//! | Trait | Without a default | With a default |
//! |---|---|---|
//! | [`Backend`] | `find` | `subscribe`, if keys change; `write_back`, if keys are rotated or passwords are hashed anew; `feed`, if other processes change the keys; `find_user`, if users have passwords; `find_any` and `fingerprints`, to replace a pepper |
//! | [`KeyStore`] | `change`, `get`, `list` | `search`, if the store has many keys; `lists_nodes`, `wait_applied`, if the store knows its nodes; `keys_without`, to replace a pepper |
//! | [`OwnerStore`], [`PlanStore`], [`UsageStore`], [`AuditLog`] | all methods | |
//!
//! [`KeyStore`] names the steps of a change, [`KeyEdit`] has the rules of updates, rotations and first uses, and [`Invalidator`]
//! keeps the order of commit, invalidation and acknowledgement. `tests/outside` of the repository is such a store.
//!
//! The crate `tower-api-key-contract`, in `tests/contract` of the repository, has the guarantees of a store as tests. A store runs
//! them by one macro for each trait: `key_store!`, `owner_store!`, `plan_store!`, `usage_store!`, `audit_log!`.
//!
//! ```
//! // tests/contract.rs
//! # type MyStore = tower_api_key::MemoryStore;
//! async fn open() -> (MyStore, ()) {
//!     // Empty, with what has to live as long: a folder, a database, or nothing.
//!     (MyStore::new(), ())
//! }
//!
//! tower_api_key_contract::key_store!(open);
//! # fn main() {}
//! ```

// Layer 3 of 10: storage.
// Above `audit`; below `metrics`, `cache` and `manage`. Bottom to top, a file importing only those before it:
// - values: `error`, `filter`, `search`, `deleted_owner`, `propagation`; a macro: `forward`
// - changes, and who may make them: `expiry`, `key_update`, `rotation`, `audit`, `key_edit`, `actor`, `opener`, `caller`, `last_manager`, `bounds`, `key_batch`, `key_change`, `usage`
// - what changes do to caches: `invalidation`, `change_feed`
// - the traits: `self`, `backend_fn`, `erased`, `keys`, `owners`, `plans`, `owner_resolver`
// - the stores: `memory`, `sql`

mod actor;
mod audit;
mod backend_fn;
mod bounds;
mod caller;
mod change_feed;
mod deleted_owner;
mod erased;
mod error;
mod expiry;
mod filter;
mod forward;
mod invalidation;
mod key_batch;
mod key_change;
mod key_edit;
mod key_update;
mod keys;
mod last_manager;
mod memory;
#[cfg(feature = "console")]
mod opener;
mod owner_resolver;
mod owners;
mod plans;
mod propagation;
mod rotation;
mod search;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
mod usage;

pub use actor::{Actor, AuthorizedActor, KeyActor, ResolvedSubject, SessionActor, Subject, UserActor};
pub use audit::{AuditEntry, AuditLog, AuditQuery, LoggedAction};
pub use backend_fn::{BackendFn, backend_fn};
pub use change_feed::{BoxedChangeFeed, ChangeFeed};
pub use error::{BackendError, BackendErrorKind};
pub use filter::{KeyFilter, RecordKind};
pub use invalidation::{Invalidation, Invalidator, PendingInvalidation, Subscriber};
pub use key_batch::KeyBatch;
pub use key_change::{ChangeOutcome, KeyAction, KeyChange};
pub use key_edit::{EditOutcome, KeyEdit, PredecessorEnd};
pub use key_update::KeyUpdate;
pub use keys::KeyStore;
pub use last_manager::RequiredManager;
pub use memory::MemoryStore;
pub use owner_resolver::{OwnerResolver, WithOwnerResolver};
pub use owners::{OwnerAction, OwnerChange, OwnerStore};
pub use plans::PlanStore;
pub use propagation::Propagation;
pub use rotation::{Grace, Rotation};
pub use search::SearchPosition;
#[cfg(feature = "postgres")]
pub use sql::PostgresStore;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use sql::SqlStore;
#[cfg(feature = "sqlite")]
pub use sql::SqliteStore;
pub use usage::{OTHER_ROUTE, UsageBatch, UsageBy, UsageCount, UsageLine, UsageQuery, UsageStore};

#[cfg(feature = "console")]
pub(crate) use actor::Grant;
pub(crate) use bounds::Bounds;
pub(crate) use caller::Caller;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "routes"))]
pub(crate) use erased::BoxFuture;
pub(crate) use erased::ErasedBackend;
pub(crate) use invalidation::Apply;
pub(crate) use last_manager::ManagerRule;
#[cfg(feature = "postgres")]
pub(crate) use sql::{BlockRequest, BlockReturn, QuotaBlock, QuotaTable};
pub(crate) use usage::{Slot, merge};

use std::future::Future;
use std::sync::Arc;

use forward::forward_to_arc;

use crate::clock::Timestamp;
use crate::digest::{Digest, Fingerprint};
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
    /// If the lookup failed. The request is then rejected with 503, and nothing is cached. Never report an outage as `None`: a
    /// client with a good key would be told that it is invalid.
    fn find(&self, digest: &Digest) -> impl Future<Output = Result<Option<Record>, BackendError>> + Send;

    /// Returns the record with the first of these digests that has one, or `None`. They are the digests of one text under several digesters,
    /// that of the current one first.
    ///
    /// The [`digest`](Record::digest) of the record is the one under which it was found. The default looks each digest up; a store looks
    /// all of them up with one statement. A backend that wraps another one forwards it.
    ///
    /// # Errors
    ///
    /// As for [`find`](Self::find).
    fn find_any(
        &self,
        digests: &[Digest],
    ) -> impl Future<Output = Result<Option<Record>, BackendError>> + Send {
        async move {
            for digest in digests {
                if let Some(record) = self.find(digest).await? {
                    return Ok(Some(record));
                }
            }
            match digests {
                // It may have got the first digest and lost the others since.
                [first, _, ..] => self.find(first).await,
                _ => Ok(None),
            }
        }
    }

    /// Returns the fingerprints of the digesters and formats with which the keys of the store were made, or `None` if the store does not
    /// keep them, which the default does.
    ///
    /// An authenticator compares its settings with them before it trusts the store: one with another pepper would reject every key.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    fn fingerprints(&self) -> impl Future<Output = Result<Option<Vec<Fingerprint>>, BackendError>> + Send {
        std::future::ready(Ok(None))
    }

    /// Returns the user with this e-mail, with memberships and password hash, or `None` if none exists. The ASCII letters of
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

    /// Adds a subscriber, which receives changes before they are acknowledged.
    ///
    /// Called once for each authenticator, when it is built. A store keeps the subscriber in its [`Invalidator`]. The default
    /// ignores it: without invalidations, a revoked key may be accepted for the time to live of the cache.
    fn subscribe(&self, subscriber: Subscriber) {
        drop(subscriber);
    }

    /// Returns a change feed: the changes of all processes, this one included. An authenticator polls it for its whole life.
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

    /// Writes what the authenticator has learnt from a request. The default does nothing.
    ///
    /// Called in a separate task: a request does not wait for it, and a later request tries again after an error.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    fn write_back(&self, write: WriteBack) -> impl Future<Output = Result<(), BackendError>> + Send {
        drop(write);
        std::future::ready(Ok(()))
    }
}

/// A write that an authenticator makes by itself. A second one changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteBack {
    /// The first use of a key whose record has a `first_use_grace`: its predecessor expires after that grace, and the record loses
    /// it.
    FirstUse {
        /// The key.
        id: KeyId,
        /// The time of the use.
        at: Timestamp,
    },
    /// Another hash of the same password, which replaces a user's hash unless that was changed meanwhile.
    PasswordHash {
        /// The user, with ASCII letters in lower case.
        email: Box<str>,
        /// The hash to replace.
        from: PasswordHash,
        /// The hash that replaces it.
        to: PasswordHash,
    },
    /// A further digest of a key that is active at the time of the use, so that the digester under which it was found can be retired. A
    /// change of the key like any other: from then on, each change invalidates this digest as well.
    ///
    /// The digester is added to the [fingerprints](Backend::fingerprints) if one of a digester is among them. A store without any, as of keys that
    /// were imported by their digests, does not contradict nodes that have the former digester only.
    ///
    /// Fails with [`Conflict`](BackendErrorKind::Conflict) if another key has the digest.
    Digest {
        /// The key.
        id: KeyId,
        /// The digest.
        digest: Digest,
        /// The digester that computed it.
        digester: Fingerprint,
        /// The time of the use.
        at: Timestamp,
    },
}

forward_to_arc! { Backend:
    fn find(digest: &Digest) -> impl Future<Output = Result<Option<Record>, BackendError>> + Send;
    fn find_any(digests: &[Digest]) -> impl Future<Output = Result<Option<Record>, BackendError>> + Send;
    fn fingerprints() -> impl Future<Output = Result<Option<Vec<Fingerprint>>, BackendError>> + Send;
    fn find_user(email: &str) -> impl Future<Output = Result<Option<User>, BackendError>> + Send;
    fn subscribe(subscriber: Subscriber) -> ();
    fn feed() -> Option<BoxedChangeFeed>;
    fn max_concurrent_lookups() -> usize;
    fn write_back(write: WriteBack) -> impl Future<Output = Result<(), BackendError>> + Send;
}
