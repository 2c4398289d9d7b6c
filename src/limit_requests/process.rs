//! Counters in the memory of a process, for layers that ask counters.

// Layer 8 of 10: decision.

use std::future::ready;
use std::ptr;
use std::sync::Arc;

use super::bucket::Terms;
use super::buckets::Buckets;
use super::counters::{Count, Counters, Left, Taken, Taking, UsedUp};
use super::local::LocalCounts;
use crate::clock::{Clock, SystemClock};

/// Counters in the memory of this process.
///
/// A [`LimitLayer`](super::LimitLayer) without [`counters`](super::LimitLayer::counters) counts in the same way, without waiting: use that.
/// These are for tests of what implements [`Counters`], and for counters that keep a part of the limits in the process.
#[derive(Debug)]
pub struct ProcessCounters {
    buckets: Buckets,
    clock: Arc<dyn Clock>,
}

impl ProcessCounters {
    /// Creates counters that have counted nothing, by the clock of the system.
    pub fn new() -> Self {
        Self { buckets: Buckets::new(), clock: Arc::new(SystemClock::default()) }
    }

    /// Creates counters that have counted nothing, by another clock.
    #[must_use]
    pub fn with_clock(clock: impl Clock) -> Self {
        Self { buckets: Buckets::new(), clock: Arc::new(clock) }
    }

    fn take_now(&self, counts: &[Count], cost: u64) -> Taken {
        let counts = counts.iter().map(|count| (count, Terms::of(count.limit())));
        let counts = LocalCounts::find(counts, &self.buckets, Arc::clone(&self.clock));
        let (now, outcome) = counts.take(cost, true);
        let taken =
            Taken::new(now.wall, counts.iter().map(|counter| counter.left(now)).collect::<Box<[Left]>>());
        match outcome {
            Ok(_) => taken,
            Err(no_room) => {
                let index = counts.iter().position(|counter| ptr::eq(counter, no_room.counter));
                // OK because the counter is one of them.
                taken.refused(UsedUp::new(index.unwrap_or_default(), no_room.wait))
            }
        }
    }
}

impl Default for ProcessCounters {
    fn default() -> Self {
        Self::new()
    }
}

impl Counters for ProcessCounters {
    fn take<'a>(&'a self, counts: &'a [Count], cost: u64) -> Taking<'a> {
        Box::pin(ready(Ok(self.take_now(counts, cost))))
    }
}
