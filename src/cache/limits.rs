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
    pub(crate) max_concurrent_lookups: usize,
    /// For how long what is cached counts after the start of a poll of the feed.
    pub(crate) lease: Duration,
    pub(crate) poll_interval: Duration,
    /// For how much longer records count while the store gives no answer.
    pub(crate) stale_grace: Duration,
    /// After how many attempts without an answer the store is left alone, and for how long.
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

/// No store is asked more often, however short its answers.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);
/// The least that is left of a lease for the next poll to be answered.
const SHORTEST_POLL: Duration = Duration::from_millis(10);

impl Limits {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |message: String| Err(ConfigError::new(ConfigErrorKind::Limit, message));
        if self.deadline.is_zero() {
            // Zero means off, and a request that waits for ever is worse than any deadline.
            return wrong("expected a backend deadline above zero, found zero".into());
        }
        let fills = self.max_concurrent_lookups;
        if !(1..=10_000).contains(&fills) {
            return wrong(format!("expected room for 1 to 10,000 lookups at a time, found {fills}"));
        }
        let (lease, interval) = (self.lease, self.poll_interval);
        if interval < SHORTEST_INTERVAL {
            return wrong(format!(
                "expected a poll interval of at least {SHORTEST_INTERVAL:?}, found {interval:?}"
            ));
        }
        if lease < interval.saturating_add(SHORTEST_POLL) {
            return wrong(format!(
                "expected a lease at least {SHORTEST_POLL:?} longer than the poll interval of {interval:?}, found {lease:?}"
            ));
        }
        let grace = self.stale_grace;
        if !grace.is_zero() && (self.positive_ttl.is_zero() || self.positive_capacity == 0) {
            return wrong(format!(
                "expected a positive time to live and capacity above zero, as records are kept for a stale grace of {grace:?}, found zero"
            ));
        }
        if self.breaker_failures == 0 {
            return wrong(
                "expected a circuit breaker that opens after one failure or more, found zero".into(),
            );
        }
        let longest = [
            ("a lease", self.lease, Duration::from_secs(60 * 60)),
            ("a positive time to live", self.positive_ttl, Duration::from_secs(24 * 60 * 60)),
            ("a negative time to live", self.negative_ttl, Duration::from_secs(60)),
            ("a backend deadline", self.deadline, Duration::from_secs(60)),
            ("a stale grace", self.stale_grace, Duration::from_secs(24 * 60 * 60)),
            ("a pause of the circuit breaker", self.breaker_pause, Duration::from_secs(60)),
        ];
        match longest.into_iter().find(|(_, found, most)| found > most) {
            Some((what, found, most)) => {
                wrong(format!("expected {what} of at most {most:?}, found {found:?}"))
            }
            None => Ok(()),
        }
    }

    /// How many lookups may run or wait to run. A flood of unknown keys is refused past that, before it piles up.
    pub(super) fn pending_fills(&self) -> u64 {
        self.max_concurrent_lookups as u64 * 16
    }

    /// How long a revoked key is remembered as dead: longer than a read that started before the revocation can take.
    pub(super) fn tombstone_ttl(&self) -> Duration {
        self.deadline.saturating_mul(2).max(Duration::from_secs(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_that_is_allowed_is_allowed_and_no_more() {
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
    fn a_thousand_look_ups_may_wait_by_default() {
        assert_eq!(Limits::default().pending_fills(), 1_024);
    }
}
