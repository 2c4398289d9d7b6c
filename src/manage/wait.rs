//! Changes that wait for other processes. Nodes that have not acknowledged in time are named in the log.

// Layer 9 of 10: management.

use std::time::Duration;

use super::{KeyManager, ManageError};
use crate::backend::{KeyStore, Propagation};
use crate::key::KeyId;
use crate::trace;

/// How long a change waits for other processes: by default, until each node on the store's list has applied it, or its lease has passed.
/// A store without a list, such as SQLite, is not waited for: only this process is known to have applied the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    until_lease: bool,
    at_most: Duration,
}

impl Wait {
    /// Waits until each node on the list has applied the change.
    pub fn new() -> Self {
        Self { until_lease: false, at_most: Duration::MAX }
    }

    /// Waits until the [lease](KeyManager::lease) has passed if the store keeps no list of nodes.
    #[must_use]
    pub fn until_lease(self) -> Self {
        Self { until_lease: true, ..self }
    }

    /// Sets the longest time to wait.
    #[must_use]
    pub fn at_most(self, time: Duration) -> Self {
        Self { at_most: time, ..self }
    }
}

impl Default for Wait {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: KeyStore> KeyManager<S> {
    /// Revokes a key permanently, and waits until no process admits it, even if notifications were lost: until all nodes have acknowledged it
    /// if the store keeps a list of nodes, and at most for the [lease](Self::lease), after which each node has read the change or no longer
    /// trusts its cache. A lookup that is in progress on a node completes within its deadline.
    ///
    /// If the list of nodes cannot be read, such as while the store is unavailable, it returns [`Propagation::ThisProcess`] after the lease:
    /// other processes may have a longer lease.
    ///
    /// If the call is dropped after the store has acknowledged the revocation, the key is revoked all the same.
    ///
    /// # Errors
    ///
    /// Those of [`revoke`](Self::revoke).
    pub async fn revoke_everywhere(&self, id: &KeyId, reason: &str) -> Result<Propagation, ManageError> {
        self.revoke_and_wait(id, reason, Wait::new().until_lease()).await
    }

    /// Revokes a key permanently, waits for other processes, and returns how far the revocation has propagated.
    ///
    /// # Errors
    ///
    /// Those of [`revoke`](Self::revoke).
    pub async fn revoke_and_wait(
        &self,
        id: &KeyId,
        reason: &str,
        wait: Wait,
    ) -> Result<Propagation, ManageError> {
        self.revoke(id, reason).await?;
        Ok(self.wait_applied(wait).await)
    }

    /// Returns the number of nodes that follow the store now; `None` if it keeps no list of nodes.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn count_nodes(&self) -> Result<Option<u64>, ManageError> {
        Ok(self.store.count_nodes().await?)
    }

    /// Waits until other processes have applied the changes that were acknowledged before the call, and returns how far they have propagated:
    /// for [`disable`](Self::disable), [`enable`](Self::enable) and others what [`revoke_and_wait`](Self::revoke_and_wait) is for a revocation.
    pub async fn wait_applied(&self, wait: Wait) -> Propagation {
        if !(wait.until_lease || self.store.lists_nodes()) {
            return Propagation::ThisProcess { missing: Vec::new() };
        }
        let propagation = self.store.wait_applied(self.lease, wait.at_most).await;
        if self.store.lists_nodes() && propagation != Propagation::EveryNode {
            trace::not_acknowledged(propagation.missing());
        }
        propagation
    }
}
