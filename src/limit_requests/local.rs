//! Counts in this process: finds the buckets of limits, and takes a request from all of them or from none.

// Layer 8 of 10: decision.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use super::bucket::{Bucket, Kind, Now, Terms};
use super::buckets::Buckets;
use super::counters::{Count, Left};
use crate::clock::Clock;

/// The limits of a key with their buckets.
#[derive(Debug)]
pub(super) struct LocalCounts {
    clock: Arc<dyn Clock>,
    /// Whether one of them is a quota.
    by_calendar: bool,
    all: Box<[Counter]>,
}

/// A limit and its bucket.
#[derive(Debug)]
pub(super) struct Counter {
    pub(super) name: Arc<str>,
    pub(super) terms: Terms,
    bucket: Arc<Bucket>,
}

/// A limit and its word after a request was admitted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent<'c> {
    pub(super) counter: &'c Counter,
    word: u64,
}

/// A limit that leaves no room for a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoRoom<'c> {
    pub(super) counter: &'c Counter,
    pub(super) wait: Duration,
}

/// The limit of which the fewest requests are left, if there are limits.
pub(super) type Outcome<'c> = Result<Option<Spent<'c>>, NoRoom<'c>>;

impl LocalCounts {
    /// Finds the buckets of counts, each with its terms.
    pub(super) fn find<C: Borrow<Count>>(
        counts: impl IntoIterator<Item = (C, Terms)>,
        buckets: &Buckets,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let counter = |(count, terms): (C, Terms)| {
            let count = count.borrow();
            let bucket = buckets.get(count, terms.kind(), &*clock);
            Counter { name: count.limit().name().into(), terms, bucket }
        };
        let all: Box<[Counter]> = counts.into_iter().map(counter).collect();
        let by_calendar = all.iter().any(|counter| !matches!(counter.terms.kind(), Kind::Rate(_)));
        Self { clock, by_calendar, all }
    }

    /// Takes a request of this cost from all limits or from none, and returns the time that decided. The wall clock is read for quotas, and
    /// if `needs_wall`.
    #[inline]
    pub(super) fn take(&self, cost: u64, needs_wall: bool) -> (Now, Outcome<'_>) {
        let clock = &*self.clock;
        // A rate alone needs no calendar.
        let now = if needs_wall || self.by_calendar { Now::coarse(clock) } else { Now::coarse_moment(clock) };
        match take(&self.all, cost, now, clock) {
            Err(no_room) if no_room.wait <= clock.tick() => self.take_again(cost),
            outcome => (now, outcome),
        }
    }

    /// Takes a request by the exact clocks: the coarse ones may be late by a tick, and a client that has waited as told is not refused for
    /// that.
    #[cold]
    fn take_again(&self, cost: u64) -> (Now, Outcome<'_>) {
        let clock = &*self.clock;
        let now = Now::exact(clock);
        (now, take(&self.all, cost, now, clock))
    }

    /// Returns the limits, in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Counter> {
        self.all.iter()
    }
}

impl Counter {
    /// Returns what is left.
    pub(super) fn left(&self, now: Now) -> Left {
        self.terms.left(self.bucket.word(), now)
    }

    fn spent(&self, word: u64) -> Spent<'_> {
        Spent { counter: self, word }
    }
}

impl Spent<'_> {
    /// Returns what the request has left.
    #[inline]
    pub(super) fn left(&self, now: Now) -> Left {
        self.counter.terms.left(self.word, now)
    }

    /// Returns that of which fewer requests are left; of two with as many, that which is whole later.
    fn tighter(self, other: Self, now: Now) -> Self {
        if tightness(&other.left(now)) < tightness(&self.left(now)) { other } else { self }
    }
}

/// Returns a value that is least for the tightest limit.
pub(super) fn tightness(left: &Left) -> (u64, Reverse<Duration>) {
    (left.remaining, Reverse(left.whole_in))
}

/// Takes a request of this cost from all limits or from none, and returns what is left of the tightest.
#[inline]
fn take<'c>(counters: &'c [Counter], cost: u64, now: Now, clock: &dyn Clock) -> Outcome<'c> {
    match counters {
        // The usual case, which needs no second look.
        [counter] if cost > 0 => {
            let taken = counter.bucket.spend(&counter.terms, cost, now);
            taken.map(|word| Some(counter.spent(word))).map_err(|wait| NoRoom { counter, wait })
        }
        _ => take_all(counters, cost, now, clock),
    }
}

/// Takes a request from any number of limits. A free request is not counted.
#[inline(never)]
fn take_all<'c>(counters: &'c [Counter], cost: u64, now: Now, clock: &dyn Clock) -> Outcome<'c> {
    if cost == 0 {
        let untouched = counters.iter().map(|counter| counter.spent(counter.bucket.word()));
        return Ok(untouched.reduce(|spent, other| spent.tighter(other, now)));
    }
    look(counters, cost, now)?;
    take_each(counters, cost, now, clock)
}

/// Looks at all limits, and returns the one for which a client would have to wait longest.
fn look(counters: &[Counter], cost: u64, now: Now) -> Result<(), NoRoom<'_>> {
    let no_room = counters.iter().filter_map(|counter| {
        let wait = counter.terms.take(counter.bucket.word(), cost, now).err()?;
        Some(NoRoom { counter, wait })
    });
    no_room.max_by_key(|no_room| no_room.wait).map_or(Ok(()), Err)
}

/// Takes a request from each limit. If another thread has used one up since all were looked at, those before it get their request back:
/// until then, a third thread may find them used up that are not, but never room that is not there.
fn take_each<'c>(counters: &'c [Counter], cost: u64, now: Now, clock: &dyn Clock) -> Outcome<'c> {
    let Some((counter, rest)) = counters.split_first() else { return Ok(None) };
    let word = counter.bucket.spend(&counter.terms, cost, now).map_err(|wait| NoRoom { counter, wait })?;
    match take_each(rest, cost, now, clock) {
        Ok(left) => {
            Ok(Some(left.into_iter().fold(counter.spent(word), |left, other| left.tighter(other, now))))
        }
        Err(no_room) => {
            counter.bucket.give_back(&counter.terms, word, cost, clock);
            Err(no_room)
        }
    }
}
