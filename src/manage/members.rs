//! Members and projects of organizations, in a store that keeps them. The audit hook receives no event of their changes.

// Layer 9 of 10: management.

use super::validation::Validation;
use super::{KeyManager, ManageError};
use crate::backend::{BackendError, KeyStore, OwnerChange, OwnerStore};
use crate::owner::{Membership, Organization, Owner, Project, User};
use crate::scope::Scopes;

/// Each change is by the [actor](KeyManager::acting_for) of the manager, which the store authorizes in the transaction of the change.
impl<S: KeyStore + OwnerStore> KeyManager<S> {
    /// Returns an organization; `None` if the store does not know it.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn organization(&self, id: &str) -> Result<Option<Organization>, ManageError> {
        Ok(self.store.organization(id).await?)
    }

    /// Returns the first `limit` members of an organization after an e-mail, as [`OwnerStore::members`] does.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn members(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<User>, ManageError> {
        Ok(self.store.members(organization, after, limit).await?)
    }

    /// Returns the membership of a user in an organization; `None` without one.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn member(&self, organization: &str, email: &str) -> Result<Option<Membership>, ManageError> {
        let user = self.store.find_user(&User::new(email, []).email).await?;
        let mut memberships = user.into_iter().flat_map(|user| user.memberships);
        Ok(memberships.find(|own| *own.organization.id == *organization))
    }

    /// Returns the first `limit` projects of an organization after an id, as [`OwnerStore::projects`] does.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn projects(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Project>, ManageError> {
        Ok(self.store.projects(organization, after, limit).await?)
    }

    /// Adds a member to an organization, or changes the role and the scopes of one. A user that the store does not know is added without a
    /// password.
    ///
    /// # Errors
    ///
    /// [`Invalid`](super::ManageErrorKind::Invalid) if a text is empty or too long, the e-mail has no `@`, or a scope is none of the manager's
    /// [permissions](Self::with_permissions); [`NotFound`](super::ManageErrorKind::NotFound) without such an organization; [`Conflict`](super::ManageErrorKind::Conflict) if the user was deleted;
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the actor may not make the change.
    pub async fn put_member(
        &self,
        organization: &str,
        email: &str,
        role: &str,
        scopes: Scopes,
    ) -> Result<(), ManageError> {
        let validation = Validation::default().owner(&Owner::user(email, [])).email(email).role(role);
        let validation = validation.scopes(&scopes, false).permitted(&scopes, self.permissions());
        validation.owner(&Owner::organization(organization)).finish()?;
        // First, so that no user is added for nothing.
        self.store.organization(organization).await?.ok_or_else(BackendError::no_owner)?;
        let actor = || self.actor.clone();
        self.store.change_owner(OwnerChange::put_user(email).by(actor())).await?;
        let membership = Membership::new(Organization::new(organization), role, scopes);
        Ok(self.store.change_owner(OwnerChange::put_membership(email, membership).by(actor())).await?)
    }

    /// Removes a member from an organization: keys of the user no longer reach it from the next request on.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound) without such a member; [`Forbidden`](super::ManageErrorKind::Forbidden) if the actor may
    /// not make the change.
    pub async fn remove_member(&self, organization: &str, email: &str) -> Result<(), ManageError> {
        let change = OwnerChange::delete_membership(email, organization).by(self.actor.clone());
        Ok(self.store.change_owner(change).await?)
    }

    /// Adds a project to an organization. An existing one stays as it is.
    ///
    /// # Errors
    ///
    /// As for [`put_member`](Self::put_member).
    pub async fn put_project(&self, organization: &str, id: &str) -> Result<(), ManageError> {
        let project = Owner::project(Organization::new(organization), id);
        Validation::default().owner(&project).finish()?;
        let change = OwnerChange::put_project(organization, id).by(self.actor.clone());
        Ok(self.store.change_owner(change).await?)
    }

    /// Deletes a project of an organization, and revokes its keys.
    ///
    /// # Errors
    ///
    /// As for [`remove_member`](Self::remove_member).
    pub async fn delete_project(
        &self,
        organization: &str,
        id: &str,
        reason: &str,
    ) -> Result<(), ManageError> {
        let by = self.bounded_actor().recorded_name(None);
        let revocation = crate::record::Revocation { by, ..self.revocation(reason)? };
        let change = OwnerChange::delete_project(organization, id, revocation).by(self.actor.clone());
        Ok(self.store.change_owner(change).await?)
    }
}
