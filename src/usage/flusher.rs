//! The task that takes counts from the cache and writes them: at intervals, and at midnight, so that each count belongs to its day.

// Layer 7 of 10: usage.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::meter::Meter;
use crate::clock::Day;

/// The task of a meter. Another may be spawned once it is dropped, be it with its runtime.
struct Flusher(Weak<Meter>);

impl Drop for Flusher {
    fn drop(&mut self) {
        if let Some(meter) = self.0.upgrade() {
            meter.has_flusher.store(false, Ordering::SeqCst);
            // Only the first use of an entry checks for a flusher. From here on, the next use is the first.
            meter.collect_at_most(usize::MAX);
        }
    }
}

impl Meter {
    /// Called when an entry was added to the dirty list, which has `entries` entries now.
    #[cold]
    pub(super) fn entry_became_dirty(self: &Arc<Self>, entries: usize) {
        if !self.ensure_flusher() {
            self.collect_at_most(usize::MAX);
        } else if entries.is_multiple_of(self.capacity) {
            // Entries that were evicted or replaced stay in memory only because of the list.
            self.wake.notify_one();
        }
    }

    /// Spawns the flusher if none runs, and returns whether one runs. Without a runtime, none can.
    fn ensure_flusher(self: &Arc<Self>) -> bool {
        if self.has_flusher.load(Ordering::SeqCst) {
            return true;
        }
        let Ok(runtime) = Handle::try_current() else { return false };
        if !self.has_flusher.swap(true, Ordering::SeqCst) {
            runtime.spawn(Flusher(Arc::downgrade(self)).run(Arc::clone(&self.wake)));
        }
        true
    }

    /// Returns the time until the next flush.
    fn pause(&self) -> Duration {
        let now = self.now();
        self.interval.min(Day::from(now).plus(1).start().saturating_since(now))
    }
}

impl Flusher {
    /// Flushes until the meter is dropped.
    async fn run(self, wake: Arc<Notify>) {
        while let Some(meter) = self.0.upgrade() {
            let pause = meter.pause();
            drop(meter);
            let _ = timeout(pause, wake.notified()).await;
            if let Some(meter) = self.0.upgrade() {
                meter.collect().await;
                meter.spawn_write();
            }
        }
    }
}
