//! Buckets: what was used of one limit, in one atomic word, and the arithmetic of that word. The arithmetic reads no clock and no memory,
//! so it is compared with a sequential reference.
//!
//! For a rate, the word is the moment at which its allowance is whole again, in nanoseconds (GCRA: the theoretical arrival time). A request
//! moves it by one interval, the window divided by the requests, and is refused if it would then lie further ahead than the window. For a
//! quota, it has the number of the period in the upper half, and the requests counted in that period in the lower one.

// Layer 8 of 10: decision.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::counters::Left;
use crate::clock::{Clock, Day, Moment, Timestamp};
use crate::limit::{Limit, Period, Span};

/// A reading of both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) moment: Moment,
    pub(super) wall: Timestamp,
}

/// What a word means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Within this window.
    Rate(Duration),
    Quota(Period),
}

/// How the requests of a limit are counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    requests: u64,
    /// The time in which the allowance of one request comes back, in nanoseconds. Of rates only.
    interval: u64,
    kind: Kind,
}

/// What was used of one limit by one key or owner.
#[derive(Debug, Default)]
pub(super) struct Bucket(AtomicU64);

impl Now {
    /// Reads the clocks as of at most a tick ago. In this order: if a tick comes in between, the difference is a time too late, at which a
    /// client that waits for it is not refused.
    #[inline]
    pub(super) fn coarse(clock: &dyn Clock) -> Self {
        let moment = clock.coarse_monotonic();
        Self { moment, wall: clock.coarse_wall() }
    }

    /// Reads the monotonic clock alone, for rates.
    #[inline]
    pub(super) fn coarse_moment(clock: &dyn Clock) -> Self {
        Self { moment: clock.coarse_monotonic(), wall: Timestamp::from_unix_millis(0) }
    }

    pub(super) fn exact(clock: &dyn Clock) -> Self {
        let moment = clock.monotonic();
        Self { moment, wall: clock.wall() }
    }
}

impl Terms {
    pub(super) fn of(limit: &Limit) -> Self {
        Self::with(limit, limit.requests())
    }

    /// Returns the terms of a process that may make an equal part of the requests, rounded down, as one of `nodes`. `None` if that is none.
    pub(super) fn share(limit: &Limit, nodes: NonZeroU32) -> Option<Self> {
        let requests = limit.requests() / u64::from(nodes.get());
        (requests > 0).then(|| Self::with(limit, requests))
    }

    /// Returns the terms with the interval rounded up to whole microseconds, for counters that have no smaller unit.
    #[cfg(feature = "valkey")]
    pub(super) fn in_micros(limit: &Limit) -> Self {
        let terms = Self::of(limit);
        Self { interval: terms.interval.next_multiple_of(1_000), ..terms }
    }

    /// Returns the time in which the allowance of one request comes back, in nanoseconds.
    #[cfg(feature = "valkey")]
    pub(super) fn interval(&self) -> u64 {
        self.interval
    }

    fn with(limit: &Limit, requests: u64) -> Self {
        let (kind, interval) = match limit.span() {
            // Rounded up, so that no more than the requests fit into the window.
            Span::Window(window) => (Kind::Rate(window), nanos(window).div_ceil(requests)),
            Span::Period(period) => (Kind::Quota(period), 0),
        };
        Self { requests, interval, kind }
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the word after a request of this cost, or the time until the limit leaves room for it. A request that costs more than the
    /// limit has requests never finds room: the time is that until the allowance would be whole.
    #[inline]
    pub(super) fn take(&self, word: u64, cost: u64, now: Now) -> Result<u64, Duration> {
        match self.kind {
            Kind::Rate(_) => {
                let (now, capacity) = (now.moment.nanos(), self.capacity());
                if cost > self.requests {
                    return Err(Duration::from_nanos(capacity));
                }
                let used = word.saturating_sub(now).saturating_add(cost * self.interval);
                if used <= capacity {
                    Ok(now.saturating_add(used))
                } else {
                    Err(Duration::from_nanos(used - capacity))
                }
            }
            Kind::Quota(period) => self.take_of_quota(period, word, cost, now.wall),
        }
    }

    // Apart from rates, whose arithmetic is a few instructions.
    #[inline(never)]
    fn take_of_quota(&self, period: Period, word: u64, cost: u64, wall: Timestamp) -> Result<u64, Duration> {
        let (number, used) = counted(word, period, wall);
        if cost <= self.requests.saturating_sub(used) {
            Ok(packed(number, used + cost))
        } else {
            Err(end(period, number).saturating_since(wall))
        }
    }

    /// Returns the word without a request of this cost, which had made it `taken`, before any of its time had passed.
    ///
    /// Of a rate, what has come back since is not given back: the allowance may have been whole, and would become more than that.
    fn give_back(&self, word: u64, taken: u64, cost: u64, moment: Moment) -> u64 {
        match self.kind {
            Kind::Rate(_) => {
                word.saturating_sub((cost * self.interval).min(taken.saturating_sub(moment.nanos())))
            }
            Kind::Quota(_) if word >> 32 == taken >> 32 => word - cost.min(word & COUNT),
            Kind::Quota(_) => word,
        }
    }

    /// Returns what is left by a word.
    #[inline]
    pub(super) fn left(&self, word: u64, now: Now) -> Left {
        match self.kind {
            Kind::Rate(_) => {
                let whole_in = word.saturating_sub(now.moment.nanos());
                let remaining = self.capacity().saturating_sub(whole_in) / self.interval;
                // One more is left once no more than this is used.
                let used_then = (self.requests - remaining).saturating_sub(1) * self.interval;
                let [whole_in, more_in] =
                    [whole_in, whole_in.saturating_sub(used_then)].map(Duration::from_nanos);
                Left::new(remaining, whole_in, more_in)
            }
            Kind::Quota(period) => {
                let (number, used) = counted(word, period, now.wall);
                let until_end = match used {
                    0 => Duration::ZERO,
                    _ => end(period, number).saturating_since(now.wall),
                };
                let remaining = self.requests.saturating_sub(used);
                Left::new(remaining, until_end, until_end)
            }
        }
    }

    fn capacity(&self) -> u64 {
        self.requests * self.interval
    }
}

impl Kind {
    /// Returns the time in which the requests may be made. `None` for months, which differ.
    pub(super) fn window(self) -> Option<Duration> {
        match self {
            Self::Rate(window) => Some(window),
            Self::Quota(Period::Day) => Some(Duration::from_secs(24 * 60 * 60)),
            Self::Quota(Period::Month) => None,
        }
    }

    /// Returns whether a new bucket, whose word is zero, would be the same.
    pub(super) fn is_unused(self, word: u64, now: Now) -> bool {
        match self {
            Self::Rate(_) => word <= now.moment.nanos(),
            Self::Quota(period) => counted(word, period, now.wall).1 == 0,
        }
    }
}

impl Bucket {
    pub(super) fn word(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Returns the word, of a bucket that no other thread has.
    pub(super) fn word_mut(&mut self) -> u64 {
        *self.0.get_mut()
    }

    /// Takes a request, and returns the word that it left.
    // Part of each decision: the call would cost more than the arithmetic.
    #[inline(always)]
    pub(super) fn spend(&self, terms: &Terms, cost: u64, now: Now) -> Result<u64, Duration> {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            let next = terms.take(word, cost, now)?;
            match self.0.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(next),
                Err(found) => word = found,
            }
        }
    }

    /// Gives back a request that had left the word `taken`.
    pub(super) fn give_back(&self, terms: &Terms, taken: u64, cost: u64, clock: &dyn Clock) {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            // The clock is read after the word: no request that is counted in it came later.
            let next = terms.give_back(word, taken, cost, clock.monotonic());
            if next == word {
                return;
            }
            match self.0.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(found) => word = found,
            }
        }
    }
}

/// The part of a quota's word that counts.
const COUNT: u64 = u32::MAX as u64;

/// Returns the period in which requests are counted, and those that were. If the wall clock was set back across the end of a period, that is
/// the later period, so that a quota is given once only. A clock that was further ahead was wrong: what was used counts now.
#[inline]
fn counted(word: u64, period: Period, wall: Timestamp) -> (u64, u64) {
    let (number, current) = (word >> 32, number(period, wall));
    match number.checked_sub(current) {
        None => (current, 0),
        Some(0 | 1) => (number, word & COUNT),
        Some(_) => (current, word & COUNT),
    }
}

fn packed(number: u64, used: u64) -> u64 {
    number << 32 | used
}

/// Returns the number of a period since 1970, the first for all times before.
#[inline]
fn number(period: Period, wall: Timestamp) -> u64 {
    let day = Day::from(wall);
    let number = match period {
        Period::Day => day.unix_days(),
        Period::Month => day.unix_months(),
    };
    u64::try_from(number).unwrap_or(0).min(COUNT)
}

fn end(period: Period, number: u64) -> Timestamp {
    // OK because a word has 32 bits for it.
    let next = number as i64 + 1;
    match period {
        Period::Day => Day::from_unix_days(next).start(),
        Period::Month => Day::first_of_month(next).start(),
    }
}

fn nanos(duration: Duration) -> u64 {
    // OK because the longest window is a month.
    duration.as_nanos() as u64
}
