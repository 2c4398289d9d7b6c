//! Plans of keys, in a store that keeps them. The audit hook receives no event of their changes.

// Layer 9 of 10: management.

use super::{KeyManager, ManageError};
use crate::backend::PlanStore;
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
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn put_plan(&self, plan: &Plan) -> Result<(), ManageError> {
        Ok(self.store.put_plan(plan).await?)
    }

    /// Deletes a plan.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound) without such a plan; [`Conflict`](super::ManageErrorKind::Conflict) if a key or an
    /// organization has it, also a key that has ended and was not purged.
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
