//! The counts of one meter, between the cache and the store.

// Layer 7 of 10: usage.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::erased_store::ErasedUsageStore;
use super::pending::Pending;
use crate::cache::DirtyList;
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::metrics::UsageMetrics;

/// Entries that are collected without yielding, so that requests of the same thread wait only briefly.
const CHUNK: usize = 1_024;

/// The state that all clones of a [`Usage`](super::Usage) share.
pub(super) struct Meter {
    pub(super) store: Box<dyn ErasedUsageStore>,
    /// That of the authenticator, which determines the days. Nothing is counted before it is set.
    pub(super) clock: OnceLock<Arc<dyn Clock>>,
    pub(super) interval: Duration,
    /// Most counts that are kept, and number of dirty entries that triggers a flush.
    pub(super) capacity: usize,
    /// Most routes of a key that are told apart between two collections.
    pub(super) routes: usize,
    pub(super) uses: DirtyList,
    pub(super) pending: Mutex<Pending>,
    /// Held while writing: batches go to the store one after the other.
    pub(super) writing: Arc<tokio::sync::Mutex<()>>,
    pub(super) has_flusher: AtomicBool,
    /// Wakes the flusher before the interval has passed.
    pub(super) wake: Arc<Notify>,
    pub(super) metrics: UsageMetrics,
}

impl Meter {
    /// Moves the counts of the dirty entries to `pending`.
    pub(super) async fn collect(&self) {
        // Entries that are added from now on are left for the next time.
        let mut left = self.uses.len();
        while left > 0 {
            let limit = left.min(CHUNK);
            self.collect_at_most(limit);
            left -= limit;
            tokio::task::yield_now().await;
        }
    }

    pub(super) fn collect_at_most(&self, entries: usize) {
        let mut pending = self.pending();
        // After locking: a concurrent flush would miss counts that are neither on the list nor pending.
        let mut used = self.uses.take(entries);
        used.iter_mut().for_each(|used| pending.add(used));
        // Entries that left the cache are freed after unlocking.
        drop(pending);
    }

    /// Returns the time.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.get_or_init(|| Arc::new(SystemClock::new())).wall()
    }

    pub(super) fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Meter {
    /// Reports the counts that are lost with the last clone. They cannot be written any more: that takes time, and a runtime.
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
