//! How many requests each key may send, counted by governor.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use tower_api_key::KeyId;

/// Requests after which those keys are forgotten that have their whole allowance back.
const SWEEP: usize = 1000;

/// What each key has used of its allowance. No more keys are remembered than were used in the last minute, and in the
/// requests since the last sweep.
pub(crate) struct Limits<C: Clock = DefaultClock> {
    keys: RateLimiter<KeyId, DefaultKeyedStateStore<KeyId>, C, StateInformationMiddleware>,
    quota: Quota,
    clock: C,
    requests: AtomicUsize,
}

/// What a key may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Requests that may follow at once.
    pub(crate) remaining: u32,
    /// How long it takes until nothing of the allowance is used.
    pub(crate) whole_in: Duration,
}

/// That a key has used its allowance up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UsedUp {
    /// How long it takes until one more request may follow.
    pub(crate) next_in: Duration,
    pub(crate) allowance: Allowance,
}

impl<C: Clock + Clone> Limits<C> {
    /// So many requests a minute, which may come at once, for each key.
    pub(crate) fn per_minute(requests: NonZeroU32, clock: C) -> Self {
        let quota = Quota::per_minute(requests);
        let keys = RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone());
        Self { keys, quota, clock, requests: AtomicUsize::new(0) }
    }

    /// Returns how many requests the whole allowance is.
    pub(crate) fn limit(&self) -> u32 {
        self.quota.burst_size().get()
    }

    /// Counts a request, and says what is left.
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

    /// Returns how many keys are remembered.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}
