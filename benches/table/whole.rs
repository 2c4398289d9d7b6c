//! Measurements that are made once, rather than for each case.

use crate::hits::{self, Hits};
use crate::{loopback, waiters};

/// Measurements that are made once.
pub(crate) struct Whole {
    pub(crate) hits: Hits,
    /// Time on the server's processor, for each stack in each round.
    pub(crate) loopback: Vec<Vec<f64>>,
    /// The lookups of a key that many requests waited for.
    pub(crate) reads: u64,
}

impl Whole {
    /// Makes the measurements.
    pub(crate) fn measure(quick: bool) -> Self {
        eprintln!("hits, and over loopback");
        Self { hits: hits::measure(quick), loopback: loopback::measure(quick), reads: waiters::reads() }
    }
}
