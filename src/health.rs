//! The health of an authenticator, for its operator.

// Layer 1 of 10: words.
// It imports nothing: `cache` fills it in.

use std::time::Duration;

/// The health of an authenticator, for a readiness probe and for an operator's dashboard.
///
/// ```
/// use tower_api_key::{Authenticator, MemoryStore};
///
/// let health = Authenticator::builder(MemoryStore::new()).build()?.health();
/// assert!(health.is_ready());
/// assert_eq!(health.feed, None); // no other process can change this store
/// # Ok::<(), tower_api_key::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Whether the store is not read because it gave no answer, see [`circuit_breaker`](crate::AuthenticatorBuilder::circuit_breaker).
    pub is_circuit_open: bool,
    /// Whether the store answers: the circuit is closed, and the last poll was answered, or else a lookup within the last
    /// [lease](crate::AuthenticatorBuilder::lease).
    pub is_store_answering: bool,
    /// Whether cached entries may be used without reading the store, also within the
    /// [stale grace](crate::AuthenticatorBuilder::stale_grace).
    pub is_cache_trusted: bool,
    /// State of the change feed, or `None` if no other process can change the store.
    pub feed: Option<FeedHealth>,
    /// Number of lookups that run or wait to run.
    pub lookups: usize,
    /// Number of usage counts that wait to be written, see [`Usage::backlog`](crate::usage::Usage::backlog). `None` without a usage meter.
    pub usage_backlog: Option<usize>,
}

/// State of the change feed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedHealth {
    /// Time since the last answered poll began. `None` before the first.
    pub lag: Option<Duration>,
    /// How long cached entries stay valid if no further poll is answered.
    pub lease_remaining: Duration,
    /// Whether notifications of changes can arrive between polls. `None` if the store sends none.
    pub is_listening: Option<bool>,
    /// How often the poller was restarted with a new feed, because the feed panicked. It pauses before, from 1 s up to 30 s.
    pub restarts: u64,
    /// Why the last poll was not answered. `None` if it was answered, and before the first.
    pub last_error: Option<Box<str>>,
}

impl Health {
    /// Returns whether valid keys can be admitted: the store answers, or cached entries are still trusted.
    ///
    /// An outage of the store makes all nodes that share it unready at about the same time, once their cached entries are not trusted any more.
    pub fn is_ready(&self) -> bool {
        self.is_store_answering || self.is_cache_trusted
    }
}
