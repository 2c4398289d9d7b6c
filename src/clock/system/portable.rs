//! The system clock of systems other than Linux: without coarse clocks, every reading is exact.

// Layer 1 of 10: words.

use std::time::{Instant, SystemTime};

use crate::clock::{Clock, Moment, Timestamp};

/// The system clock.
#[derive(Debug, Clone)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// Creates a clock whose monotonic origin is now.
    #[allow(clippy::disallowed_methods, reason = "this is the place that the rule points to")]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the place that the rule points to")]
    fn wall(&self) -> Timestamp {
        SystemTime::now().into()
    }

    fn monotonic(&self) -> Moment {
        Moment::from_nanos(0).saturating_add(self.origin.elapsed())
    }
}
