//! [`OwnerStore`], the trait of stores that keep organizations, users, memberships and projects, and the changes of these.

// Layer 3 of 10: storage.

use std::future::Future;
use std::sync::Arc;

use super::forward::forward_to_arc;
use super::{Actor, Backend, BackendError};
use crate::limit::Plan;
use crate::owner::{Membership, Organization, Owner, Project, User};
use crate::password_hash::PasswordHash;
use crate::record::Revocation;

/// A store that keeps the owners of keys beside the keys.
///
/// The rights of a user are computed from the memberships when a request is authorized. So a user who is removed from an
/// organization is rejected there from the next request on, as is a revoked key: a change of an owner invalidates all its keys,
/// and an acknowledged change is in effect in this process.
///
/// Keys may belong to organizations that the store does not know; these are enabled and do not require single sign-on.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use tower_api_key::backend::{Backend, OwnerChange, OwnerStore};
/// use tower_api_key::owner::{Membership, Organization, User};
/// use tower_api_key::{MemoryStore, Scopes};
///
/// let store = MemoryStore::new();
/// let acme = Organization::new("acme");
/// store.change_owner(OwnerChange::put_organization(acme.clone())).await?;
/// store.change_owner(OwnerChange::put_user("Ann@example.com")).await?;
/// let reader = Membership::new(acme, "reader", Scopes::parse("notes.read")?);
/// store.change_owner(OwnerChange::put_membership("ann@example.com", reader)).await?;
///
/// let ann = store.find_user("ann@example.com").await?.expect("the user");
/// assert_eq!(&*ann.memberships[0].role, "reader");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait OwnerStore: Backend {
    /// Makes a change, if its actor may make it at that moment.
    ///
    /// A store looks up the [subjects](Actor::subjects) of the actor in the transaction of the change,
    /// [authorizes](Actor::authorize) it, and applies the [action](OwnerAction), whose constructor states its effect. Effects of
    /// the change on its own actor do not count. A change writes owners, their keys, the change feed and the audit log; a purge also
    /// deletes usage, and removes the owner from the audit log.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::BackendErrorKind::Forbidden) if the actor may not make the change, or no longer;
    /// [`Conflict`](super::BackendErrorKind::Conflict) if an owner with this id was deleted, and not purged since;
    /// [`NotFound`](super::BackendErrorKind::NotFound) if the change is about, or refers to, an organization, a user, a
    /// membership or a project that does not exist; [`Invalid`](super::BackendErrorKind::Invalid) if the store cannot keep the
    /// values; [`Unavailable`](super::BackendErrorKind::Unavailable) if the store is unavailable. Nothing was changed then,
    /// except perhaps after the last one.
    fn change_owner(&self, change: OwnerChange) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// Returns an organization.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn organization(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<Option<Organization>, BackendError>> + Send;

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
}

forward_to_arc! { OwnerStore:
    fn change_owner(change: OwnerChange) -> impl Future<Output = Result<(), BackendError>> + Send;
    fn organization(id: &str) -> impl Future<Output = Result<Option<Organization>, BackendError>> + Send;
    fn members(organization: &str, after: Option<&str>, limit: usize)
        -> impl Future<Output = Result<Vec<User>, BackendError>> + Send;
    fn project(organization: &str, id: &str) -> impl Future<Output = Result<Option<Project>, BackendError>> + Send;
    fn projects(organization: &str, after: Option<&str>, limit: usize)
        -> impl Future<Output = Result<Vec<Project>, BackendError>> + Send;
}

/// A change of the owners of keys, and its actor.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OwnerChange {
    /// The actor.
    pub actor: Actor,
    /// The action.
    pub action: OwnerAction,
}

/// An action on the owners of keys, with one variant for each constructor of [`OwnerChange`].
///
/// Ids are kept as they are; the ASCII letters of e-mails are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OwnerAction {
    /// See [`OwnerChange::put_organization`].
    PutOrganization(Organization),
    /// See [`OwnerChange::set_organization_plan`].
    SetOrganizationPlan(Box<str>, Option<Plan>),
    /// See [`OwnerChange::delete_organization`].
    DeleteOrganization(Box<str>, Revocation),
    /// See [`OwnerChange::put_user`].
    PutUser(Box<str>),
    /// See [`OwnerChange::set_password`].
    SetPassword(Box<str>, Option<PasswordHash>),
    /// See [`OwnerChange::rehash`].
    Rehash(Box<str>, PasswordHash, PasswordHash),
    /// See [`OwnerChange::set_user_plan`].
    SetUserPlan(Box<str>, Option<Plan>),
    /// See [`OwnerChange::delete_user`].
    DeleteUser(Box<str>, Revocation),
    /// See [`OwnerChange::put_membership`].
    PutMembership(Box<str>, Membership),
    /// See [`OwnerChange::delete_membership`].
    DeleteMembership(Box<str>, Box<str>),
    /// See [`OwnerChange::put_project`].
    PutProject(Box<str>, Box<str>),
    /// See [`OwnerChange::delete_project`].
    DeleteProject(Box<str>, Box<str>, Revocation),
    /// See [`OwnerChange::purge_owner`].
    PurgeOwner(Owner),
}

/// A change by the application itself.
impl From<OwnerAction> for OwnerChange {
    fn from(action: OwnerAction) -> Self {
        Self { actor: Actor::system(), action }
    }
}

/// Each constructor creates a change by the application itself. [`by`](Self::by) sets another actor.
impl OwnerChange {
    /// Adds an organization with its plan, or changes whether one that exists is disabled and requires single sign-on. One that exists without a
    /// plan gets this one. A plan that it has stays, whatever plan is given: [`set_organization_plan`](Self::set_organization_plan) changes it.
    ///
    /// Fails with [`Invalid`](super::BackendErrorKind::Invalid) if it would get a plan that the store does not have.
    pub fn put_organization(organization: Organization) -> Self {
        OwnerAction::PutOrganization(organization).into()
    }

    /// Sets or removes the plan of an organization, of which the store keeps the name. Fails with
    /// [`Invalid`](super::BackendErrorKind::Invalid) if the store has no such plan.
    pub fn set_organization_plan(id: &str, plan: Option<Plan>) -> Self {
        OwnerAction::SetOrganizationPlan(id.into(), plan).into()
    }

    /// Deletes an organization with its projects and memberships, and revokes the keys of both. Its id cannot be used again until
    /// the organization is [purged](Self::purge_owner): the next owner with the id would get its keys and usage.
    pub fn delete_organization(id: &str, revocation: Revocation) -> Self {
        OwnerAction::DeleteOrganization(id.into(), revocation).into()
    }

    /// Adds a user without memberships and password. An existing user stays as it is.
    pub fn put_user(email: &str) -> Self {
        OwnerAction::PutUser(lower(email)).into()
    }

    /// Sets or removes the hash of a user's password. The former password is refused from then on.
    pub fn set_password(email: &str, hash: Option<PasswordHash>) -> Self {
        OwnerAction::SetPassword(lower(email), hash).into()
    }

    /// Replaces the hash of a password by another hash of the same password, unless it was changed meanwhile.
    pub fn rehash(email: &str, from: PasswordHash, to: PasswordHash) -> Self {
        OwnerAction::Rehash(lower(email), from, to).into()
    }

    /// Sets or removes the plan of a user, as [`set_organization_plan`](Self::set_organization_plan) does.
    pub fn set_user_plan(email: &str, plan: Option<Plan>) -> Self {
        OwnerAction::SetUserPlan(lower(email), plan).into()
    }

    /// Deletes a user with the memberships, and revokes the user's keys. The address cannot be used again until the user is
    /// [purged](Self::purge_owner). Until then the store keeps a digest of it.
    pub fn delete_user(email: &str, revocation: Revocation) -> Self {
        OwnerAction::DeleteUser(lower(email), revocation).into()
    }

    /// Adds a user to an organization, or changes the role. Of the organization, the store keeps the id alone.
    pub fn put_membership(email: &str, membership: Membership) -> Self {
        OwnerAction::PutMembership(lower(email), membership).into()
    }

    /// Removes a user from an organization.
    pub fn delete_membership(email: &str, organization: &str) -> Self {
        OwnerAction::DeleteMembership(lower(email), organization.into()).into()
    }

    /// Adds a project to an organization. An existing project stays as it is.
    pub fn put_project(organization: &str, id: &str) -> Self {
        OwnerAction::PutProject(organization.into(), id.into()).into()
    }

    /// Deletes a project, and revokes its keys. Its id cannot be used again in the organization until the project is
    /// [purged](Self::purge_owner).
    pub fn delete_project(organization: &str, id: &str, revocation: Revocation) -> Self {
        OwnerAction::DeleteProject(organization.into(), id.into(), revocation).into()
    }

    /// Purges a deleted owner: deletes its keys and usage, removes it from the audit log, whose entries stay, and releases its id. With an
    /// organization, its projects are purged.
    /// Fails with [`NotFound`](super::BackendErrorKind::NotFound) if no such owner was deleted.
    ///
    /// Processes may still have usage of the former owner to write: before you give the id to another owner, wait for a flush
    /// interval of [`Usage`](crate::usage::Usage) and a lease.
    pub fn purge_owner(owner: &Owner) -> Self {
        OwnerAction::PurgeOwner(owner.identity()).into()
    }

    /// Sets the actor.
    #[must_use]
    pub fn by(self, actor: Actor) -> Self {
        Self { actor, ..self }
    }
}

fn lower(email: &str) -> Box<str> {
    User::new(email, []).email
}
