//! The circuit breaker: after several consecutive lookups without an answer, the store is not read for a while.
//!
//! Without it, each request of an outage would wait for the deadline, and all of them would reach a recovering store at once. While the
//! circuit is open, requests are answered at once without the store. Then a single lookup tries, after a poll if the lease is not valid: if
//! either is answered, the circuit closes, and if not, it opens again.

// Layer 6 of 10: cache.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Moment};
use crate::metrics::Metrics;
use crate::random::Jitter;
use crate::trace;

/// Opens after `failures` consecutive lookups without an answer, for about `pause`.
pub(super) struct Breaker {
    failures: u32,
    pause: Duration,
    state: Mutex<State>,
    jitter: Jitter,
    metrics: Metrics,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Lookups pass. The last `failures` of them went without an answer.
    Closed { failures: u32 },
    /// No lookup passes before this moment.
    Open { until: Moment },
    /// One lookup tries.
    HalfOpen,
}

/// A lookup that the breaker has let through. Dropped without an answer, as by a deadline, it counts as a failure. A panic counts as an
/// answer: a record may have caused it.
pub(super) struct Attempt<'b> {
    breaker: &'b Breaker,
    clock: &'b dyn Clock,
    is_trial: bool,
    is_answered: bool,
}

impl Breaker {
    /// Creates a closed breaker. It never opens if `pause` is zero.
    pub(super) fn new(failures: u32, pause: Duration, metrics: Metrics) -> Self {
        Self {
            failures,
            pause,
            state: Mutex::new(State::Closed { failures: 0 }),
            jitter: Jitter::default(),
            metrics,
        }
    }

    /// Returns whether lookups are rejected at `now`.
    pub(super) fn is_open(&self, now: Moment) -> bool {
        match *self.lock() {
            State::Closed { .. } => false,
            State::Open { until } => now < until,
            State::HalfOpen => true,
        }
    }

    /// Lets a lookup through, or returns `None` if the circuit is open.
    pub(super) fn enter<'b>(&'b self, clock: &'b dyn Clock) -> Option<Attempt<'b>> {
        let mut state = self.lock();
        let is_trial = match *state {
            State::Closed { .. } => false,
            State::Open { until } if until <= clock.monotonic() => true,
            State::Open { .. } | State::HalfOpen => return None,
        };
        if is_trial {
            *state = State::HalfOpen;
        }
        Some(Attempt { breaker: self, clock, is_trial, is_answered: false })
    }

    /// Closes the circuit, because the store has answered.
    pub(super) fn answered(&self) {
        let mut state = self.lock();
        if !matches!(*state, State::Closed { .. }) {
            trace::circuit_closed();
            self.metrics.circuit_open(false);
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
            // Lookups that began before it opened do not count.
            State::Open { .. } => return,
            State::HalfOpen => self.failures,
        };
        *state = if failures < self.failures {
            State::Closed { failures }
        } else {
            trace::circuit_opened(self.pause);
            self.metrics.circuit_open(true);
            State::Open { until: now.saturating_add(self.jitter.shorten(self.pause, now.nanos())) }
        };
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// Returns whether it is the first after a pause.
    pub(super) fn is_trial(&self) -> bool {
        self.is_trial
    }

    /// Notes that the store has answered, even with an error. The breaker counts the answer when the lookup ends.
    pub(super) fn answered(&mut self) {
        self.is_answered = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.is_answered || std::thread::panicking() {
            self.breaker.answered();
        } else {
            self.breaker.failed(self.clock.monotonic());
        }
    }
}

#[cfg(all(test, not(any(shuttle, weak_memory))))]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, Timestamp};

    const PAUSE: Duration = Duration::from_secs(1);

    /// Returns a breaker whose circuit opened at the start of the clock, and the end of the pause.
    fn opened(clock: &ManualClock) -> (Breaker, Duration) {
        let breaker = Breaker::new(3, PAUSE, Metrics::new("test", &[]));
        for _ in 0..3 {
            assert!(!breaker.is_open(clock.monotonic()));
            drop(breaker.enter(clock).expect("a closed circuit"));
        }
        let State::Open { until } = *breaker.lock() else { panic!("it has not opened") };
        let pause = until.saturating_since(clock.monotonic());
        assert!((PAUSE / 2..=PAUSE).contains(&pause));
        (breaker, pause)
    }

    #[test]
    fn one_lookup_tries_at_the_end_of_the_pause_and_none_before() {
        let clock = ManualClock::new(Timestamp::from_unix_millis(0));
        let (breaker, pause) = opened(&clock);
        clock.advance(pause - Duration::from_nanos(1));
        assert!(breaker.is_open(clock.monotonic()) && breaker.enter(&clock).is_none());

        clock.advance(Duration::from_nanos(1));
        assert!(!breaker.is_open(clock.monotonic()));
        let mut trial = breaker.enter(&clock).expect("the trial");
        assert!(trial.is_trial());
        assert!(breaker.is_open(clock.monotonic()) && breaker.enter(&clock).is_none());

        trial.answered();
        drop(trial);
        assert!(!breaker.is_open(clock.monotonic()));
        assert!(!breaker.enter(&clock).expect("a closed circuit").is_trial());
    }

    #[test]
    fn a_trial_without_an_answer_opens_it_again() {
        let clock = ManualClock::new(Timestamp::from_unix_millis(0));
        let (breaker, pause) = opened(&clock);
        clock.advance(pause);
        drop(breaker.enter(&clock).expect("the trial"));
        assert!(breaker.is_open(clock.monotonic()) && breaker.enter(&clock).is_none());
    }
}
