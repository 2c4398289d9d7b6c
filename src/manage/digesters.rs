//! The change from one digester to another: counts keys, and drops their former digests from the store. Neither is an audit event.

// Layer 9 of 10: management.

use super::{FieldError, KeyManager, ManageError};
use crate::backend::{KeyChange, KeyStore};

impl<S: KeyStore> KeyManager<S> {
    /// Returns the number of keys in force of which the store knows no digest of the current digester: they were not used since nodes have it,
    /// or were imported by their digest. Those under a former digester become unknown once no node has that.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use tower_api_key::digest::Digester;
    /// use tower_api_key::manage::{KeyManager, NewKey};
    /// use tower_api_key::{KeyFormat, MemoryStore};
    ///
    /// let (store, format) = (MemoryStore::new(), KeyFormat::new("demo")?);
    /// KeyManager::new(store.clone(), format.clone()).create(NewKey::for_organization("acme")).await?;
    ///
    /// let pepper = Digester::hmac_sha256(b"a pepper of 32 random bytes here")?;
    /// let manager = KeyManager::new(store, format).digester(pepper).former_digester(Digester::sha256());
    /// manager.create(NewKey::for_organization("acme")).await?;
    /// assert_eq!(manager.keys_under_former_digesters().await?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn keys_under_former_digesters(&self) -> Result<u64, ManageError> {
        Ok(self.store.keys_without(&self.digesters.current.fingerprint(), self.clock.wall()).await?)
    }

    /// Drops the digests of former digesters from each key that has one of the current digester, and returns the number of these keys.
    ///
    /// No key becomes unknown to a node that has the current digester. [Others](Self::keys_under_former_digesters) keep their digests. Call it once
    /// every node and every manager has the current digester: a manager that still has the former one would drop the digests that nodes have
    /// added. [Operations](crate::_guide::operations#a-new-pepper) has the steps.
    ///
    /// # Errors
    ///
    /// [`Invalid`](super::ManageErrorKind::Invalid) if the manager has no former digester, or the store has no digest of the current one: the
    /// pepper may be wrong, or missing. [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails; part of the digests may be
    /// dropped then.
    pub async fn retire_former_digesters(&self) -> Result<u64, ManageError> {
        let wrong = |field, message| Err(ManageError::invalid(vec![FieldError::new(field, message)]));
        if self.digesters.former.is_empty() {
            return wrong(
                "former_digester",
                "must be set to the digester that is retired, beside the current one of the nodes",
            );
        }
        let current = self.digesters.current.fingerprint();
        if !self.store.fingerprints().await?.unwrap_or_default().contains(&current) {
            return wrong(
                "digester",
                "must be the current one of the nodes: the store has no key with a digest of this one",
            );
        }
        let retire = KeyChange::retire_digests(current, self.clock.wall());
        Ok(self.change(&self.bounded_actor(), retire).await?.keys)
    }
}
