//! The machine's clock, with an adjustable wall clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tower_api_key::Timestamp;
use tower_api_key::clock::{Clock, Moment, SystemClock};

#[derive(Debug)]
pub(crate) struct SteppedClock {
    machine: SystemClock,
    /// The milliseconds by which the wall clock is ahead.
    ahead: AtomicI64,
}

impl SteppedClock {
    pub(crate) fn new() -> Self {
        Self { machine: SystemClock::new(), ahead: AtomicI64::new(0) }
    }

    pub(crate) fn step(&self, millis: i64) {
        self.ahead.fetch_add(millis, Ordering::SeqCst);
    }

    fn adjusted(&self, wall: Timestamp) -> Timestamp {
        Timestamp::from_unix_millis(wall.unix_millis() + self.ahead.load(Ordering::SeqCst))
    }
}

impl Clock for SteppedClock {
    fn wall(&self) -> Timestamp {
        self.adjusted(self.machine.wall())
    }

    fn monotonic(&self) -> Moment {
        self.machine.monotonic()
    }

    fn coarse_wall(&self) -> Timestamp {
        self.adjusted(self.machine.coarse_wall())
    }

    fn coarse_monotonic(&self) -> Moment {
        self.machine.coarse_monotonic()
    }

    fn tick(&self) -> Duration {
        self.machine.tick()
    }
}
