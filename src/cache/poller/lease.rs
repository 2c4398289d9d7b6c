//! The lease: how long cached entries may be used without reading the store.
//!
//! A store that no other process changes sends an invalidation before it acknowledges a change, and its lease never ends. If other processes
//! change the store, their changes are learned by polling, and each poll renews the lease. It is renewed from when the poll *began*: its
//! answer may be as old as that, so a lease that counted from its end would be too long by the duration of the poll.
//!
//! The lease ends on the clock that reaches its end first. A monotonic clock may stop while the machine is suspended, and the wall clock is
//! then far ahead; the wall clock may be set back, and the monotonic one then continues.

// Layer 6 of 10: cache.

use std::time::Duration;

use crate::cache::dual_instant::DualInstant;
use crate::cache::sync::{Atomic, Ordering};
use crate::clock::{Moment, Timestamp};

const ENDLESS: u64 = Moment::NEVER.nanos();

/// The end of the time in which cached entries are valid.
#[derive(Debug)]
pub(in crate::cache) struct Lease {
    until_nanos: Atomic,
    until_wall_millis: Atomic,
}

impl Lease {
    /// Creates a lease without an end.
    pub(in crate::cache) fn endless() -> Self {
        Self { until_nanos: Atomic::new(ENDLESS), until_wall_millis: Atomic::new(ENDLESS) }
    }

    /// Creates a lease that has not begun.
    pub(in crate::cache) fn not_yet() -> Self {
        Self { until_nanos: Atomic::new(0), until_wall_millis: Atomic::new(0) }
    }

    /// Makes cached entries valid for `length` from the beginning of a poll.
    pub(in crate::cache) fn renew(&self, poll_began: DualInstant, length: Duration) {
        // If the wall clock was set back in the meantime, the earlier end would be too late.
        self.until_wall_millis.store(millis(poll_began.wall.saturating_add(length)), Ordering::SeqCst);
        self.until_nanos.fetch_max(poll_began.monotonic.saturating_add(length).nanos(), Ordering::SeqCst);
    }

    /// Returns whether cached entries are valid at `now`. Reads the wall clock only if the lease has an end.
    #[inline]
    pub(in crate::cache) fn covers(&self, now: Moment, wall: impl FnOnce() -> Timestamp) -> bool {
        let until = self.until_nanos.load(Ordering::SeqCst);
        let is_before_wall = || millis(wall()) < self.until_wall_millis.load(Ordering::SeqCst);
        now.nanos() < until && (until == ENDLESS || is_before_wall())
    }

    /// Returns the remaining time of the lease, or `None` if it has no end.
    pub(in crate::cache) fn remaining(&self, now: DualInstant) -> Option<Duration> {
        let until = self.until_nanos.load(Ordering::SeqCst);
        let left = Duration::from_nanos(until.saturating_sub(now.monotonic.nanos()));
        let left_by_wall = self.until_wall_millis.load(Ordering::SeqCst).saturating_sub(millis(now.wall));
        (until != ENDLESS).then(|| left.min(Duration::from_millis(left_by_wall)))
    }
}

/// Times before 1970 become 1970: a lease that ends there has ended.
fn millis(wall: Timestamp) -> u64 {
    wall.unix_millis().max(0).unsigned_abs()
}
