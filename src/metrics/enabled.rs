//! Reports to the recorder of the application. Compiled with the feature `metrics`; otherwise `disabled` has the same interface.

// Layer 4 of 10: observation.

use std::sync::Arc;

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use super::names::{
    ADMISSIONS, BACKEND_ERRORS, CACHE_HITS, CACHE_MISSES, CIRCUIT_OPEN, COUNTERS_AWAY, FEED_LAG,
    FEED_LISTENING, FEED_RESTARTS, INVALIDATIONS, LEASE_REMAINING, LOOKUPS, REJECTIONS, STALE_ADMISSIONS,
    USAGE_BACKLOG, USAGE_LOST,
};
use crate::backend::{BackendErrorKind, Invalidation};
use crate::health::FeedHealth;

/// The kinds of failure without an error of the store.
const NO_ANSWER: [&str; 2] = ["panic", "deadline"];

/// The metrics of one authenticator. Finding a metric by its name costs more than an admission, so it is done once.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Handles>);

struct Handles {
    admissions: Counter,
    stale_admissions: Counter,
    rejections: ByLabel,
    errors: ByLabel,
    invalidations: ByLabel,
    restarts: Counter,
    counters_away: Counter,
    hits: Counter,
    misses: Counter,
    lookups: Gauge,
    circuit_open: Gauge,
    lag: Gauge,
    lease: Gauge,
    listening: Gauge,
}

/// A counter for each value of a label.
struct ByLabel(Box<[(&'static str, Counter)]>);

impl ByLabel {
    fn increment(&self, value: &'static str) {
        if let Some((_, counter)) = self.0.iter().find(|(other, _)| *other == value) {
            counter.increment(1);
        }
    }
}

impl Metrics {
    pub(crate) const IS_ENABLED: bool = true;

    /// Finds the metrics of the authenticator `name`, which rejects requests for `reasons`.
    pub(crate) fn new(name: &str, reasons: &[&'static str]) -> Self {
        describe();
        let count = |metric: &'static str| counter!(metric, "authenticator" => name.to_owned());
        let measure = |metric: &'static str| gauge!(metric, "authenticator" => name.to_owned());
        let by = |metric: &'static str, label: &'static str, values: &[&'static str]| {
            let counter =
                |value: &'static str| counter!(metric, "authenticator" => name.to_owned(), label => value);
            ByLabel(values.iter().map(|value| (*value, counter(value))).collect())
        };
        Self(Arc::new(Handles {
            admissions: count(ADMISSIONS),
            stale_admissions: count(STALE_ADMISSIONS),
            rejections: by(REJECTIONS, "reason", reasons),
            errors: by(BACKEND_ERRORS, "kind", &[&BackendErrorKind::LABELS[..], &NO_ANSWER].concat()),
            invalidations: by(INVALIDATIONS, "kind", &Invalidation::LABELS),
            restarts: count(FEED_RESTARTS),
            counters_away: count(COUNTERS_AWAY),
            hits: count(CACHE_HITS),
            misses: count(CACHE_MISSES),
            lookups: measure(LOOKUPS),
            circuit_open: measure(CIRCUIT_OPEN),
            lag: measure(FEED_LAG),
            lease: measure(LEASE_REMAINING),
            listening: measure(FEED_LISTENING),
        }))
    }

    #[inline]
    pub(crate) fn admitted(&self) {
        self.0.admissions.increment(1);
    }

    pub(crate) fn admitted_stale(&self) {
        self.0.stale_admissions.increment(1);
    }

    pub(crate) fn rejected(&self, reason: &'static str) {
        self.0.rejections.increment(reason);
    }

    /// Counts a call that the store did not answer.
    pub(crate) fn failed(&self, kind: &'static str) {
        self.0.errors.increment(kind);
    }

    pub(crate) fn invalidated(&self, kind: &'static str) {
        self.0.invalidations.increment(kind);
    }

    pub(crate) fn restarted(&self) {
        self.0.restarts.increment(1);
    }

    pub(crate) fn counters_away(&self) {
        self.0.counters_away.increment(1);
    }

    #[inline]
    pub(crate) fn hit(&self) {
        self.0.hits.increment(1);
    }

    pub(crate) fn missed(&self) {
        self.0.misses.increment(1);
    }

    /// Counts a lookup until the returned guard is dropped.
    pub(crate) fn look_up(&self) -> Lookup {
        self.0.lookups.increment(1.0);
        Lookup(self.clone())
    }

    pub(crate) fn circuit_open(&self, is_open: bool) {
        self.0.circuit_open.set(number(is_open));
    }

    pub(crate) fn polled(&self, feed: &FeedHealth) {
        // No lag is known before the first answer.
        if let Some(lag) = feed.lag {
            self.0.lag.set(lag.as_secs_f64());
        }
        self.0.lease.set(feed.lease_remaining.as_secs_f64());
        if let Some(is_listening) = feed.is_listening {
            self.0.listening.set(number(is_listening));
        }
    }
}

/// A lookup in progress.
pub(crate) struct Lookup(Metrics);

impl Drop for Lookup {
    fn drop(&mut self) {
        self.0.0.lookups.decrement(1.0);
    }
}

/// The metrics of a usage meter, under the name of its authenticator.
pub(crate) struct UsageMetrics {
    backlog: Gauge,
    lost: Counter,
}

impl UsageMetrics {
    pub(crate) fn new(name: &str) -> Self {
        describe_gauge!(USAGE_BACKLOG, "Counts of usage that wait to be written.");
        describe_counter!(USAGE_LOST, "Requests whose counts of usage will never be written.");
        Self {
            backlog: gauge!(USAGE_BACKLOG, "authenticator" => name.to_owned()),
            lost: counter!(USAGE_LOST, "authenticator" => name.to_owned()),
        }
    }

    /// Sets the number of waiting counts, and of requests lost until now.
    pub(crate) fn show(&self, backlog: usize, lost: u64) {
        self.backlog.set(backlog as f64);
        self.lost.absolute(lost);
    }
}

fn number(flag: bool) -> f64 {
    if flag { 1.0 } else { 0.0 }
}

fn describe() {
    describe_counter!(ADMISSIONS, "Requests that were admitted.");
    describe_counter!(REJECTIONS, "Requests that were rejected, by reason.");
    describe_counter!(CACHE_HITS, "Keys that were found without reading the store.");
    describe_counter!(CACHE_MISSES, "Keys for which the store was read.");
    describe_counter!(STALE_ADMISSIONS, "Requests that were admitted by a stale entry.");
    describe_counter!(BACKEND_ERRORS, "Calls by the cache that the store did not answer, by kind.");
    describe_counter!(INVALIDATIONS, "Changes that invalidated cached entries, by kind.");
    describe_counter!(FEED_RESTARTS, "Restarts of the poller after its feed panicked.");
    describe_counter!(COUNTERS_AWAY, "Requests whose limits were decided without the counter store.");
    describe_gauge!(LOOKUPS, "Lookups that run or wait to run.");
    describe_gauge!(CIRCUIT_OPEN, "1 while the circuit to the store is open because it gave no answer.");
    describe_gauge!(FEED_LAG, "Seconds since the last answered poll began.");
    describe_gauge!(LEASE_REMAINING, "Seconds for which cached entries are valid without another poll.");
    describe_gauge!(FEED_LISTENING, "1 while notifications of changes can arrive between polls.");
}
