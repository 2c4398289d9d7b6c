//! Rate limits by key, counted by governor.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use tower_api_key::KeyId;

/// Requests between two sweeps, which drop the keys with a full allowance.
const SWEEP: usize = 1000;

/// The used allowance of each key. Holds only keys that were used in the last minute, or since the last sweep.
pub(crate) struct Limits<C: Clock = DefaultClock> {
    keys: RateLimiter<KeyId, DefaultKeyedStateStore<KeyId>, C, StateInformationMiddleware>,
    quota: Quota,
    clock: C,
    requests: AtomicUsize,
}

/// The remaining allowance of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// The permitted requests without a wait.
    pub(crate) remaining: u32,
    /// The time until the allowance is full.
    pub(crate) whole_in: Duration,
}

/// The error of a key without allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UsedUp {
    /// The time until the next permitted request.
    pub(crate) next_in: Duration,
    pub(crate) allowance: Allowance,
}

impl<C: Clock + Clone> Limits<C> {
    /// Creates limits of this number of requests a minute for each key, which may come in a burst.
    pub(crate) fn per_minute(requests: NonZeroU32, clock: C) -> Self {
        let quota = Quota::per_minute(requests);
        let keys = RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone());
        Self { keys, quota, clock, requests: AtomicUsize::new(0) }
    }

    /// Returns the full allowance.
    pub(crate) fn limit(&self) -> u32 {
        self.quota.burst_size().get()
    }

    /// Counts a request, and returns the remaining allowance.
    pub(crate) fn count(&self, key: &KeyId) -> Result<Allowance, UsedUp> {
        if self.requests.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.keys.retain_recent();
            self.keys.shrink_to_fit();
            tracing::debug!(keys = self.len(), "forgot the keys that have their whole allowance back");
        }
        let one = self.quota.replenish_interval();
        match self.keys.check_key(key) {
            Ok(left) => {
                let remaining = left.remaining_burst_capacity();
                let used = self.limit().saturating_sub(remaining);
                Ok(Allowance { remaining, whole_in: one * used })
            }
            Err(until) => {
                let next_in = until.wait_time_from(self.clock.now());
                let whole_in = next_in + one * self.limit().saturating_sub(1);
                Err(UsedUp { next_in, allowance: Allowance { remaining: 0, whole_in } })
            }
        }
    }

    /// Returns the number of keys in memory.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}
