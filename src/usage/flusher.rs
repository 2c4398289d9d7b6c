//! The task that takes counts out of the cache and has them written: at intervals, and at midnight, so that a count belongs
//! to the day on which it was made.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::meter::Meter;
use crate::clock::Day;

/// The place of the flusher. It is free again when the task ends, be it with its runtime.
struct Place(Weak<Meter>);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(meter) = self.0.upgrade() {
            meter.has_flusher.store(false, Ordering::SeqCst);
            // Only the first use of an entry looks for a flusher. From here on, the next use is the first.
            meter.collect_at_most(usize::MAX);
        }
    }
}

impl Meter {
    /// Notes that an entry was put on the list, which now has this many.
    #[cold]
    pub(super) fn touched(self: &Arc<Self>, entries: usize) {
        if !self.ensure_flusher() {
            self.collect_at_most(usize::MAX);
        } else if entries.is_multiple_of(self.room) {
            // Entries that were evicted or replaced are kept by the list alone.
            self.hurry.notify_one();
        }
    }

    /// Starts a flusher if none runs, and returns whether one does: without a runtime none can.
    fn ensure_flusher(self: &Arc<Self>) -> bool {
        if self.has_flusher.load(Ordering::SeqCst) {
            return true;
        }
        let Ok(runtime) = Handle::try_current() else { return false };
        if !self.has_flusher.swap(true, Ordering::SeqCst) {
            runtime.spawn(flush(Place(Arc::downgrade(self)), Arc::clone(&self.hurry)));
        }
        true
    }

    /// Returns how long to wait until the next flush.
    fn pause(&self) -> Duration {
        let now = self.clock.wall();
        self.interval.min(Day::from(now).plus(1).start().saturating_since(now))
    }
}

/// Flushes for as long as there is something to count.
async fn flush(place: Place, hurry: Arc<Notify>) {
    while let Some(meter) = place.0.upgrade() {
        let pause = meter.pause();
        drop(meter);
        // Woken early or not: there is something to take.
        let _ = timeout(pause, hurry.notified()).await;
        if let Some(meter) = place.0.upgrade() {
            meter.collect().await;
            meter.write_meanwhile();
        }
    }
}
