//! What the poller's task shares with lookups and with the health of the cache.

// Layer 6 of 10: cache.

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cache::sync::{Arc, Atomic, Notify, Ordering};
use crate::clock::Moment;

/// Whether a poller runs, and the outcome of its last polls.
#[derive(Debug)]
pub(super) struct PollerState {
    is_running: Atomic,
    /// Wakes the poller, because a lookup waits for a poll.
    pub(super) wanted: Arc<Notify>,
    /// Wakes the lookups that wait for a poll, because one has ended.
    pub(super) ended: Notify,
    is_failing: AtomicBool,
    progress: Mutex<Progress>,
}

/// The progress of the poller, for health and metrics only.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// When the last answered poll began.
    pub(super) polled: Option<Moment>,
    pub(super) is_listening: Option<bool>,
    /// How often the feed panicked and was replaced.
    pub(super) restarts: u64,
    /// Why the last poll was not answered.
    pub(super) last_error: Option<Box<str>>,
}

impl Default for PollerState {
    fn default() -> Self {
        Self {
            is_running: Atomic::new(0),
            wanted: Arc::default(),
            ended: Notify::new(),
            is_failing: AtomicBool::new(false),
            progress: Mutex::default(),
        }
    }
}

impl PollerState {
    /// Returns whether the caller may run the poller, because none runs. It then has to [release](Self::release) it.
    pub(super) fn claim(&self) -> bool {
        self.is_running.load(Ordering::Relaxed) == 0 && self.is_running.swap(1, Ordering::SeqCst) == 0
    }

    pub(super) fn release(&self) {
        self.is_running.store(0, Ordering::SeqCst);
    }

    /// Returns whether the last poll was not answered.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Publishes the outcome of a poll to the lookups that wait for one.
    pub(super) fn end_poll(&self, is_failing: bool) {
        self.is_failing.store(is_failing, Ordering::Relaxed);
        self.ended.notify_waiters();
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
