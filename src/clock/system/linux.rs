//! The system clock of Linux, which has coarse clocks beside the exact ones: they are as old as the last tick, and cost a sixth.

// Layer 1 of 10: words.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

use crate::clock::{Clock, Moment, Timestamp};

/// The system clock.
#[derive(Debug, Clone)]
pub struct SystemClock {
    tick: Duration,
}

impl SystemClock {
    /// Creates a clock whose monotonic origin is the boot of the machine.
    pub fn new() -> Self {
        let (wall, monotonic) =
            (clock_getres(ClockId::RealtimeCoarse), clock_getres(ClockId::MonotonicCoarse));
        let tick = since_origin(wall).max(since_origin(monotonic));
        // In whole milliseconds, like wall-clock time.
        Self { tick: Duration::from_millis(tick.as_micros().div_ceil(1_000) as u64) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> Timestamp {
        timestamp(clock_gettime(ClockId::Realtime))
    }

    fn monotonic(&self) -> Moment {
        moment(clock_gettime(ClockId::Monotonic))
    }

    fn coarse_wall(&self) -> Timestamp {
        timestamp(clock_gettime(ClockId::RealtimeCoarse))
    }

    fn coarse_monotonic(&self) -> Moment {
        moment(clock_gettime(ClockId::MonotonicCoarse))
    }

    fn tick(&self) -> Duration {
        self.tick
    }
}

fn timestamp(time: Timespec) -> Timestamp {
    Timestamp::from_unix_millis(time.tv_sec.saturating_mul(1_000).saturating_add(time.tv_nsec / 1_000_000))
}

fn moment(time: Timespec) -> Moment {
    Moment::from_nanos(
        time.tv_sec.unsigned_abs().saturating_mul(1_000_000_000).saturating_add(time.tv_nsec.unsigned_abs()),
    )
}

fn since_origin(time: Timespec) -> Duration {
    Duration::from_nanos(moment(time).nanos())
}
