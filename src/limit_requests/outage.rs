//! What happens while a counter store does not answer, and when it is asked again.

// Layer 8 of 10: decision.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Moment;

/// What happens to requests to keys with limits while the counter store does not answer.
///
/// So is a single request decided that the store answers with an error, as for a count that it cannot read. Other requests are counted.
///
/// The metric `tower_api_key_counters_away_total` counts these requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outage {
    /// They are answered 503 with `Retry-After`, or `UNAVAILABLE` over gRPC: no request is admitted that was not counted.
    Refuse,
    /// Each process admits an equal part of each limit, rounded down, and counts that by itself: give the number of processes, at least as
    /// many as ever run at once. A request that costs more than the part is answered as by [`Refuse`](Self::Refuse), and so is any if the
    /// part is nothing.
    ///
    /// Layers that are not clones of one another have parts of their own: add clones of one layer, or give the number of processes times
    /// that of such layers.
    ///
    /// The counter store learns nothing of these requests. So over any time, at most as many requests are admitted as the limit allows, and
    /// as the parts of all processes allow besides: twice as many as without an outage. The part of a quota is one for the period, of
    /// however many outages; a process that is restarted has another one.
    LocalShare(NonZeroU32),
}

/// The time after which a counter store is asked again that did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Whether the counter store is asked: after a failure, by one request a second, so that not each of them waits for a timeout.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    /// The moment from which the next request asks, in nanoseconds. Zero while the store answers.
    retry_at: AtomicU64,
    /// The moment from which the failure of a single request is logged, in nanoseconds.
    log_at: AtomicU64,
}

/// How a request asks.
pub(super) enum Question {
    /// As all do while the store answers.
    Usual,
    /// Alone, to find out if the store answers again.
    Trial(Trial),
}

/// The right to ask a store that is away. If it is dropped without an answer, as the client has gone, the next request has it.
pub(super) struct Trial {
    circuit: Arc<Circuit>,
    retry_at: u64,
    next: u64,
    is_answered: bool,
}

impl Circuit {
    /// Returns whether the last answer was a failure.
    pub(super) fn is_open(&self) -> bool {
        self.retry_at.load(Ordering::Relaxed) != 0
    }

    /// Returns how this request asks the store, if it does.
    pub(super) fn asks(self: &Arc<Self>, now: Moment) -> Option<Question> {
        let retry_at = self.retry_at.load(Ordering::Relaxed);
        if retry_at == 0 {
            return Some(Question::Usual);
        }
        let next = now.saturating_add(RETRY_AFTER).nanos();
        let is_first = retry_at <= now.nanos()
            && self.retry_at.compare_exchange(retry_at, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        is_first
            .then(|| Question::Trial(Trial { circuit: Arc::clone(self), retry_at, next, is_answered: false }))
    }

    /// Records an answer of the store.
    pub(super) fn close(&self) {
        // Most often there is nothing to write, which others would have to read again.
        if self.is_open() {
            self.retry_at.store(0, Ordering::Relaxed);
        }
    }

    /// Records that the store did not answer. Returns whether it did before.
    pub(super) fn open(&self, now: Moment) -> bool {
        self.retry_at.swap(now.saturating_add(RETRY_AFTER).nanos(), Ordering::Relaxed) == 0
    }

    /// Returns whether the failure of a single request is logged: one a second, however many have the same cause.
    pub(super) fn logs(&self, now: Moment) -> bool {
        let log_at = self.log_at.load(Ordering::Relaxed);
        let next = now.saturating_add(RETRY_AFTER).nanos();
        log_at <= now.nanos()
            && self.log_at.compare_exchange(log_at, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl Question {
    /// Ends the request, whatever the answer. Returns whether it was the trial.
    pub(super) fn answered(self) -> bool {
        match self {
            Self::Usual => false,
            Self::Trial(mut trial) => {
                trial.is_answered = true;
                true
            }
        }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if !self.is_answered {
            // Unless another request has changed it, which asked since before the failure.
            let retry_at = &self.circuit.retry_at;
            let _ = retry_at.compare_exchange(self.next, self.retry_at, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}
