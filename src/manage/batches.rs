//! Revokes many keys in batches, each a transaction of the store that is reported to the audit hook.

// Layer 9 of 10: management.

use super::{KeyManager, ManageError};
use crate::audit::Action;
use crate::backend::{KeyChange, KeyFilter, KeyStore};
use crate::record::Revocation;

impl<S: KeyStore> KeyManager<S> {
    /// Revokes the first `most` keys, by id, of those that match a filter and are not revoked yet, in one transaction, and returns their number:
    /// fewer than `most` once none is left. Between such batches other changes proceed.
    ///
    /// # Errors
    ///
    /// As for [`revoke_all`](Self::revoke_all).
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use tower_api_key::backend::KeyFilter;
    /// use tower_api_key::manage::{KeyManager, NewKey};
    /// use tower_api_key::{KeyFormat, MemoryStore};
    ///
    /// let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?);
    /// for _ in 0..5 {
    ///     manager.create(NewKey::for_organization("acme")).await?;
    /// }
    /// let acme = KeyFilter::of_organization("acme");
    /// assert_eq!(manager.count_unrevoked(&acme, 1_000).await?, 5);
    /// let mut batches = Vec::new();
    /// while batches.last().is_none_or(|keys| *keys == 2) {
    ///     batches.push(manager.revoke_first(2, &acme, "leaked").await?);
    /// }
    /// assert_eq!(batches, [2, 2, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn revoke_first(
        &self,
        most: usize,
        filter: &KeyFilter,
        reason: &str,
    ) -> Result<u64, ManageError> {
        let actor = self.bounded_actor();
        let revocation = Revocation { by: actor.recorded_name(None), ..self.revocation(reason)? };
        let name = revocation.by.clone();
        let keys = self.change(&actor, KeyChange::revoke_first(most, filter, revocation)).await?.keys;
        self.emit(Action::RevokedAll { keys }, None, name);
        Ok(keys)
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
