//! Writing what was counted, batch by batch.

use std::sync::Arc;
use std::time::Duration;

use super::meter::Meter;
use crate::backend::{BackendError, BackendErrorKind, UsageBatch};
use crate::cache::{CallError, guarded_call};

/// How long a store may take for a batch.
const DEADLINE: Duration = Duration::from_secs(5);

impl Meter {
    /// Writes all that is pending, unless another task does so.
    pub(super) fn write_meanwhile(self: &Arc<Self>) {
        if let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() {
            let meter = Arc::clone(self);
            tokio::spawn(async move {
                let _turn = turn;
                // It was written to the log, and is tried again.
                let _ = meter.write().await;
            });
        }
    }

    /// Writes all that is pending, and shows what is left. The caller holds the turn.
    pub(super) async fn write(&self) -> Result<(), BackendError> {
        let outcome = self.write_all().await;
        let (backlog, lost) = {
            let pending = self.pending();
            (pending.len(), pending.lost())
        };
        self.metrics.show(backlog, lost);
        outcome
    }

    /// Ends with the first batch that may be taken later. One that never will be is given up, and the others go on.
    async fn write_all(&self) -> Result<(), BackendError> {
        let mut outcome = Ok(());
        while let Some(batch) = self.next_batch() {
            match self.write_batch(&batch).await {
                Ok(()) => self.pending().written(),
                Err(error) if error.kind() == BackendErrorKind::Invalid => {
                    self.pending().refused();
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
        let unanswered = |found| {
            let message = format!("expected that the store adds usage, found {found}");
            BackendError::unavailable(message)
        };
        let added = guarded_call("the store of usage", DEADLINE, self.store.add(batch)).await;
        added.map_err(|no_answer| match no_answer {
            CallError::Error(error) => error,
            CallError::Panic => unanswered("a panic"),
            CallError::Deadline => unanswered("none in time"),
        })
    }
}
