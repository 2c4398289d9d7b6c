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
    /// A [`State`].
    state: AtomicU64,
    /// The moment from which the failure of a single request is logged, in nanoseconds.
    log_at: AtomicU64,
}

/// Whether the store is away, in the lowest bit, and above it the moment from which the next request asks it, in nanoseconds.
///
/// While the store answers, the moment is that of the last outage, and each outage has later ones: so a question that was asked in the same
/// state was asked since the last change.
#[derive(Debug, Clone, Copy)]
pub(super) struct State(u64);

/// How a request asks.
pub(super) enum Question {
    /// As all do while the store answers, in this state.
    Usual(State),
    /// Alone, to find out if the store answers again.
    Trial(Trial),
}

/// The right to ask a store that is away. If it is dropped without an answer, as the client has gone, the next request has it.
pub(super) struct Trial {
    circuit: Arc<Circuit>,
    before: State,
    asked_in: State,
    is_answered: bool,
}

impl State {
    const OPEN: u64 = 1;

    fn is_open(self) -> bool {
        self.0 & Self::OPEN != 0
    }

    fn retry_at(self) -> u64 {
        self.0 >> 1
    }

    /// Returns the state after a failure.
    fn failed(self, now: Moment) -> Self {
        let retry_at = now.saturating_add(RETRY_AFTER).nanos().max(self.retry_at() + 1);
        Self(retry_at << 1 | Self::OPEN)
    }
}

impl Circuit {
    fn state(&self) -> State {
        State(self.state.load(Ordering::Relaxed))
    }

    /// Changes the state, unless it is another one by now.
    fn change(&self, from: State, to: State) -> bool {
        self.state.compare_exchange(from.0, to.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Returns how this request asks the store, if it does. While the store is away, `is_held` returns whether it needs no answer of it.
    pub(super) fn asks(self: &Arc<Self>, now: Moment, is_held: impl FnOnce() -> bool) -> Option<Question> {
        let before = self.state();
        if !before.is_open() || is_held() {
            return Some(Question::Usual(before));
        }
        let asked_in = before.failed(now);
        let is_first = before.retry_at() <= now.nanos() && self.change(before, asked_in);
        let trial = || Trial { circuit: Arc::clone(self), before, asked_in, is_answered: false };
        is_first.then(|| Question::Trial(trial()))
    }

    /// Records an answer of the store.
    pub(super) fn close(&self) {
        // Most often there is nothing to write, which others would have to read again.
        if self.state().is_open() {
            self.state.fetch_and(!State::OPEN, Ordering::Relaxed);
        }
    }

    /// Records that the store did not answer a question that was asked in this state. A late failure says nothing: the store has answered
    /// others since, or is known to be away. Returns whether an outage begins.
    pub(super) fn open(&self, asked_in: State, now: Moment) -> bool {
        self.change(asked_in, asked_in.failed(now)) && !asked_in.is_open()
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
    /// Ends the request, whatever the answer. Returns the state in which it asked, and whether it was the trial.
    pub(super) fn answered(self) -> (State, bool) {
        match self {
            Self::Usual(asked_in) => (asked_in, false),
            Self::Trial(mut trial) => {
                trial.is_answered = true;
                (trial.asked_in, true)
            }
        }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if !self.is_answered {
            // Unless another request has changed it, which asked since before the failure.
            self.circuit.change(self.asked_in, self.before);
        }
    }
}
