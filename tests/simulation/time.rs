//! Time in a run: whole milliseconds since it began, which is the grain of the runtime's timers.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

/// A time, as what has passed since the run began.
pub(crate) type At = Duration;

/// A while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: At,
    pub(crate) to: At,
}

impl Span {
    pub(crate) fn contains(&self, at: At) -> bool {
        self.from <= at && at < self.to
    }

    /// Tells whether a part of it lies in the time from `from` up to and with `to`.
    pub(crate) fn meets(&self, from: At, to: At) -> bool {
        self.from <= to && from <= self.to
    }

    /// Tells whether all of it does.
    pub(crate) fn is_within(&self, from: At, to: At) -> bool {
        from <= self.from && self.to <= to
    }
}

/// The runtime's clock, which stands still while anyone has something to do.
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

/// Draws a while of whole milliseconds.
pub(crate) fn between(rng: &mut Rng, least: Duration, most: Duration) -> Duration {
    Duration::from_millis(rng.u64(millis(least)..=millis(most)))
}

pub(crate) fn one_in(rng: &mut Rng, number: u32) -> bool {
    rng.u32(0..number) == 0
}

pub(crate) fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}
