//! [`PlanStore`], the trait of stores that keep plans.

// Layer 3 of 10: storage.

use std::future::Future;
use std::sync::Arc;

use super::forward::forward_to_arc;
use super::{Backend, BackendError};
use crate::limit::Plan;

/// A store that keeps plans beside the keys.
///
/// A key refers to a plan, or else its organization or user does, and the store reads its limits with each key. So a changed plan is in force for
/// all of them from the next request on, in each process by the end of its lease: a change invalidates
/// [everything](super::Invalidation::Everything).
///
/// Plans are the application's: their changes have no [`Actor`](super::Actor), and no entry in the audit log, which is about keys.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use tower_api_key::backend::{KeyChange, KeyStore, PlanStore};
/// use tower_api_key::digest::Digester;
/// use tower_api_key::limit::Plan;
/// use tower_api_key::{KeyId, MemoryStore, Owner, Record};
///
/// let store = MemoryStore::new();
/// store.put_plan(&Plan::new("free", "burst=10/60s".parse()?)?).await?;
/// let record = Record::imported(KeyId::new("key_1")?, Digester::sha256().digest(b"text"), Owner::organization("acme"));
/// store.change(KeyChange::insert(record.plan(Plan::named("free")?))).await?;
///
/// store.put_plan(&Plan::new("free", "burst=20/60s".parse()?)?).await?;
/// let key = store.get(&KeyId::new("key_1")?).await?.expect("the key");
/// assert_eq!(key.all_limits().next().expect("a limit").to_string(), "burst=20/60s");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait PlanStore: Backend {
    /// Adds a plan, or changes its limits. One that has these limits already stays as it is, and invalidates everything in this process alone: a
    /// call whose answer was lost may have made the change in another one.
    ///
    /// # Errors
    ///
    /// [`Invalid`](super::BackendErrorKind::Invalid) if the plan is known by its [name](Plan::named) alone;
    /// [`Unavailable`](super::BackendErrorKind::Unavailable) if the store is unavailable.
    fn put_plan(&self, plan: &Plan) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// Deletes a plan. Revoked keys do not keep it from that: they are read without a plan while there is none of this name.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::BackendErrorKind::NotFound) if it does not exist; [`Conflict`](super::BackendErrorKind::Conflict) if an organization, a
    /// user or a key that is not revoked refers to it; [`Unavailable`](super::BackendErrorKind::Unavailable) if the store is unavailable.
    fn delete_plan(&self, name: &str) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// Returns a plan.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn plan(&self, name: &str) -> impl Future<Output = Result<Option<Plan>, BackendError>> + Send;

    /// Returns the first `limit` plans after `after`, in the byte order of their names.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn plans(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Plan>, BackendError>> + Send;
}

forward_to_arc! { PlanStore:
    fn put_plan(plan: &Plan) -> impl Future<Output = Result<(), BackendError>> + Send;
    fn delete_plan(name: &str) -> impl Future<Output = Result<(), BackendError>> + Send;
    fn plan(name: &str) -> impl Future<Output = Result<Option<Plan>, BackendError>> + Send;
    fn plans(after: Option<&str>, limit: usize) -> impl Future<Output = Result<Vec<Plan>, BackendError>> + Send;
}
