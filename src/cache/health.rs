//! What the cache tells of itself.

use super::Cache;
use super::dual_instant::DualInstant;
use super::sync::Ordering;
use crate::clock::Moment;
use crate::health::{FeedHealth, Health};

impl Cache {
    pub(crate) fn health(&self) -> Health {
        let now = DualInstant::exact(&*self.clock);
        let then = now.before(self.limits.stale_grace);
        let is_store_asked = !self.breaker.is_open(now.monotonic);
        Health {
            is_store_asked,
            is_store_answering: is_store_asked && self.was_answered(now),
            is_cache_trusted: self.lease.covers(then.monotonic, || then.wall),
            feed: self.feed_health(now),
            lookups: self.flights.len(),
            usage_backlog: None,
        }
    }

    /// Tells whether the last poll was answered, or a lookup for as long as a lease.
    fn was_answered(&self, now: DualInstant) -> bool {
        let last = self.answered.load(Ordering::Relaxed);
        let since = now.monotonic.saturating_since(Moment::from_nanos(last));
        !self.follower.is_failing() || (last > 0 && since < self.limits.lease)
    }

    pub(super) fn feed_health(&self, now: DualInstant) -> Option<FeedHealth> {
        let lease_remaining = self.lease.remaining(now)?;
        let lag = self.follower.polled().map(|polled| now.monotonic.saturating_since(polled));
        let (is_listening, restarts) = (self.follower.is_listening(), self.follower.restarts());
        let last_error = self.follower.last_error();
        Some(FeedHealth { lag, lease_remaining, is_listening, restarts, last_error })
    }
}
