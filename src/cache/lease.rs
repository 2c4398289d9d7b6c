//! The lease: until when what was read from the store may be believed without asking again.
//!
//! A store that no other process changes announces each change before it acknowledges it, and its lease never ends.
//! Where others change the store, their changes are learned by polling, and each poll renews the lease. What counts is
//! when the poll *began*: what it answers may be as old as that, so a lease that counted from its end would be too long by
//! the time the poll took.
//!
//! The lease ends by whichever clock comes first. A monotonic clock may stand still while the machine is suspended, and the
//! wall clock is then far ahead; the wall clock may be set back, and the monotonic one then goes on.

use std::time::Duration;

use super::dual_instant::DualInstant;
use super::sync::{Atomic, Ordering};
use crate::clock::{Moment, Timestamp};

const ENDLESS: u64 = Moment::NEVER.nanos();

/// The end of the time in which cached records count.
#[derive(Debug)]
pub(super) struct Lease {
    until: Atomic,
    /// In milliseconds.
    until_wall: Atomic,
}

impl Lease {
    /// Creates a lease without an end.
    pub(super) fn endless() -> Self {
        Self { until: Atomic::new(ENDLESS), until_wall: Atomic::new(ENDLESS) }
    }

    /// Creates a lease that has not begun.
    pub(super) fn not_yet() -> Self {
        Self { until: Atomic::new(0), until_wall: Atomic::new(0) }
    }

    /// Lets cached records count for `length` from when a poll began.
    pub(super) fn renew(&self, poll_began: DualInstant, length: Duration) {
        // Where the wall clock was set back meanwhile, the earlier end would be too late.
        self.until_wall.store(millis(poll_began.wall.saturating_add(length)), Ordering::SeqCst);
        self.until.fetch_max(poll_began.monotonic.saturating_add(length).nanos(), Ordering::SeqCst);
    }

    /// Tells whether cached records count at `now`. The wall clock is read where the lease has an end.
    #[inline]
    pub(super) fn covers(&self, now: Moment, wall: impl FnOnce() -> Timestamp) -> bool {
        let until = self.until.load(Ordering::SeqCst);
        let is_before_wall = || millis(wall()) < self.until_wall.load(Ordering::SeqCst);
        now.nanos() < until && (until == ENDLESS || is_before_wall())
    }

    /// Returns how long the lease still runs, or `None` if it has no end.
    pub(super) fn remaining(&self, now: DualInstant) -> Option<Duration> {
        let until = self.until.load(Ordering::SeqCst);
        let left = Duration::from_nanos(until.saturating_sub(now.monotonic.nanos()));
        let left_by_wall = self.until_wall.load(Ordering::SeqCst).saturating_sub(millis(now.wall));
        (until != ENDLESS).then(|| left.min(Duration::from_millis(left_by_wall)))
    }
}

/// Times before 1970 are as good as 1970: a lease that ends there has ended.
fn millis(wall: Timestamp) -> u64 {
    wall.unix_millis().max(0).unsigned_abs()
}
