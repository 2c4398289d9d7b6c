//! The counts of one meter, between the cache and the store.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::erased_store::ErasedUsageStore;
use super::pending::Pending;
use crate::cache::DirtyList;
use crate::clock::Clock;
use crate::metrics::UsageMetrics;

/// Entries that are collected between two yields, so that no thread is kept from its requests for long.
const AT_ONCE: usize = 1_024;

/// The counts that all clones of a [`Usage`](super::Usage) share.
pub(super) struct Meter {
    pub(super) store: Box<dyn ErasedUsageStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) interval: Duration,
    /// Counts to keep, and entries to go through at the latest.
    pub(super) room: usize,
    pub(super) uses: DirtyList,
    pub(super) pending: Mutex<Pending>,
    /// Held while a batch is written: batches go to the store one after the other.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    pub(super) has_flusher: AtomicBool,
    pub(super) hurry: Arc<Notify>,
    pub(super) metrics: UsageMetrics,
}

impl Meter {
    /// Takes what was counted out of the cache.
    pub(super) async fn collect(&self) {
        // Entries that are put on the list from now on are for the next call.
        let mut left = self.uses.len();
        while left > 0 {
            let most = left.min(AT_ONCE);
            self.collect_at_most(most);
            left -= most;
            tokio::task::yield_now().await;
        }
    }

    pub(super) fn collect_at_most(&self, entries: usize) {
        let mut pending = self.pending();
        // Not before the lock: a flush at this moment would miss counts that are in neither place.
        let used = self.uses.take(entries);
        used.iter().for_each(|used| pending.add(used));
        // Entries that left the cache are freed after the lock is released.
        drop(pending);
    }

    pub(super) fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Meter {
    /// Reports how much is lost with the last clone. It cannot be written any more: that takes time, and a runtime.
    fn drop(&mut self) {
        self.collect_at_most(usize::MAX);
        let lost = {
            let mut pending = self.pending();
            pending.abandon();
            pending.lost()
        };
        self.metrics.show(0, lost);
    }
}
