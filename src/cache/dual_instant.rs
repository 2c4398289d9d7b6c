//! An instant on both clocks: the monotonic one may stop while the machine is suspended, and the wall clock may be set back.

// Layer 6 of 10: cache.

use std::time::Duration;

use crate::clock::{Clock, Moment, Timestamp};

#[derive(Debug, Clone, Copy)]
pub(super) struct DualInstant {
    pub(super) monotonic: Moment,
    pub(super) wall: Timestamp,
}

impl DualInstant {
    /// Reads both clocks exactly.
    pub(super) fn now(clock: &dyn Clock) -> Self {
        Self { monotonic: clock.monotonic(), wall: clock.wall() }
    }

    /// Returns the instant `by` earlier.
    pub(super) fn saturating_sub(self, by: Duration) -> Self {
        Self { monotonic: self.monotonic.saturating_sub(by), wall: self.wall.saturating_sub(by) }
    }

    /// Returns the instant `by` later.
    pub(super) fn saturating_add(self, by: Duration) -> Self {
        Self { monotonic: self.monotonic.saturating_add(by), wall: self.wall.saturating_add(by) }
    }

    /// Returns whether `end` has been reached on either clock.
    pub(super) fn has_reached(self, end: Self) -> bool {
        self.monotonic >= end.monotonic || self.wall >= end.wall
    }
}
