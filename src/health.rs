//! How an authenticator is doing, for whoever operates it.

use std::time::Duration;

/// How an authenticator is doing: for a readiness probe, and for a page that an operator reads.
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
    /// Whether the store may be asked. `false` while it is left alone because it gave no answer, see
    /// [`circuit_breaker`](crate::AuthenticatorBuilder::circuit_breaker).
    pub is_store_asked: bool,
    /// Whether the store answers, as far as is known: it is asked, and the last poll was answered, or else a lookup within the last
    /// [lease](crate::AuthenticatorBuilder::lease).
    pub is_store_answering: bool,
    /// Whether what was read before may be used without asking the store, be it within the
    /// [stale grace](crate::AuthenticatorBuilder::stale_grace) for outages.
    pub is_cache_trusted: bool,
    /// How it goes with following what other processes change, or `None` where none can.
    pub feed: Option<FeedHealth>,
    /// How many lookups run or wait to run.
    pub lookups: usize,
    /// How many counts of usage wait to be written, see [`Usage::backlog`](crate::Usage::backlog). `None` where none are made.
    pub usage_backlog: Option<usize>,
}

/// How it goes with following what other processes change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedHealth {
    /// How long ago the last poll began that was answered. `None` before the first.
    pub lag: Option<Duration>,
    /// For how long what is cached counts if no further poll is answered.
    pub lease_remaining: Duration,
    /// Whether word of changes can arrive before the next poll. `None` if the store sends none.
    pub is_listening: Option<bool>,
    /// How often the poller was restarted, with another feed, because the feed panicked. It pauses before, from 1 s up to 30 s.
    pub restarts: u64,
    /// Why the last poll was not answered. `None` if it was, and before the first.
    pub last_error: Option<Box<str>>,
}

impl Health {
    /// Tells whether good keys can be admitted: the store answers, or those that were read before are still trusted.
    ///
    /// An outage of the store makes all nodes that share it unready at about the same time, when neither is so any more.
    pub fn is_ready(&self) -> bool {
        self.is_store_answering || self.is_cache_trusted
    }
}
