//! Plans of keys, in a store that keeps them. The audit hook receives no event of their changes.

// Layer 9 of 10: management.

use super::{KeyManager, ManageError};
use crate::backend::{KeyStore, OwnerChange, OwnerStore, PlanStore};
use crate::limit::Plan;

/// Plans are the application's: each change is by itself, not by the [actor](KeyManager::acting_for) of the manager. Let no caller make one
/// that may not change the limits of all keys.
impl<S: PlanStore> KeyManager<S> {
    /// Adds a plan, or changes its limits, which are in force for each key of the plan from the next request on. Other processes have applied
    /// them by the end of their lease, and [`wait_applied`](Self::wait_applied) waits for that.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use tower_api_key::limit::Plan;
    /// use tower_api_key::manage::{KeyManager, NewKey};
    /// use tower_api_key::{KeyFormat, MemoryStore};
    ///
    /// let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?);
    /// manager.put_plan(&Plan::new("free", "burst=10/60s monthly=1000/month/owner".parse()?)?).await?;
    /// let created = manager.create(NewKey::for_organization("acme").plan(Plan::named("free")?)).await?;
    /// assert_eq!(created.record().all_limits().count(), 2);
    ///
    /// let unknown = NewKey::for_organization("acme").plan(Plan::named("pro")?);
    /// let error = manager.create(unknown).await.unwrap_err();
    /// assert_eq!(error.to_string(), "invalid values: plan: no plan with this name");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](super::ManageErrorKind::Invalid) if the plan is known by its name alone;
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn put_plan(&self, plan: &Plan) -> Result<(), ManageError> {
        Ok(self.store.put_plan(plan).await?)
    }

    /// Deletes a plan.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound) without such a plan; [`Conflict`](super::ManageErrorKind::Conflict) if an organization, a
    /// user or a key that is not revoked has it.
    pub async fn delete_plan(&self, name: &str) -> Result<(), ManageError> {
        Ok(self.store.delete_plan(name).await?)
    }

    /// Returns a plan; `None` if the store does not know it.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn plan(&self, name: &str) -> Result<Option<Plan>, ManageError> {
        Ok(self.store.plan(name).await?)
    }

    /// Returns the first `limit` plans after a name, as [`PlanStore::plans`] does.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn plans(&self, after: Option<&str>, limit: usize) -> Result<Vec<Plan>, ManageError> {
        Ok(self.store.plans(after, limit).await?)
    }
}

/// Each change is by the [actor](KeyManager::acting_for) of the manager, which the store authorizes in the transaction of the change.
impl<S: KeyStore + OwnerStore> KeyManager<S> {
    /// Sets or removes the plan of an organization, by its name: that of its keys and of those of its projects which have none of their own.
    ///
    /// # Errors
    ///
    /// [`Invalid`](super::ManageErrorKind::Invalid) if the store has no such plan; [`NotFound`](super::ManageErrorKind::NotFound) if it has no such
    /// organization, which [`OwnerChange::put_organization`] adds with a plan; [`Forbidden`](super::ManageErrorKind::Forbidden) if the actor may not
    /// make the change.
    pub async fn set_organization_plan(&self, id: &str, plan: Option<Plan>) -> Result<(), ManageError> {
        let change = OwnerChange::set_organization_plan(id, plan).by(self.actor.clone());
        Ok(self.store.change_owner(change).await?)
    }

    /// Sets or removes the plan of a user, by its name: that of a sign-in by password, and of the keys of the user which have none of their own.
    ///
    /// # Errors
    ///
    /// As for [`set_organization_plan`](Self::set_organization_plan), without such a user.
    pub async fn set_user_plan(&self, email: &str, plan: Option<Plan>) -> Result<(), ManageError> {
        let change = OwnerChange::set_user_plan(email, plan).by(self.actor.clone());
        Ok(self.store.change_owner(change).await?)
    }
}
