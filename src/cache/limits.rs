//! The limits of a cache, and their defaults.

// Layer 6 of 10: cache.

use std::time::Duration;

use crate::error::{ConfigError, ConfigErrorKind};

/// The limits of a cache. A time to live of zero turns that part of the cache off.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) positive_ttl: Duration,
    pub(crate) positive_capacity: u64,
    pub(crate) negative_ttl: Duration,
    pub(crate) negative_capacity: u64,
    /// Longest wait of a request for the store.
    pub(crate) deadline: Duration,
    pub(crate) max_concurrent_lookups: usize,
    /// How long cached entries are valid after the start of a poll.
    pub(crate) lease: Duration,
    pub(crate) poll_interval: Duration,
    /// How much longer entries may be used while the store gives no answer.
    pub(crate) stale_grace: Duration,
    /// Number of consecutive lookups without an answer that open the circuit, and how long it stays open.
    pub(crate) breaker_failures: u32,
    pub(crate) breaker_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            positive_ttl: Duration::from_secs(60),
            positive_capacity: 100_000,
            negative_ttl: Duration::from_secs(5),
            negative_capacity: 10_000,
            deadline: Duration::from_millis(500),
            max_concurrent_lookups: 64,
            lease: Duration::from_secs(5),
            poll_interval: Duration::from_secs(1),
            stale_grace: Duration::ZERO,
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(1),
        }
    }
}

/// Shortest poll interval, so that no store is overloaded.
const MIN_INTERVAL: Duration = Duration::from_millis(1);
/// Least time between the next poll and the end of the lease, for the poll to be answered.
const MIN_MARGIN: Duration = Duration::from_millis(10);

impl Limits {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |message: String| Err(ConfigError::new(ConfigErrorKind::Limit, message));
        if self.deadline.is_zero() {
            // Zero would mean no deadline, and a request that waits forever is worse than any deadline.
            return wrong("the backend deadline must be above zero, got zero".into());
        }
        let lookups = self.max_concurrent_lookups;
        if !(1..=10_000).contains(&lookups) {
            return wrong(format!(
                "the maximum of concurrent lookups must be from 1 to 10,000, got {lookups}"
            ));
        }
        let (lease, interval) = (self.lease, self.poll_interval);
        if interval < MIN_INTERVAL {
            return wrong(format!("the poll interval must be at least {MIN_INTERVAL:?}, got {interval:?}"));
        }
        if lease < interval.saturating_add(MIN_MARGIN) {
            return wrong(format!(
                "the lease must be at least {MIN_MARGIN:?} longer than the poll interval of {interval:?}, got {lease:?}"
            ));
        }
        let grace = self.stale_grace;
        if !grace.is_zero() && (self.positive_ttl.is_zero() || self.positive_capacity == 0) {
            return wrong(format!(
                "the positive time to live and capacity must be above zero with a stale grace of {grace:?}, got zero"
            ));
        }
        if self.breaker_failures == 0 {
            return wrong("the circuit breaker must open after one failure or more, got zero".into());
        }
        let longest = [
            ("lease", self.lease, Duration::from_secs(60 * 60)),
            ("positive time to live", self.positive_ttl, Duration::from_secs(24 * 60 * 60)),
            ("negative time to live", self.negative_ttl, Duration::from_secs(60)),
            ("backend deadline", self.deadline, Duration::from_secs(60)),
            ("stale grace", self.stale_grace, Duration::from_secs(24 * 60 * 60)),
            ("pause of the circuit breaker", self.breaker_pause, Duration::from_secs(60)),
        ];
        match longest.into_iter().find(|(_, found, most)| found > most) {
            Some((what, found, most)) => wrong(format!("the {what} must be at most {most:?}, got {found:?}")),
            None => Ok(()),
        }
    }

    /// Returns the most cold lookups that may run or wait to run. A flood of unknown keys is rejected beyond that, before it piles up.
    pub(super) fn max_pending_cold(&self) -> u64 {
        self.max_concurrent_lookups as u64 * 16
    }

    /// Returns how long a tombstone is kept: longer than a read that started before the revocation can take.
    pub(super) fn tombstone_ttl(&self) -> Duration {
        self.deadline.saturating_mul(2).max(Duration::from_secs(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maxima_are_inclusive() {
        let hour = Duration::from_secs(3_600);
        type Part = fn(&mut Limits) -> &mut Duration;
        let longest: [(Part, Duration); 6] = [
            (|limits| &mut limits.lease, hour),
            (|limits| &mut limits.positive_ttl, 24 * hour),
            (|limits| &mut limits.negative_ttl, hour / 60),
            (|limits| &mut limits.deadline, hour / 60),
            (|limits| &mut limits.stale_grace, 24 * hour),
            (|limits| &mut limits.breaker_pause, hour / 60),
        ];
        for (part, most) in longest {
            let mut limits = Limits::default();
            *part(&mut limits) = most;
            assert!(limits.check().is_ok(), "{most:?}");
            *part(&mut limits) += Duration::from_nanos(1);
            assert!(limits.check().is_err(), "more than {most:?}");
        }
    }

    #[test]
    fn a_thousand_cold_lookups_may_wait_by_default() {
        assert_eq!(Limits::default().max_pending_cold(), 1_024);
    }
}
