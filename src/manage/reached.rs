//! Revocations that wait until no process admits the key any more.

use super::{KeyManager, ManageError};
use crate::backend::KeyStore;
use crate::key::KeyId;

/// How it is known that no process admits a key any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reached {
    /// Every process has acknowledged the revocation.
    EveryNode,
    /// The lease has passed. Whoever has not heard of the revocation by then does not trust what it remembers.
    LeaseEnd,
}

impl<S: KeyStore> KeyManager<S> {
    /// Revokes a key for good, and returns when no process admits it any more, whatever was lost on the way to it: when all have
    /// acknowledged it where the store keeps a list of them, and at the latest after the [lease](Self::lease), by which all have
    /// heard of it or have stopped to trust what they remember. What a node was just looking up is answered within its deadline.
    ///
    /// A call that is dropped before it returns has revoked the key all the same, once the store has acknowledged it.
    ///
    /// # Errors
    ///
    /// Those of [`revoke`](Self::revoke).
    pub async fn revoke_everywhere(&self, id: &KeyId, reason: &str) -> Result<Reached, ManageError> {
        self.revoke(id, reason).await?;
        Ok(self.reached().await)
    }

    pub(super) async fn reached(&self) -> Reached {
        if self.store.taken_in(self.lease).await { Reached::EveryNode } else { Reached::LeaseEnd }
    }
}
