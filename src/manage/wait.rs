//! Revocations that wait for other processes.

use std::time::Duration;

use super::{KeyManager, ManageError};
use crate::backend::{KeyStore, Propagation};
use crate::key::KeyId;
use crate::trace;

/// How long a revocation waits for other processes: by default until every process of a store that keeps a list of them has applied it, or
/// its lease has passed. A store that keeps no list, such as SQLite, is not waited for: only this process is known to have applied it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    until_lease: bool,
    at_most: Duration,
}

impl Wait {
    /// Waits until every process has applied a revocation.
    pub fn new() -> Self {
        Self { until_lease: false, at_most: Duration::MAX }
    }

    /// Waits until the [lease](KeyManager::lease) has passed where the store keeps no list of processes.
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
    /// Revokes a key for good, and returns when no process admits it any more, whatever was lost on the way to it: when all have
    /// acknowledged it where the store keeps a list of them, and at the latest after the [lease](Self::lease), by which all have
    /// read of it or have stopped to trust what they remember. What a node was just looking up is answered within its deadline.
    ///
    /// Where the list of processes cannot be read, as while the store is away, it returns [`Propagation::ThisProcess`] after the lease: others may
    /// have a longer one.
    ///
    /// A call that is dropped before it returns has revoked the key all the same, once the store has acknowledged it.
    ///
    /// # Errors
    ///
    /// Those of [`revoke`](Self::revoke).
    pub async fn revoke_everywhere(&self, id: &KeyId, reason: &str) -> Result<Propagation, ManageError> {
        self.revoke_and_wait(id, reason, Wait::new().until_lease()).await
    }

    /// Revokes a key for good, waits for other processes, and returns how far the revocation has got.
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

    pub(super) async fn wait_applied(&self, wait: Wait) -> Propagation {
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
