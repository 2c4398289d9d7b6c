//! Reads of owners that the application keeps, and a store of keys that reads them with each record. Only new hashes of passwords are
//! passed to the application to write.

// Layer 3 of 10: storage.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::forward::forward_to_arc;
use super::{Backend, BackendError, BoxedChangeFeed, ChangeFeed, Invalidation, Subscriber, WriteBack};
use crate::digest::{Digest, Fingerprint};
use crate::owner::{Organization, Owner, User};
use crate::record::Record;
use crate::select::select;

/// Resolves the owners of keys, for an application with its own tables of organizations and users.
///
/// [`WithOwnerResolver`] combines it with a store of keys. An application without such tables uses those of an
/// [`OwnerStore`](super::OwnerStore).
pub trait OwnerResolver: Send + Sync + 'static {
    /// Returns the organization with this id, or `None` if it does not exist. Keys of an organization that does not exist are unknown.
    ///
    /// A plan is returned with its limits, by [`Plan::new`](crate::limit::Plan::new). One that is known by its name alone is looked up nowhere: the
    /// requests of its keys are rejected with 503, and the log says so.
    ///
    /// # Errors
    ///
    /// If the lookup failed. Never report an outage as `None`.
    fn organization(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<Option<Organization>, BackendError>> + Send;

    /// Returns the user with this e-mail, with memberships, or `None` if none exists. The ASCII letters of the e-mail are in
    /// lower case. Keys of a user who does not exist are unknown.
    ///
    /// # Errors
    ///
    /// As for [`organization`](Self::organization).
    fn user(&self, email: &str) -> impl Future<Output = Result<Option<User>, BackendError>> + Send;

    /// Adds a subscriber, as [`Backend::subscribe`] does. When an organization changes, invalidate [`Invalidation::Everything`]. When a
    /// user changes, invalidate [`Invalidation::of_user`] and the digests of the user's keys, or everything. The default ignores
    /// the subscriber: changes then take effect after the time to live of the cache.
    fn subscribe(&self, subscriber: Subscriber) {
        drop(subscriber);
    }

    /// Returns a change feed of the owners, as [`Backend::feed`] does.
    fn feed(&self) -> Option<BoxedChangeFeed> {
        None
    }

    /// Writes what the authenticator has learnt of a user, as [`Backend::write_back`] does. The default does nothing.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    fn write_back(&self, write: WriteBack) -> impl Future<Output = Result<(), BackendError>> + Send {
        drop(write);
        std::future::ready(Ok(()))
    }
}

forward_to_arc! { OwnerResolver:
    fn organization(id: &str) -> impl Future<Output = Result<Option<Organization>, BackendError>> + Send;
    fn user(email: &str) -> impl Future<Output = Result<Option<User>, BackendError>> + Send;
    fn subscribe(subscriber: Subscriber) -> ();
    fn feed() -> Option<BoxedChangeFeed>;
    fn write_back(write: WriteBack) -> impl Future<Output = Result<(), BackendError>> + Send;
}

/// A store of keys, combined with a resolver of their owners.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use tower_api_key::backend::{Backend, BackendError, KeyChange, KeyStore};
/// use tower_api_key::backend::{OwnerResolver, WithOwnerResolver};
/// use tower_api_key::digest::Digester;
/// use tower_api_key::owner::{Membership, Organization, User};
/// use tower_api_key::{KeyId, MemoryStore, Owner, Record, Scopes};
///
/// /// A company whose members may all read.
/// struct Company;
///
/// impl OwnerResolver for Company {
///     async fn organization(&self, id: &str) -> Result<Option<Organization>, BackendError> {
///         Ok((id == "acme").then(|| Organization::new(id)))
///     }
///
///     async fn user(&self, email: &str) -> Result<Option<User>, BackendError> {
///         let scopes = Scopes::parse("notes.read").map_err(BackendError::corrupt)?;
///         let reader = Membership::new(Organization::new("acme"), "reader", scopes);
///         Ok(email.ends_with("@example.com").then(|| User::new(email, [reader])))
///     }
/// }
///
/// let keys = MemoryStore::new();
/// for (id, email) in [("key_1", "ann@example.com"), ("key_2", "ann@example.org")] {
///     let digest = Digester::sha256().digest(id.as_bytes());
///     let record = Record::imported(KeyId::new(id)?, digest, Owner::user(email, []));
///     keys.change(KeyChange::insert(record)).await?;
/// }
/// let backend = WithOwnerResolver::new(keys, Company);
/// let found = backend.find(&Digester::sha256().digest(b"key_1")).await?.expect("the key");
/// assert_eq!(&*found.owner.organizations().next().expect("a membership").id, "acme");
/// assert!(backend.find(&Digester::sha256().digest(b"key_2")).await?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct WithOwnerResolver<K, R> {
    keys: K,
    owners: R,
}

impl<K: Backend, R: OwnerResolver> WithOwnerResolver<K, R> {
    /// Combines a store of keys with a resolver of their owners.
    pub fn new(keys: K, owners: R) -> Self {
        Self { keys, owners }
    }

    /// Returns the current owner.
    async fn current(&self, owner: &Owner) -> Result<Option<Owner>, BackendError> {
        Ok(match owner {
            Owner::Organization(own) => self.owners.organization(&own.id).await?.map(Owner::Organization),
            Owner::Project(own) => {
                let organization = self.owners.organization(&own.organization.id).await?;
                organization.map(|organization| Owner::project(organization, own.id.clone()))
            }
            Owner::User(own) => {
                self.owners.user(&own.email).await?.map(|user| Owner::User(user.with_password(None)))
            }
        })
    }

    /// Returns a record with its current owner, or `None` if that does not exist.
    async fn with_owner(&self, record: Option<Record>) -> Result<Option<Record>, BackendError> {
        let Some(record) = record else { return Ok(None) };
        let owner = self.current(&record.owner).await?;
        Ok(owner.map(|owner| Record { owner, ..record }))
    }
}

impl<K: Backend, R: OwnerResolver> Backend for WithOwnerResolver<K, R> {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        let record = self.keys.find(digest).await?;
        self.with_owner(record).await
    }

    async fn find_any(&self, digests: &[Digest]) -> Result<Option<Record>, BackendError> {
        let record = self.keys.find_any(digests).await?;
        self.with_owner(record).await
    }

    async fn fingerprints(&self) -> Result<Option<Vec<Fingerprint>>, BackendError> {
        self.keys.fingerprints().await
    }

    async fn find_user(&self, email: &str) -> Result<Option<User>, BackendError> {
        self.owners.user(email).await
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.keys.subscribe(subscriber.clone());
        self.owners.subscribe(subscriber);
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        match (self.keys.feed(), self.owners.feed()) {
            (Some(keys), Some(owners)) => {
                Some(BoxedChangeFeed::new(MergedFeed { keys, owners, pending: Vec::new() }))
            }
            (one, other) => one.or(other),
        }
    }

    fn max_concurrent_lookups(&self) -> usize {
        self.keys.max_concurrent_lookups()
    }

    async fn write_back(&self, write: WriteBack) -> Result<(), BackendError> {
        match write {
            WriteBack::FirstUse { .. } | WriteBack::Digest { .. } => self.keys.write_back(write).await,
            WriteBack::PasswordHash { .. } => self.owners.write_back(write).await,
        }
    }
}

/// The merged changes of keys and of owners.
struct MergedFeed {
    keys: BoxedChangeFeed,
    owners: BoxedChangeFeed,
    /// Changes of keys while those of owners are still to be read: a poll that fails half-way loses nothing.
    pending: Vec<Invalidation>,
}

impl ChangeFeed for MergedFeed {
    async fn poll(&mut self) -> Result<Vec<Invalidation>, BackendError> {
        self.pending.extend(self.keys.poll().await?);
        let of_owners = self.owners.poll().await?;
        Ok(std::mem::take(&mut self.pending).into_iter().chain(of_owners).collect())
    }

    fn set_lease(&mut self, length: Duration, grace: Duration) {
        self.keys.set_lease(length, grace);
        self.owners.set_lease(length, grace);
    }

    async fn ack(&mut self) -> Result<(), BackendError> {
        self.keys.ack().await?;
        self.owners.ack().await
    }

    async fn changed(&mut self) {
        select(self.keys.changed(), self.owners.changed()).await;
    }

    fn is_listening(&self) -> Option<bool> {
        match (self.keys.is_listening(), self.owners.is_listening()) {
            (Some(keys), Some(owners)) => Some(keys && owners),
            (one, other) => one.or(other),
        }
    }
}
