//! What the cache tells of itself.

use super::Cache;
use super::now::Now;
use crate::health::{FeedHealth, Health};

impl Cache {
    pub(crate) fn health(&self) -> Health {
        let now = Now::exact(&*self.clock);
        let then = now.before(self.limits.stale_grace);
        Health {
            is_store_asked: !self.breaker.is_open(now.monotonic),
            is_cache_trusted: self.lease.covers(then.monotonic, || then.wall),
            feed: self.feed_health(now),
            look_ups: self.flights.len(),
            usage_backlog: None,
        }
    }

    pub(super) fn feed_health(&self, now: Now) -> Option<FeedHealth> {
        let lease_remaining = self.lease.remaining(now)?;
        let lag = self.follower.polled().map(|polled| now.monotonic.saturating_since(polled));
        Some(FeedHealth { lag, lease_remaining, is_listening: self.follower.is_listening() })
    }
}
