//! Revokes many keys in batches, each a transaction of the store that is reported to the audit hook.

// Layer 9 of 10: management.

use super::{KeyManager, ManageError};
use crate::audit::Action;
use crate::backend::{ChangeOutcome, KeyBatch, KeyChange, KeyFilter, KeyStore};
use crate::record::Revocation;

impl<S: KeyStore> KeyManager<S> {
    /// Revokes a batch of keys in one transaction, and returns their number with the [last one](ChangeOutcome::last), after which the next batch
    /// starts. Between batches other changes proceed. The keys of the [actor](Self::acting_for) stay.
    ///
    /// # Errors
    ///
    /// As for [`revoke_all`](Self::revoke_all).
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use tower_api_key::backend::{KeyBatch, KeyFilter};
    /// use tower_api_key::manage::{KeyManager, NewKey};
    /// use tower_api_key::{KeyFormat, MemoryStore};
    ///
    /// let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?);
    /// for _ in 0..5 {
    ///     manager.create(NewKey::for_organization("acme")).await?;
    /// }
    /// let acme = KeyFilter::of_organization("acme");
    /// assert_eq!(manager.count_unrevoked(&acme, 1_000).await?, 5);
    /// let (mut keys, mut batch) = (0, Some(KeyBatch::first(2, acme)));
    /// while let Some(next) = batch {
    ///     let revoked = manager.revoke_batch(next.clone(), "leaked").await?;
    ///     keys += revoked.keys;
    ///     batch = revoked.last.map(|last| next.after(last));
    /// }
    /// assert_eq!(keys, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn revoke_batch(&self, batch: KeyBatch, reason: &str) -> Result<ChangeOutcome, ManageError> {
        let actor = self.bounded_actor();
        let revocation = Revocation { by: actor.recorded_name(None), ..self.revocation(reason)? };
        let name = revocation.by.clone();
        let revoked = self.change(&actor, KeyChange::revoke_batch(batch, revocation)).await?;
        self.emit(Action::RevokedAll { keys: revoked.keys }, None, name);
        Ok(revoked)
    }

    /// Returns the number of keys that match a filter and are not revoked, or `most` if there are more.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn count_unrevoked(&self, filter: &KeyFilter, most: usize) -> Result<usize, ManageError> {
        Ok(self.store.count_unrevoked(filter, most).await?)
    }
}
