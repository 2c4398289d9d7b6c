//! What this node knows of one quota, and what is left of its block. Nothing is asked and no clock is read here.

// Layer 8 of 10: decision.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::backend::{BackendError, QuotaBlock};
use crate::clock::{Moment, Timestamp};
use crate::limit::Period;
use crate::limit_requests::bucket::Now;
use crate::limit_requests::counters::Left;

/// How long what the database has answered stands. A request without room does not ask it again before.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// A quota, as this node knows it.
#[derive(Debug, Default)]
pub(super) struct Quota {
    held: Option<Held>,
    /// The question to the database that is under way: one at a time, for which all others wait.
    pub(super) refill: Option<Refill>,
    /// Set after an answer was lost, and perhaps a block with it: until the next answer, or the end of the period at the latest, blocks are as
    /// small as can be.
    pub(super) uncertain_until: Option<Now>,
}

/// A question, and the outcome for all that wait for it.
pub(super) type Refill = watch::Sender<Answer>;

#[derive(Debug, Clone)]
pub(super) enum Answer {
    Pending,
    Given,
    Failed(Arc<BackendError>),
    /// Another transaction has locked the count.
    Locked(Arc<BackendError>),
}

/// The last answer of the database, and a block.
#[derive(Debug)]
struct Held {
    /// The end of the period by the clock of the database, which names the period.
    ends_at: Timestamp,
    /// What all nodes had taken of the quota.
    taken: u64,
    /// What is left of the block.
    rest: u64,
    /// The end of the period at the earliest.
    period_end: Now,
    /// The end of the lease of the block.
    lease_end: Now,
    trusted_until: Moment,
}

/// Whether there is room for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// In the block of the period that ends then.
    Held(Timestamp),
    /// Neither here nor in the database, before the period ends.
    UsedUp(Timestamp),
    /// Not here: the block lacks this number of requests. Zero if it has them, and the database is asked whether they may be used.
    Short(u64),
}

impl Quota {
    /// Returns whether there is room for a request of this cost.
    pub(super) fn room(&self, requests: u64, cost: u64, now: Now) -> Room {
        let Some(held) = self.current(now) else { return Room::Short(cost) };
        // A block that was taken for a larger number, by another key or before a change, is not used beyond this one.
        let has_room = cost == 0 || held.used().saturating_add(cost) <= requests;
        match cost.saturating_sub(held.rest) {
            _ if cost > requests => Room::UsedUp(held.ends_at),
            0 if has_room => Room::Held(held.ends_at),
            _ if !has_room && now.moment < held.trusted_until => Room::UsedUp(held.ends_at),
            short => Room::Short(short),
        }
    }

    /// Returns what is left of the block.
    pub(super) fn rest(&self, now: Now) -> u64 {
        self.current(now).map_or(0, |held| held.rest)
    }

    /// Returns whether an answer was lost, and perhaps a block of this period with it.
    pub(super) fn is_uncertain(&self, now: Now) -> bool {
        self.uncertain_until.is_some_and(|until| !has_reached(now, until))
    }

    /// Notes that an answer was lost.
    pub(super) fn lose_answer(&mut self, period: Period, now: Now) {
        self.uncertain_until = Some(after(now, longest(period)));
    }

    /// Takes a request from the block, if there is room in it.
    pub(super) fn spend(&mut self, requests: u64, cost: u64, now: Now) -> Room {
        let room = self.room(requests, cost, now);
        if let (Room::Held(_), Some(held)) = (room, &mut self.held) {
            held.rest -= cost;
        }
        room
    }

    /// Gives back a request, unless the block is of another period or gone.
    pub(super) fn restore(&mut self, ends_at: Timestamp, cost: u64) -> bool {
        let held = self.held.as_mut().filter(|held| held.ends_at == ends_at);
        held.map(|held| held.rest += cost).is_some()
    }

    /// Adds a block to what is left of the last one, and returns that if it is of another period. The question was asked at `began`, and
    /// answered at `ended`.
    pub(super) fn fill(
        &mut self,
        block: &QuotaBlock,
        began: Now,
        ended: Now,
        lease: Duration,
    ) -> Option<(Timestamp, u64)> {
        self.uncertain_until = None;
        let former = self.take_block();
        let (kept, gone) = match former {
            Some((ends_at, rest)) if ends_at == block.ends_at => (rest, None),
            other => (0, other),
        };
        self.held = Some(Held {
            ends_at: block.ends_at,
            taken: block.taken,
            rest: kept + block.requests,
            // From when the question was asked: the database has read its clock later, so the block is never used after the end.
            period_end: after(began, block.until_end()),
            lease_end: after(ended, lease),
            trusted_until: ended.moment.saturating_add(TRUSTED_FOR),
        });
        gone
    }

    /// Forgets the block, and returns its period and what is left of it.
    pub(super) fn take_block(&mut self) -> Option<(Timestamp, u64)> {
        self.held.take().filter(|held| held.rest > 0).map(|held| (held.ends_at, held.rest))
    }

    pub(super) fn holds_block(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.rest > 0)
    }

    /// Returns whether the lease of the block or its period has ended, or there is none.
    pub(super) fn has_ended(&self, now: Now) -> bool {
        self.current(now).is_none_or(|held| has_reached(now, held.lease_end))
    }

    /// Returns what is left of the quota, as of the last answer, at a time of the database.
    pub(super) fn left(&self, requests: u64, now: Now, at: Timestamp) -> Left {
        let Some(held) = self.current(now) else {
            return Left::new(requests, Duration::ZERO, Duration::ZERO);
        };
        let used = held.used();
        let until_end = if used == 0 { Duration::ZERO } else { held.ends_at.saturating_since(at) };
        Left::new(requests.saturating_sub(used), until_end, until_end)
    }

    fn current(&self, now: Now) -> Option<&Held> {
        self.held.as_ref().filter(|held| !has_reached(now, held.period_end))
    }
}

impl Held {
    /// Returns what all nodes had used of the quota: blocks of others count whole.
    fn used(&self) -> u64 {
        self.taken.saturating_sub(self.rest)
    }
}

/// The longest time from a moment of a period to its end.
fn longest(period: Period) -> Duration {
    let days = match period {
        Period::Day => 1,
        Period::Month => 31,
    };
    Duration::from_secs(days * 24 * 60 * 60)
}

fn after(began: Now, by: Duration) -> Now {
    Now { moment: began.moment.saturating_add(by), wall: began.wall.saturating_add(by) }
}

/// Returns whether `end` has been reached on either clock: the monotonic one may stop while the machine is suspended, and the wall clock may be
/// set back.
fn has_reached(now: Now, end: Now) -> bool {
    now.moment >= end.moment || now.wall >= end.wall
}
