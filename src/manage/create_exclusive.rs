//! Creates keys of owners that have one key at a time, and reports the changes to the audit hook.

// Layer 9 of 10: management.

use super::{CreatedKey, KeyManager, ManageError, NewKey};
use crate::audit::Action;
use crate::backend::{ChangeOutcome, KeyChange, KeyFilter, KeyStore};
use crate::record::Revocation;

impl<S: KeyStore> KeyManager<S> {
    /// Creates a key and revokes all other keys that match a filter, in one transaction: for an owner that has one key at a time.
    /// The filter must match the new key as well.
    ///
    /// Of several concurrent calls each returns a key, and one of these keys stays active.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create). The previous keys are unchanged then; after
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) they may have been replaced, and the next call revokes the key that replaced them.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use tower_api_key::backend::KeyFilter;
    /// use tower_api_key::clock::Timestamp;
    /// use tower_api_key::manage::{KeyManager, NewKey};
    /// use tower_api_key::record::KeyState;
    /// use tower_api_key::{KeyFormat, MemoryStore, Owner};
    ///
    /// let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?);
    /// let ann = || NewKey::new(Owner::user("ann@example.com", []));
    /// let (filter, now) = (KeyFilter::of_user("ann@example.com"), Timestamp::from_unix_millis(0));
    /// let (_, first) = manager.create_exclusive(&filter, ann()).await?.into_parts();
    /// let (_, second) = manager.create_exclusive(&filter, ann()).await?.into_parts();
    /// assert_eq!(manager.get(&first.id).await?.state(now), KeyState::Revoked);
    /// assert_eq!(manager.get(&second.id).await?.state(now), KeyState::Active);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn create_exclusive(&self, filter: &KeyFilter, new: NewKey) -> Result<CreatedKey, ManageError> {
        let actor = self.bounded_actor();
        let (key, record) = self.mint(&actor, new)?;
        let revocation = Revocation { by: record.created_by.clone(), ..self.revocation("replaced")? };
        let creator = record.created_by.clone();
        let change = KeyChange::insert_exclusive(record, filter, revocation).made_with(self.fingerprints());
        let ChangeOutcome { record, keys, .. } = self.change(&actor, change).await?;
        let record = record.ok_or_else(ManageError::not_found)?;
        self.emit(Action::Created, Some(&record.id), creator.clone());
        self.emit(Action::RevokedAll { keys }, None, creator);
        Ok(CreatedKey::new(key, record))
    }
}
