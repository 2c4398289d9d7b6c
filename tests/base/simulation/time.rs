//! Time in a run: whole milliseconds since its start, the resolution of the runtime's timers.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

/// A point in time, as the duration since the start of the run.
pub(crate) type At = Duration;

/// An interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: At,
    pub(crate) to: At,
}

impl Span {
    pub(crate) fn contains(&self, at: At) -> bool {
        self.from <= at && at < self.to
    }

    /// Returns whether it overlaps the time from `from` to `to`, both included.
    pub(crate) fn meets(&self, from: At, to: At) -> bool {
        self.from <= to && from <= self.to
    }

    /// Returns whether it lies within that time.
    pub(crate) fn is_within(&self, from: At, to: At) -> bool {
        from <= self.from && self.to <= to
    }
}

/// The runtime's clock, which advances only while no task can run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(&self) -> At {
        Instant::now() - self.0
    }

    pub(crate) async fn reach(&self, at: At) {
        tokio::time::sleep_until(self.0 + at).await;
    }
}

/// Draws a duration in whole milliseconds.
pub(crate) fn between(rng: &mut Rng, least: Duration, most: Duration) -> Duration {
    Duration::from_millis(rng.u64(millis(least)..=millis(most)))
}

pub(crate) fn one_in(rng: &mut Rng, number: u32) -> bool {
    rng.u32(0..number) == 0
}

pub(crate) fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}
