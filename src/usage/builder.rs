//! The configuration of a usage meter.

// Layer 7 of 10: usage.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;

use super::Usage;
use super::erased_store::ErasedUsageStore;
use super::meter::Meter;
use super::pending::Pending;
use crate::backend::UsageStore;
use crate::cache::DirtyList;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::metrics::{METRICS_NAME, UsageMetrics};
use crate::random::unique_name;

/// Configures a [`Usage`].
///
/// ```
/// use std::time::Duration;
/// use tower_api_key::error::ConfigErrorKind;
/// use tower_api_key::usage::Usage;
/// use tower_api_key::MemoryStore;
///
/// let builder = Usage::builder(MemoryStore::new()).flush_interval(Duration::from_secs(60));
/// assert!(builder.build().is_ok());
///
/// let builder = Usage::builder(MemoryStore::new()).flush_interval(Duration::ZERO);
/// assert_eq!(builder.build().unwrap_err().kind(), ConfigErrorKind::Limit);
/// ```
#[must_use = "call `build` to get a meter"]
pub struct UsageBuilder {
    store: Box<dyn ErasedUsageStore>,
    interval: Duration,
    capacity: usize,
    routes: usize,
    metrics_name: Box<str>,
}

impl Usage {
    /// Starts to configure a meter that writes to `store`.
    pub fn builder(store: impl UsageStore) -> UsageBuilder {
        UsageBuilder {
            store: Box::new(store),
            interval: Duration::from_secs(10),
            capacity: 100_000,
            routes: 100,
            metrics_name: METRICS_NAME.into(),
        }
    }
}

impl UsageBuilder {
    /// Sets the interval at which counts are written, up to an hour. Default: 10 s. A crash may lose the counts of one interval.
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets the number of counts of a key and a day, and of those by route, that are kept while the store accepts none. Default: 100,000.
    /// Requests beyond that are admitted, and counted only in [`Usage::lost`]; further routes of a key that has a count are counted for
    /// [`other`](crate::backend::OTHER_ROUTE).
    pub fn backlog(mut self, counts: usize) -> Self {
        self.capacity = counts;
        self
    }

    /// Sets the number of routes that are told apart for a key within an interval, where a [layer](crate::count_routes) counts by route.
    /// Default: 100. Requests for further ones count for the route [`other`](crate::backend::OTHER_ROUTE).
    pub fn routes_per_key(mut self, routes: usize) -> Self {
        self.routes = routes;
        self
    }

    /// Sets the label `authenticator` of the [metrics](crate::metrics), to tell several meters apart. Default: `default`.
    #[cfg(feature = "metrics")]
    pub fn metrics_name(mut self, name: impl Into<Box<str>>) -> Self {
        self.metrics_name = name.into();
        self
    }

    /// Checks the configuration and creates the meter.
    ///
    /// # Errors
    ///
    /// When the interval is zero or longer than an hour, or the backlog is zero.
    pub fn build(self) -> Result<Usage, ConfigError> {
        const MAX_INTERVAL: Duration = Duration::from_secs(60 * 60);
        let wrong = |message: String| Err(ConfigError::new(ConfigErrorKind::Limit, message));
        if self.interval.is_zero() {
            return wrong("the flush interval must be above zero, got zero".into());
        }
        if self.interval > MAX_INTERVAL {
            let interval = self.interval;
            return wrong(format!("the flush interval must be at most {MAX_INTERVAL:?}, got {interval:?}"));
        }
        if self.capacity == 0 {
            return wrong("the backlog must be one count or more, got zero".into());
        }
        Ok(Usage(Arc::new(Meter {
            store: self.store,
            clock: OnceLock::new(),
            interval: self.interval,
            capacity: self.capacity,
            routes: self.routes,
            uses: DirtyList::default(),
            pending: Mutex::new(Pending::new(unique_name().into(), self.capacity)),
            writing: Arc::default(),
            has_flusher: AtomicBool::new(false),
            wake: Arc::new(Notify::new()),
            metrics: UsageMetrics::new(&self.metrics_name),
        })))
    }
}

impl fmt::Debug for UsageBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsageBuilder")
            .field("flush_interval", &self.interval)
            .field("backlog", &self.capacity)
            .field("routes_per_key", &self.routes)
            .finish_non_exhaustive()
    }
}
