//! The cache between requests and the store: it holds facts, and forgets them the moment they change.
//!
//! A key that is revoked while its record is being read must not be admitted by that record, be it by the request that
//! reads, by one that joins the read, or by one that finds the record in the cache later. Removing entries cannot ensure
//! that, as the record may arrive after the removal. So whatever is read carries a [stamp](stamp) that was taken before
//! the read, and counts only while the stamp is current.
//!
//! ```text
//! request                                  fill, a task of its own            change (revoke)
//!   hit: entry with current stamp            take stamp (before the read)        commit
//!   miss: join the flight of this stamp      read the store                      dead (revoked only)
//!   wait, at most for the deadline           keep the answer with the stamp      bump the stamp
//!   stamp still current? judge               wake those who wait                 drop flight and entries
//!   else read again, at most four times                                               acknowledge
//! ```
//!
//! What another process changes is learned by [polling](follow), and what is cached counts only while a [lease](lease)
//! runs that each poll renews. So a change takes effect within the lease, whatever is lost on the way.

mod attempt;
mod breaker;
mod count;
mod dead;
mod echo;
mod entry;
mod fill;
mod first_use;
mod flight;
mod follow;
mod health;
mod lane;
mod lease;
mod limits;
#[cfg(all(test, shuttle))]
mod model;
mod negative;
mod now;
mod positive;
mod question;
#[cfg(feature = "password")]
mod rehash;
#[cfg(feature = "password")]
mod sign_in;
mod stamp;
mod sync;
mod uses;

pub(crate) use attempt::{NoAnswer, attempt};
pub(crate) use entry::Entry;
pub(crate) use flight::Unanswered;
pub(crate) use limits::Limits;
pub(crate) use question::Question;
pub(crate) use uses::{Used, Uses};

use breaker::Breaker;
use dead::Dead;
use echo::Echoes;
use first_use::FirstUses;
use flight::{Boarding, Flights};
use follow::Follower;
use lane::{Lane, Permits};
use lease::Lease;
use negative::Negative;
use now::Now;
use positive::Positive;
use stamp::Stamps;
use std::future::Future;
use std::time::Duration;

use sync::{Arc, Atomic, Ordering, Weak, spawn, timeout};

use crate::backend::{Apply, BackendError, Change, ErasedBackend, Subscriber};
use crate::clock::{Clock, Moment};
use crate::digest::Digest;
use crate::metrics::Metrics;
use crate::principal::Issuer;
use crate::trace;

/// How often a request reads a key that changes while it is read. A change by this process takes up to two of these, as it comes back with a
/// poll, which another request may wake.
const READS: usize = 5;

/// How long it takes until the operator is told again that too many wait.
const COMPLAINTS: Duration = Duration::from_secs(1);

/// What is known of a digest.
#[derive(Clone)]
pub(crate) enum Fact {
    /// The store has a record of it.
    Known(Arc<Entry>),
    /// The store had this record of it, and gives no answer now: it counts for the grace for outages.
    Stale(Arc<Entry>),
    /// The store has none.
    Absent,
    /// It was revoked a short while ago.
    Dead,
}

/// The cache of one authenticator.
pub(crate) struct Cache {
    backend: Box<dyn ErasedBackend>,
    clock: Arc<dyn Clock>,
    issuer: Arc<Issuer>,
    limits: Limits,
    stamps: Stamps,
    lease: Lease,
    has_feed: bool,
    follower: Follower,
    positive: Positive,
    negative: Negative,
    dead: Dead,
    flights: Arc<Flights>,
    permits: Permits,
    first_uses: FirstUses,
    echoes: Echoes,
    breaker: Breaker,
    /// When the last look-up was answered.
    answered: Atomic,
    /// From when on the operator is told again that too many wait.
    next_complaint: Atomic,
    metrics: Metrics,
}

impl Cache {
    pub(crate) fn new(
        backend: Box<dyn ErasedBackend>,
        clock: Arc<dyn Clock>,
        issuer: Arc<Issuer>,
        limits: Limits,
        metrics: Metrics,
    ) -> Arc<Self> {
        let has_feed = backend.feed().is_some();
        // What a read brings is as old as its start, and counts no longer than what is cached.
        let patience = if has_feed { limits.deadline.min(limits.lease) } else { limits.deadline };
        let cache = Arc::new(Self {
            stamps: Stamps::new(),
            lease: if has_feed { Lease::not_yet() } else { Lease::endless() },
            has_feed,
            follower: Follower::nobody(),
            positive: Positive::new(limits.positive_capacity, limits.positive_ttl + limits.stale_grace),
            negative: Negative::new(limits.negative_ttl, limits.negative_capacity),
            dead: Dead::new(limits.dead_for()),
            flights: Arc::new(Flights::new(limits.pending_fills(), patience)),
            first_uses: FirstUses::new(),
            echoes: Echoes::default(),
            permits: Permits::new(limits.concurrent_fills, backend.look_ups_at_once()),
            breaker: Breaker::new(limits.breaker_failures, limits.breaker_pause, metrics.clone()),
            answered: Atomic::new(0),
            next_complaint: Atomic::new(0),
            backend,
            clock,
            issuer,
            limits,
            metrics,
        });
        let target: Weak<Self> = Arc::downgrade(&cache);
        cache.backend.subscribe(Subscriber::new(target));
        cache
    }

    /// Returns what is known of a digest without asking the store.
    pub(crate) fn peek(&self, digest: &Digest) -> Option<Fact> {
        let now = self.clock.coarse_monotonic();
        if !self.lease.covers(now, || self.clock.coarse_wall()) {
            return None;
        }
        let stamp = self.stamps.current(digest);
        match self.positive.get(digest) {
            Some(entry) if entry.stamp == stamp && now < entry.until => Some(Fact::Known(entry)),
            _ if self.negative.contains(digest, stamp, now) => Some(Fact::Absent),
            _ if self.dead.contains(digest, now) => Some(Fact::Dead),
            _ => None,
        }
    }

    /// Asks the store, together with everyone else who asks for the same key.
    pub(crate) async fn read(self: &Arc<Self>, question: impl Into<Question>) -> Result<Fact, Unanswered> {
        let question = question.into();
        let digest = question.digest();
        let answer = self.ask(question, self.lane_of(&digest)).await;
        answer.or_else(|Unanswered| self.last_known(&digest).ok_or(Unanswered))
    }

    async fn ask(self: &Arc<Self>, question: Question, lane: Lane) -> Result<Fact, Unanswered> {
        self.see_to_a_follower();
        if self.breaker.is_open(self.clock.monotonic()) {
            return Err(Unanswered);
        }
        let digest = question.digest();
        let reading = async {
            self.lease_to_come().await;
            self.echo_to_come(&digest).await;
            self.read_until_settled(question, lane).await
        };
        timeout(self.limits.deadline, reading).await.unwrap_or(Err(Unanswered))
    }

    /// Returns a record that would count if it were earlier by the grace for outages, and of which no change is known.
    fn last_known(&self, digest: &Digest) -> Option<Fact> {
        if self.limits.stale_grace.is_zero() {
            return None;
        }
        let then = Now::exact(&*self.clock).before(self.limits.stale_grace);
        let stamp = self.stamps.current(digest);
        let entry = self.positive.get(digest)?;
        let counts = self.lease.covers(then.monotonic, || then.wall)
            && entry.stamp == stamp
            && then.monotonic < entry.until;
        counts.then_some(Fact::Stale(entry))
    }

    async fn read_until_settled(
        self: &Arc<Self>,
        question: Question,
        lane: Lane,
    ) -> Result<Fact, Unanswered> {
        let digest = question.digest();
        for _ in 0..READS {
            let stamp = self.stamps.current(&digest);
            let now = Now::exact(&*self.clock);
            let flight = match self.flights.board(digest, stamp, lane, now) {
                Boarding::Joined(flight) => flight,
                Boarding::Opened(flight, pilot) => {
                    spawn(Arc::clone(self).fill(pilot, question.clone()));
                    flight
                }
                Boarding::Full => return Err(self.turn_away(now.monotonic)),
            };
            let landing = flight.landed().await;
            if self.dead.contains(&digest, self.clock.coarse_monotonic()) {
                return Ok(Fact::Dead);
            }
            // One who stood still while the read went on holds what was true then.
            if self.stamps.current(&digest) == flight.stamp && !flight.is_overdue(Now::exact(&*self.clock)) {
                return landing;
            }
        }
        trace::unsettled(READS);
        Err(Unanswered)
    }

    /// Says that too many wait.
    fn turn_away(&self, now: Moment) -> Unanswered {
        if self.complains_at(now) {
            trace::turned_away(self.flights.len());
        }
        Unanswered
    }

    /// Returns whether the operator is told of a flood now: once a second, and not for each request of it.
    #[cfg(feature = "password")]
    pub(crate) fn complains(&self) -> bool {
        self.complains_at(self.clock.monotonic())
    }

    fn complains_at(&self, now: Moment) -> bool {
        let may = now.nanos() >= self.next_complaint.load(Ordering::Relaxed);
        if may {
            self.next_complaint.store(now.saturating_add(COMPLAINTS).nanos(), Ordering::Relaxed);
        }
        may
    }

    /// Strangers may be many, and most of them bad. A key that was good a short while ago does not wait behind them.
    fn lane_of(&self, digest: &Digest) -> Lane {
        if self.positive.has_met(digest) { Lane::Met } else { Lane::Strangers }
    }
}

impl Apply for Cache {
    fn apply(&self, change: Change) {
        if let (true, Change::Changed(digest)) = (self.has_feed, change) {
            self.echoes.expect(digest);
        }
        self.invalidate(change);
    }
}

impl Cache {
    /// Makes void what was read before a change.
    fn invalidate(&self, change: Change) {
        self.metrics.invalidated(change.label());
        match change {
            Change::Revoked(digest) => {
                self.dead.insert(digest, self.clock.monotonic());
                self.forget(&digest);
            }
            Change::Changed(digest) => self.forget(&digest),
            Change::Everything => self.stamps.bump_all(),
        }
    }

    /// Asks the store, see [`attempt`], and counts where it gives no answer.
    async fn guarded_call<T>(
        &self,
        what: &'static str,
        deadline: Duration,
        asking: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, NoAnswer> {
        let answer = attempt(what, deadline, asking).await;
        answer.inspect_err(|no_answer| self.metrics.failed(no_answer.label()))
    }

    fn forget(&self, digest: &Digest) {
        self.stamps.bump(digest);
        // From here on everything read before is inert. The rest only frees memory and lets others read at once.
        self.flights.remove(digest);
        self.positive.remove(digest);
        self.negative.remove(digest);
    }
}
