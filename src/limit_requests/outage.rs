//! What happens while a counter store does not answer, and when it is asked again.

// Layer 8 of 10: decision.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Moment;

/// What happens to requests to keys with limits while the counter store does not answer.
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
}

impl Circuit {
    /// Returns whether the last answer was a failure.
    pub(super) fn is_open(&self) -> bool {
        self.retry_at.load(Ordering::Relaxed) != 0
    }

    /// Returns whether this request asks the store.
    pub(super) fn asks(&self, now: Moment) -> bool {
        let retry_at = self.retry_at.load(Ordering::Relaxed);
        if retry_at == 0 {
            return true;
        }
        let next = now.saturating_add(RETRY_AFTER).nanos();
        retry_at <= now.nanos()
            && self.retry_at.compare_exchange(retry_at, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Records an answer.
    pub(super) fn close(&self) {
        // Most often there is nothing to write, which others would have to read again.
        if self.retry_at.load(Ordering::Relaxed) != 0 {
            self.retry_at.store(0, Ordering::Relaxed);
        }
    }

    /// Records a failure.
    pub(super) fn open(&self, now: Moment) {
        self.retry_at.store(now.saturating_add(RETRY_AFTER).nanos(), Ordering::Relaxed);
    }
}
