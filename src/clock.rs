//! Clocks: a wall clock that can be set, and a monotonic clock that cannot.
//!
//! The wall clock decides whether a key has expired, the monotonic clock how long a cache entry may be used. Everything that depends on time
//! reads a [`Clock`], so a test moves time instead of waiting for it.

// Layer 1 of 10: words.
// Above `error` and `text`; below `key` and `record`. Bottom to top, a file importing only those before it: `self`, `system`, `day`, `rfc3339`.

mod day;
mod rfc3339;
mod system;

pub use day::Day;
pub use system::SystemClock;

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in wall-clock time: milliseconds since 1970-01-01T00:00:00Z. Its text is that of RFC 3339.
///
/// ```
/// use std::time::{Duration, SystemTime, UNIX_EPOCH};
/// use tower_api_key::clock::Timestamp;
///
/// let then = Timestamp::from(UNIX_EPOCH + Duration::from_secs(2));
/// assert_eq!(then.unix_millis(), 2_000);
/// assert_eq!(then.to_string(), "1970-01-01T00:00:02Z");
/// assert_eq!("1970-01-01T01:00:02+01:00".parse(), Ok(then));
/// assert_eq!(SystemTime::from(then), UNIX_EPOCH + Duration::from_secs(2));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// A time that no clock reaches.
    pub(crate) const NEVER: Self = Self(i64::MAX);

    /// Creates a timestamp from milliseconds since the Unix epoch.
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds since the Unix epoch.
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// Returns the time `by` later, or the last representable time.
    #[must_use]
    pub fn saturating_add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    /// Returns the time `by` earlier, or the first representable time.
    #[must_use]
    pub fn saturating_sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }

    /// Returns the time since `earlier`, zero if it lies ahead.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(millis(after)),
            Err(before) => Self(-millis(before.duration())),
        }
    }
}

impl From<Timestamp> for SystemTime {
    fn from(Timestamp(millis): Timestamp) -> Self {
        let distance = Duration::from_millis(millis.unsigned_abs());
        if millis < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
    }
}

/// A point in monotonic time: nanoseconds since an origin that each [`Clock`] chooses.
///
/// Moments of different clocks cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// A moment that no clock reaches: 584 years after its origin.
    pub const NEVER: Self = Self(u64::MAX);

    /// Creates a moment from nanoseconds since the clock's origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Returns the nanoseconds since the clock's origin.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Returns the moment `by` later, at most [`Moment::NEVER`].
    #[must_use]
    pub fn saturating_add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(nanos(by)))
    }

    /// Returns the time since `earlier`, zero if it lies ahead.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Returns the moment `by` earlier, or the clock's origin.
    #[must_use]
    pub fn saturating_sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(by)))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A source of wall and monotonic time.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the wall-clock time. It may jump in either direction.
    fn wall(&self) -> Timestamp;

    /// Returns the monotonic time. It never goes back.
    fn monotonic(&self) -> Moment;

    /// Returns the wall-clock time as of at most one [`tick`](Self::tick) ago, if that is cheaper.
    fn coarse_wall(&self) -> Timestamp {
        self.wall()
    }

    /// Returns the monotonic time as of at most one [`tick`](Self::tick) ago, if that is cheaper.
    fn coarse_monotonic(&self) -> Moment {
        self.monotonic()
    }

    /// Returns the longest delay of the coarse readings.
    fn tick(&self) -> Duration {
        Duration::ZERO
    }
}

impl<C: Clock> Clock for std::sync::Arc<C> {
    fn wall(&self) -> Timestamp {
        (**self).wall()
    }

    fn monotonic(&self) -> Moment {
        (**self).monotonic()
    }

    fn coarse_wall(&self) -> Timestamp {
        (**self).coarse_wall()
    }

    fn coarse_monotonic(&self) -> Moment {
        (**self).coarse_monotonic()
    }

    fn tick(&self) -> Duration {
        (**self).tick()
    }
}

/// A clock that moves only when a test moves it.
///
/// ```
/// use std::time::Duration;
/// use tower_api_key::clock::{Clock, ManualClock, Timestamp};
///
/// let clock = ManualClock::new(Timestamp::from_unix_millis(1_000));
/// clock.advance(Duration::from_millis(500));
/// assert_eq!(clock.wall(), Timestamp::from_unix_millis(1_500));
///
/// let before = clock.monotonic();
/// clock.set_wall(Timestamp::from_unix_millis(0)); // the wall clock was set back
/// assert_eq!(clock.monotonic(), before);
/// ```
#[derive(Debug)]
pub struct ManualClock {
    wall: AtomicI64,
    monotonic: AtomicU64,
}

impl ManualClock {
    /// Creates a clock whose wall-clock time is `wall`.
    pub fn new(wall: Timestamp) -> Self {
        Self { wall: AtomicI64::new(wall.0), monotonic: AtomicU64::new(0) }
    }

    /// Moves both clocks forward.
    pub fn advance(&self, by: Duration) {
        self.wall.fetch_add(millis(by), Ordering::SeqCst);
        self.advance_monotonic(by);
    }

    /// Moves only the monotonic clock forward.
    pub fn advance_monotonic(&self, by: Duration) {
        self.monotonic.fetch_add(nanos(by), Ordering::SeqCst);
    }

    /// Sets only the wall clock, in either direction.
    pub fn set_wall(&self, wall: Timestamp) {
        self.wall.store(wall.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> Timestamp {
        Timestamp(self.wall.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Moment {
        Moment(self.monotonic.load(Ordering::SeqCst))
    }
}
