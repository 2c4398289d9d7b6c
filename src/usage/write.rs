//! Writes counts to the store, batch by batch, and updates the metrics.

// Layer 7 of 10: usage.

use std::sync::Arc;
use std::time::Duration;

use super::meter::Meter;
use crate::backend::{BackendError, BackendErrorKind, UsageBatch};
use crate::guarded_call::guarded_call;

/// Longest wait for the store to add a batch.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

impl Meter {
    /// Spawns a task that writes all pending counts, unless another task is writing.
    pub(super) fn spawn_write(self: &Arc<Self>) {
        if let Ok(guard) = Arc::clone(&self.writing).try_lock_owned() {
            let meter = Arc::clone(self);
            tokio::spawn(async move {
                let _guard = guard;
                // A failure was logged, and the next flush retries.
                let _ = meter.write().await;
            });
        }
    }

    /// Writes all pending counts, and updates the metrics. The caller holds the lock `writing`.
    pub(super) async fn write(&self) -> Result<(), BackendError> {
        let outcome = self.write_all().await;
        let (backlog, lost) = {
            let pending = self.pending();
            (pending.len(), pending.lost())
        };
        self.metrics.show(backlog, lost);
        outcome
    }

    /// Stops at the first batch that the store may accept later. A batch that it never will is discarded, and the next one written.
    async fn write_all(&self) -> Result<(), BackendError> {
        let mut outcome = Ok(());
        while let Some(batch) = self.next_batch() {
            match self.write_batch(&batch).await {
                Ok(()) => self.pending().confirm_batch(),
                Err(error) if error.kind() == BackendErrorKind::Invalid => {
                    self.pending().discard_batch();
                    outcome = Err(error);
                }
                Err(error) => return Err(error),
            }
        }
        outcome
    }

    fn next_batch(&self) -> Option<Arc<UsageBatch>> {
        self.pending().next()
    }

    async fn write_batch(&self, batch: &UsageBatch) -> Result<(), BackendError> {
        let added = guarded_call("usage flush", WRITE_TIMEOUT, self.store.add(batch)).await;
        added.map_err(|error| error.into_error(WRITE_TIMEOUT))
    }
}
