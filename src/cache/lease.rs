//! The lease: until when what was read from the store may be believed without asking again.
//!
//! A backend that announces each change before it acknowledges it is exact by itself, and its lease never ends. One that
//! learns of changes by polling would renew the lease with each poll, counted from the poll's start.

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

    /// Tells whether cached records count at `now`.
    pub(super) fn covers(&self, now: Moment) -> bool {
        now.nanos() < self.until.load(Ordering::SeqCst)
    }
}
