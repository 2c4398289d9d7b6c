//! One key at a time.

use super::{CreatedKey, KeyManager, ManageError, NewKey};
use crate::backend::{KeyFilter, KeyStore};
use crate::key::KeyId;
use crate::record::KeyState;

impl<S: KeyStore> KeyManager<S> {
    /// Creates a key, and revokes all others in force that a filter means: for an owner who has one key at a time. The filter has
    /// to mean the new key as well.
    ///
    /// The others go on until the new key is there. Of several calls at once each returns a key, and when they have all returned,
    /// one of these is left.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create). After [`Unavailable`](super::ManageErrorKind::Unavailable), as after a call that is
    /// dropped, the keys before may be in force beside the new one; the next call ends them.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use tower_api_key::backend::KeyFilter;
    /// use tower_api_key::clock::Timestamp;
    /// use tower_api_key::manage::{KeyManager, NewKey};
    /// use tower_api_key::{KeyFormat, KeyState, MemoryStore, Owner};
    ///
    /// let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?);
    /// let ann = || NewKey::new(Owner::user("ann@example.com", []));
    /// let (filter, now) = (KeyFilter::of_user("ann@example.com"), Timestamp::from_unix_millis(0));
    /// let (_, first) = manager.replace(&filter, ann()).await?.into_parts();
    /// let (_, second) = manager.replace(&filter, ann()).await?.into_parts();
    /// assert_eq!(manager.get(&first.id).await?.state(now), KeyState::Revoked);
    /// assert_eq!(manager.get(&second.id).await?.state(now), KeyState::Active);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn replace(&self, filter: &KeyFilter, new: NewKey) -> Result<CreatedKey, ManageError> {
        loop {
            let before = self.in_force(filter).await?;
            let created = self.create(new.clone()).await?;
            let own = &created.record().id;
            let all = self.in_force(filter).await?;
            // Of several new keys one goes on, the same one for whoever sees them all. Who made another tries again.
            let last = all.iter().filter(|id| !before.contains(id)).max().unwrap_or(own);
            for id in all.iter().filter(|id| *id != last) {
                self.revoke(id, "replaced").await?;
            }
            if self.get(own).await?.state(self.clock.wall()) == KeyState::Active {
                return Ok(created);
            }
        }
    }

    async fn in_force(&self, filter: &KeyFilter) -> Result<Vec<KeyId>, ManageError> {
        let active = filter.clone().state(KeyState::Active, self.clock.wall());
        let records = self.list(&active, None, usize::MAX).await?;
        Ok(records.into_iter().map(|record| record.id).collect())
    }
}
