//! The circuit breaker: a store that has given no answer several times in a row is left alone for a while.
//!
//! Without it, each request of an outage would wait for the deadline, and a store that comes back would be met by all of
//! them at once. While it is open, requests are answered at once without the store. Then a single lookup tries, after a poll
//! if there is no lease: if either is answered, all may ask again, and if not, the store is left alone once more.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Moment};
use crate::metrics::Metrics;
use crate::random::Jitter;
use crate::trace;

/// Whether the store may be asked.
pub(super) struct Breaker {
    /// After how many attempts without an answer the store is left alone.
    failures: u32,
    pause: Duration,
    state: Mutex<State>,
    jitter: Jitter,
    metrics: Metrics,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// The store may be asked. So many attempts in a row went without an answer.
    Closed { failures: u32 },
    /// Nobody asks before this moment.
    Open { until: Moment },
    /// One lookup tries.
    HalfOpen,
}

/// A lookup that the breaker has let through. Dropped without an answer, as by a deadline, it has failed. One that panics says
/// nothing of the store: a record may be what makes it panic.
pub(super) struct Trial<'b> {
    breaker: &'b Breaker,
    clock: &'b dyn Clock,
    is_first: bool,
    is_answered: bool,
}

impl Breaker {
    /// Creates a closed breaker. With a pause of zero it never opens.
    pub(super) fn new(failures: u32, pause: Duration, metrics: Metrics) -> Self {
        Self {
            failures,
            pause,
            state: Mutex::new(State::Closed { failures: 0 }),
            jitter: Jitter::default(),
            metrics,
        }
    }

    /// Tells whether the store is left alone at `now`.
    pub(super) fn is_open(&self, now: Moment) -> bool {
        match *self.lock() {
            State::Closed { .. } => false,
            State::Open { until } => now < until,
            State::HalfOpen => true,
        }
    }

    /// Lets a lookup through, or `None` if the store is left alone.
    pub(super) fn enter<'b>(&'b self, clock: &'b dyn Clock) -> Option<Trial<'b>> {
        let mut state = self.lock();
        let is_first = match *state {
            State::Closed { .. } => false,
            State::Open { until } if until <= clock.monotonic() => true,
            State::Open { .. } | State::HalfOpen => return None,
        };
        if is_first {
            *state = State::HalfOpen;
        }
        Some(Trial { breaker: self, clock, is_first, is_answered: false })
    }

    /// Lets all ask: the store has answered.
    pub(super) fn answered(&self) {
        let mut state = self.lock();
        if !matches!(*state, State::Closed { .. }) {
            trace::resumed();
            self.metrics.left_alone(false);
        }
        *state = State::Closed { failures: 0 };
    }

    fn failed(&self, now: Moment) {
        if self.pause.is_zero() {
            return;
        }
        let mut state = self.lock();
        let failures = match *state {
            State::Closed { failures } => failures + 1,
            // Lookups that began before it opened have no more to say.
            State::Open { .. } => return,
            State::HalfOpen => self.failures,
        };
        *state = if failures < self.failures {
            State::Closed { failures }
        } else {
            trace::paused(self.pause);
            self.metrics.left_alone(true);
            State::Open { until: now.saturating_add(self.jitter.shorten(self.pause, now.nanos())) }
        };
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trial<'_> {
    /// Tells whether it is the one that tries after a pause.
    pub(super) fn is_first(&self) -> bool {
        self.is_first
    }

    /// The store has answered, whatever it said. It counts when the lookup ends.
    pub(super) fn answered(&mut self) {
        self.is_answered = true;
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if self.is_answered || std::thread::panicking() {
            self.breaker.answered();
        } else {
            self.breaker.failed(self.clock.monotonic());
        }
    }
}
