//! The numbers of a cache, and their defaults.

use std::time::Duration;

use crate::error::{ConfigError, ConfigErrorKind};

/// The numbers of a cache. A time to live of zero turns that part of the cache off.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) positive_ttl: Duration,
    pub(crate) positive_capacity: u64,
    pub(crate) negative_ttl: Duration,
    pub(crate) negative_capacity: u64,
    /// How long a request waits for the store.
    pub(crate) deadline: Duration,
    pub(crate) concurrent_fills: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            positive_ttl: Duration::from_secs(60),
            positive_capacity: 100_000,
            negative_ttl: Duration::from_secs(5),
            negative_capacity: 10_000,
            deadline: Duration::from_millis(500),
            concurrent_fills: 64,
        }
    }
}

impl Limits {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |message: String| Err(ConfigError::new(ConfigErrorKind::Limit, message));
        if self.deadline.is_zero() {
            // Zero means off, and a request that waits for ever is worse than any deadline.
            return wrong("expected a backend deadline above zero, found zero".into());
        }
        if self.concurrent_fills == 0 {
            return wrong("expected room for at least one look-up at a time, found none".into());
        }
        if self.negative_ttl > Duration::from_secs(60) {
            let found = self.negative_ttl;
            return wrong(format!("expected a negative time to live of at most 60 s, found {found:?}"));
        }
        Ok(())
    }

    /// How many look-ups may run or wait to run. A flood of unknown keys is refused past that, before it piles up.
    pub(super) fn pending_fills(&self) -> usize {
        self.concurrent_fills.saturating_mul(16)
    }

    /// How long a revoked key is remembered as dead: longer than a read that started before the revocation can take.
    pub(super) fn dead_for(&self) -> Duration {
        self.deadline.saturating_mul(2).max(Duration::from_secs(10))
    }
}
