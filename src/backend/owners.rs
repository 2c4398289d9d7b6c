//! Owners of keys: the write side of organizations, people, memberships and projects.

use std::future::Future;
use std::sync::Arc;

use super::{Actor, Backend, BackendError};
use crate::owner::{Membership, Organization, Owner, Project, User};
use crate::password_hash::PasswordHash;
use crate::record::Revocation;

/// A store that keeps the owners of keys beside the keys.
///
/// The rights of a person are computed from the memberships when a request is authorized. So a person who is removed from an
/// organization is refused there from the next request on, as is a revoked key: a change of an owner invalidates all its keys,
/// and an acknowledged change is in effect in this process.
///
/// Keys may belong to organizations that the store does not know; these are enabled and do not require single sign-on.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use tower_api_key::backend::OwnerStore;
/// use tower_api_key::owner::{Membership, Organization, User};
/// use tower_api_key::{MemoryStore, Scopes};
///
/// let store = MemoryStore::new();
/// let acme = Organization::new("acme");
/// store.put_organization(acme.clone()).await?;
/// store.put_user("Ann@example.com").await?;
/// store.put_membership("ann@example.com", Membership::new(acme, "reader", Scopes::parse("notes.read")?)).await?;
///
/// let ann = store.user("ann@example.com").await?.expect("the person");
/// assert_eq!(&*ann.memberships[0].role, "reader");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait OwnerStore: Backend {
    /// Makes a change, if the actor may make it at that moment. The other methods that change owners make the same changes as the
    /// application itself.
    ///
    /// A store looks up the [subject](Actor::subject) of the actor in the transaction of the change, and
    /// [authorizes](Actor::authorize) it. Effects of the change on its own actor do not count.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::BackendErrorKind::Forbidden) if the actor may not make the change, or no longer;
    /// [`Conflict`](super::BackendErrorKind::Conflict) if an owner with this id was deleted, and not purged since;
    /// [`NotFound`](super::BackendErrorKind::NotFound) if the change is about, or refers to, an organization, a person, a
    /// membership or a project that does not exist; [`Invalid`](super::BackendErrorKind::Invalid) if the store cannot keep the
    /// values; [`Unavailable`](super::BackendErrorKind::Unavailable) if the store is unavailable. Nothing was changed then,
    /// except perhaps after the last one.
    fn change_owner(
        &self,
        change: OwnerChange,
        actor: Actor,
    ) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// Returns an organization.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn organization(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<Option<Organization>, BackendError>> + Send;

    /// Returns a person with the memberships, in the order of their organizations.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn user(&self, email: &str) -> impl Future<Output = Result<Option<User>, BackendError>> + Send {
        self.find_user(email)
    }

    /// Returns the hash of a person's password, if one is set. Useful to move people to another store.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn password_hash(
        &self,
        email: &str,
    ) -> impl Future<Output = Result<Option<PasswordHash>, BackendError>> + Send {
        async move {
            Ok(self
                .find_user(email)
                .await?
                .and_then(|user| user.password().map(|password| password.hash.clone())))
        }
    }

    /// Returns the first `limit` members of an organization after `after`, in the byte order of their e-mails. Each has the
    /// membership in that organization alone.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn members(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<User>, BackendError>> + Send;

    /// Returns a project.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn project(
        &self,
        organization: &str,
        id: &str,
    ) -> impl Future<Output = Result<Option<Project>, BackendError>> + Send;

    /// Returns the first `limit` projects of an organization after `after`, in the byte order of their ids.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn projects(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Project>, BackendError>> + Send;

    /// Adds an organization, or changes whether it is disabled and requires single sign-on.
    ///
    /// # Errors
    ///
    /// Those of [`change_owner`](Self::change_owner), as for all methods that follow.
    fn put_organization(
        &self,
        organization: Organization,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        self.change_owner(OwnerChange::put_organization(organization), Actor::system())
    }

    /// Deletes an organization with its projects and memberships, and revokes the keys of both. Its id cannot be used again until
    /// the organization is [purged](Self::purge_owner): the next owner with the id would get its keys and usage.
    ///
    /// # Errors
    ///
    /// Those of [`change_owner`](Self::change_owner).
    fn delete_organization(
        &self,
        id: &str,
        revocation: Revocation,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        self.change_owner(OwnerChange::delete_organization(id, revocation), Actor::system())
    }

    /// Adds a person without memberships and password. An existing person stays as it is.
    ///
    /// # Errors
    ///
    /// Those of [`change_owner`](Self::change_owner).
    fn put_user(&self, email: &str) -> impl Future<Output = Result<(), BackendError>> + Send {
        self.change_owner(OwnerChange::put_user(email), Actor::system())
    }

    /// Sets or removes the hash of a person's password. The former password is refused from then on.
    ///
    /// # Errors
    ///
    /// Those of [`change_owner`](Self::change_owner).
    fn set_password(
        &self,
        email: &str,
        hash: Option<PasswordHash>,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        self.change_owner(OwnerChange::set_password(email, hash), Actor::system())
    }

    /// Deletes a person with the memberships, and revokes the person's keys. The address cannot be used again until the person is
    /// [purged](Self::purge_owner). Until then the store keeps a digest of it.
    ///
    /// # Errors
    ///
    /// Those of [`change_owner`](Self::change_owner).
    fn delete_user(
        &self,
        email: &str,
        revocation: Revocation,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        self.change_owner(OwnerChange::delete_user(email, revocation), Actor::system())
    }

    /// Adds a person to an organization, or changes the role. Of the organization, the store keeps the id alone.
    ///
    /// # Errors
    ///
    /// Those of [`change_owner`](Self::change_owner).
    fn put_membership(
        &self,
        email: &str,
        membership: Membership,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        self.change_owner(OwnerChange::put_membership(email, membership), Actor::system())
    }

    /// Removes a person from an organization.
    ///
    /// # Errors
    ///
    /// Those of [`change_owner`](Self::change_owner).
    fn delete_membership(
        &self,
        email: &str,
        organization: &str,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        self.change_owner(OwnerChange::delete_membership(email, organization), Actor::system())
    }

    /// Adds a project to an organization. An existing project stays as it is.
    ///
    /// # Errors
    ///
    /// Those of [`change_owner`](Self::change_owner).
    fn put_project(
        &self,
        organization: &str,
        id: &str,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        self.change_owner(OwnerChange::put_project(organization, id), Actor::system())
    }

    /// Deletes a project, and revokes its keys. Its id cannot be used again in the organization until the project is
    /// [purged](Self::purge_owner).
    ///
    /// # Errors
    ///
    /// Those of [`change_owner`](Self::change_owner).
    fn delete_project(
        &self,
        organization: &str,
        id: &str,
        revocation: Revocation,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        self.change_owner(OwnerChange::delete_project(organization, id, revocation), Actor::system())
    }

    /// Purges a deleted owner: deletes its keys and usage, and releases its id. With an organization, its projects are purged.
    ///
    /// Processes may still have usage of the former owner to write: before you give the id to another owner, wait for a flush
    /// interval of [`Usage`](crate::usage::Usage) and a lease.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::BackendErrorKind::NotFound) if no such owner was deleted; and those of
    /// [`change_owner`](Self::change_owner).
    fn purge_owner(&self, owner: &Owner) -> impl Future<Output = Result<(), BackendError>> + Send {
        self.change_owner(OwnerChange::PurgeOwner(owner.identity()), Actor::system())
    }
}

/// A change of the owners of keys, with one variant for each method of [`OwnerStore`].
///
/// Ids are kept as they are; the ASCII letters of e-mails are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OwnerChange {
    /// See [`OwnerStore::put_organization`].
    PutOrganization(Organization),
    /// See [`OwnerStore::delete_organization`].
    DeleteOrganization(Box<str>, Revocation),
    /// See [`OwnerStore::put_user`].
    PutUser(Box<str>),
    /// See [`OwnerStore::set_password`].
    SetPassword(Box<str>, Option<PasswordHash>),
    /// Replaces the hash of a password by another hash of the same password, unless it was changed meanwhile.
    Rehash(Box<str>, PasswordHash, PasswordHash),
    /// See [`OwnerStore::delete_user`].
    DeleteUser(Box<str>, Revocation),
    /// See [`OwnerStore::put_membership`].
    PutMembership(Box<str>, Membership),
    /// See [`OwnerStore::delete_membership`].
    DeleteMembership(Box<str>, Box<str>),
    /// See [`OwnerStore::put_project`].
    PutProject(Box<str>, Box<str>),
    /// See [`OwnerStore::delete_project`].
    DeleteProject(Box<str>, Box<str>, Revocation),
    /// See [`OwnerStore::purge_owner`].
    PurgeOwner(Owner),
}

impl OwnerChange {
    /// See [`OwnerStore::put_organization`].
    pub fn put_organization(organization: Organization) -> Self {
        Self::PutOrganization(organization)
    }

    /// See [`OwnerStore::delete_organization`].
    pub fn delete_organization(id: &str, revocation: Revocation) -> Self {
        Self::DeleteOrganization(id.into(), revocation)
    }

    /// See [`OwnerStore::put_user`].
    pub fn put_user(email: &str) -> Self {
        Self::PutUser(lower(email))
    }

    /// See [`OwnerStore::set_password`].
    pub fn set_password(email: &str, hash: Option<PasswordHash>) -> Self {
        Self::SetPassword(lower(email), hash)
    }

    /// See [`OwnerStore::delete_user`].
    pub fn delete_user(email: &str, revocation: Revocation) -> Self {
        Self::DeleteUser(lower(email), revocation)
    }

    /// See [`OwnerStore::put_membership`].
    pub fn put_membership(email: &str, membership: Membership) -> Self {
        Self::PutMembership(lower(email), membership)
    }

    /// See [`OwnerStore::delete_membership`].
    pub fn delete_membership(email: &str, organization: &str) -> Self {
        Self::DeleteMembership(lower(email), organization.into())
    }

    /// See [`OwnerStore::put_project`].
    pub fn put_project(organization: &str, id: &str) -> Self {
        Self::PutProject(organization.into(), id.into())
    }

    /// See [`OwnerStore::delete_project`].
    pub fn delete_project(organization: &str, id: &str, revocation: Revocation) -> Self {
        Self::DeleteProject(organization.into(), id.into(), revocation)
    }
}

fn lower(email: &str) -> Box<str> {
    User::new(email, []).email
}

impl<S: OwnerStore> OwnerStore for Arc<S> {
    fn change_owner(
        &self,
        change: OwnerChange,
        actor: Actor,
    ) -> impl Future<Output = Result<(), BackendError>> + Send {
        (**self).change_owner(change, actor)
    }

    fn organization(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<Option<Organization>, BackendError>> + Send {
        (**self).organization(id)
    }

    fn members(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<User>, BackendError>> + Send {
        (**self).members(organization, after, limit)
    }

    fn project(
        &self,
        organization: &str,
        id: &str,
    ) -> impl Future<Output = Result<Option<Project>, BackendError>> + Send {
        (**self).project(organization, id)
    }

    fn projects(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Project>, BackendError>> + Send {
        (**self).projects(organization, after, limit)
    }
}
