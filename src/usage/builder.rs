//! The configuration of a meter.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use super::Usage;
use super::erased_store::ErasedUsageStore;
use super::meter::Meter;
use super::pending::Pending;
use crate::backend::UsageStore;
use crate::cache::DirtyList;
use crate::clock::{Clock, SystemClock};
use crate::error::{ConfigError, ConfigErrorKind};
use crate::metrics::{METRICS_NAME, UsageMetrics};
use crate::random::unique_name;

/// Configures a [`Usage`].
///
/// ```
/// use std::time::Duration;
/// use tower_api_key::usage::Usage;
/// use tower_api_key::{ConfigErrorKind, MemoryStore};
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
    room: usize,
    clock: Arc<dyn Clock>,
    metrics_name: Box<str>,
}

impl Usage {
    /// Starts to configure a meter that writes to `store`.
    pub fn builder(store: impl UsageStore) -> UsageBuilder {
        UsageBuilder {
            store: Box::new(store),
            interval: Duration::from_secs(10),
            room: 100_000,
            clock: Arc::new(SystemClock::new()),
            metrics_name: METRICS_NAME.into(),
        }
    }
}

impl UsageBuilder {
    /// Sets how often counts are written, up to an hour. Default: every 10 s. It is also what a crash may lose.
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets how many counts of a key and a day are kept while the store does not take them. Default: 100,000. Requests beyond
    /// that are admitted, and counted in [`Usage::lost`] only.
    pub fn backlog(mut self, counts: usize) -> Self {
        self.room = counts;
        self
    }

    /// Sets the label `authenticator` of the [metrics](crate::metrics), where there are several meters. Default: `default`.
    #[cfg(feature = "metrics")]
    pub fn metrics_name(mut self, name: impl Into<Box<str>>) -> Self {
        self.metrics_name = name.into();
        self
    }

    /// Replaces the clock of the machine, for tests. It tells the days; intervals are those of the runtime.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Checks the configuration and creates the meter.
    ///
    /// # Errors
    ///
    /// When an interval is zero or longer than an hour, or there is no room for any count.
    pub fn build(self) -> Result<Usage, ConfigError> {
        const LONGEST: Duration = Duration::from_secs(60 * 60);
        let wrong = |message: String| Err(ConfigError::new(ConfigErrorKind::Limit, message));
        if self.interval.is_zero() {
            return wrong("expected a flush interval above zero, found zero".into());
        }
        if self.interval > LONGEST {
            let found = self.interval;
            return wrong(format!("expected a flush interval of at most {LONGEST:?}, found {found:?}"));
        }
        if self.room == 0 {
            return wrong("expected room for one count or more, found room for none".into());
        }
        Ok(Usage(Arc::new(Meter {
            store: self.store,
            clock: self.clock,
            interval: self.interval,
            room: self.room,
            uses: DirtyList::default(),
            pending: Mutex::new(Pending::new(unique_name().into(), self.room)),
            turn: Arc::default(),
            has_flusher: AtomicBool::new(false),
            hurry: Arc::new(Notify::new()),
            metrics: UsageMetrics::new(&self.metrics_name),
        })))
    }
}

impl fmt::Debug for UsageBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsageBuilder")
            .field("flush_interval", &self.interval)
            .field("backlog", &self.room)
            .finish_non_exhaustive()
    }
}
