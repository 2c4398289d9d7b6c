//! The clock of the machine, as someone sets it who has the wrong time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tower_api_key::Timestamp;
use tower_api_key::clock::{Clock, Moment, SystemClock};

#[derive(Debug)]
pub(crate) struct Stepped {
    machine: SystemClock,
    /// By how many milliseconds the wall clock is ahead.
    ahead: AtomicI64,
}

impl Stepped {
    pub(crate) fn new() -> Self {
        Self { machine: SystemClock::new(), ahead: AtomicI64::new(0) }
    }

    pub(crate) fn step(&self, millis: i64) {
        self.ahead.fetch_add(millis, Ordering::SeqCst);
    }

    fn stepped(&self, wall: Timestamp) -> Timestamp {
        Timestamp::from_unix_millis(wall.unix_millis() + self.ahead.load(Ordering::SeqCst))
    }
}

impl Clock for Stepped {
    fn wall(&self) -> Timestamp {
        self.stepped(self.machine.wall())
    }

    fn monotonic(&self) -> Moment {
        self.machine.monotonic()
    }

    fn coarse_wall(&self) -> Timestamp {
        self.stepped(self.machine.coarse_wall())
    }

    fn coarse_monotonic(&self) -> Moment {
        self.machine.coarse_monotonic()
    }

    fn tick(&self) -> Duration {
        self.machine.tick()
    }
}
