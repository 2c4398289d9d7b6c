//! Counts nothing. Compiled without the feature `metrics`, with the interface of `enabled`.

// Layer 4 of 10: observation.

use crate::health::FeedHealth;

#[derive(Debug, Clone)]
pub(crate) struct Metrics;

/// A lookup that is not counted.
pub(crate) struct Lookup;

#[derive(Debug)]
pub(crate) struct UsageMetrics;

impl Metrics {
    pub(crate) const IS_ENABLED: bool = false;

    pub(crate) fn new(_: &str, _: &[&'static str]) -> Self {
        Self
    }

    pub(crate) fn admitted(&self) {}

    pub(crate) fn admitted_stale(&self) {}

    pub(crate) fn rejected(&self, _: &'static str) {}

    pub(crate) fn counters_away(&self) {}

    pub(crate) fn hit(&self) {}

    pub(crate) fn missed(&self) {}

    pub(crate) fn look_up(&self) -> Lookup {
        Lookup
    }

    pub(crate) fn circuit_open(&self, _: bool) {}

    pub(crate) fn failed(&self, _: &'static str) {}

    pub(crate) fn invalidated(&self, _: &'static str) {}

    pub(crate) fn restarted(&self) {}

    pub(crate) fn polled(&self, _: &FeedHealth) {}
}

impl UsageMetrics {
    pub(crate) fn new(_: &str) -> Self {
        Self
    }

    pub(crate) fn show(&self, _: usize, _: u64) {}
}
