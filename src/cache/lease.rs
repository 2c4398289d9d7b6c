//! The lease: until when what was read from the store may be believed without asking again.
//!
//! A store that no other process changes announces each change before it acknowledges it, and its lease never ends.
//! Where others change the store, their changes are learned by polling, and each poll renews the lease. What counts is
//! when the poll *began*: what it answers may be as old as that, so a lease that counted from its end would be too long by
//! the time the poll took.

use std::time::Duration;

use super::sync::{Atomic, Ordering};
use crate::clock::Moment;

/// The end of the time in which cached records count.
#[derive(Debug)]
pub(super) struct Lease {
    until: Atomic,
}

impl Lease {
    /// Creates a lease without an end.
    pub(super) fn endless() -> Self {
        Self { until: Atomic::new(Moment::NEVER.nanos()) }
    }

    /// Creates a lease that has not begun.
    pub(super) fn not_yet() -> Self {
        Self { until: Atomic::new(0) }
    }

    /// Lets cached records count for `length` from when a poll began.
    pub(super) fn renew(&self, poll_began: Moment, length: Duration) {
        self.until.fetch_max(poll_began.saturating_add(length).nanos(), Ordering::SeqCst);
    }

    /// Tells whether cached records count at `now`.
    pub(super) fn covers(&self, now: Moment) -> bool {
        now.nanos() < self.until.load(Ordering::SeqCst)
    }
}
