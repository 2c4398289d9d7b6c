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

mod breaker;
mod bulkhead;
mod counters;
mod dirty_list;
mod dual_instant;
mod entry;
mod fill;
mod first_use;
mod follow;
mod generation;
mod guarded_call;
mod health;
mod lease;
mod limits;
mod lookup_key;
#[cfg(all(test, shuttle))]
mod model;
mod negative;
mod own_changes;
mod positive;
#[cfg(feature = "password")]
mod rehash;
#[cfg(feature = "password")]
mod sign_in;
mod single_flight;
mod sync;
mod tombstones;

pub(crate) use dirty_list::{DirtyList, EntryUses};
pub(crate) use entry::Entry;
pub(crate) use guarded_call::{CallError, guarded_call};
pub(crate) use limits::Limits;
pub(crate) use lookup_key::LookupKey;
pub(crate) use single_flight::LookupError;

use breaker::Breaker;
use bulkhead::{Class, Permits};
use dual_instant::DualInstant;
use first_use::FirstUses;
use follow::Follower;
use generation::Stamps;
use lease::Lease;
use negative::Negative;
use own_changes::OwnChanges;
use positive::Positive;
use single_flight::{Flights, Join};
use std::future::Future;
use std::time::Duration;
use tombstones::Tombstones;

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
    Revoked,
}

/// The cache of one authenticator.
pub(crate) struct Cache {
    backend: Box<dyn ErasedBackend>,
    clock: Arc<dyn Clock>,
    issuer: Arc<Issuer>,
    limits: Limits,
    generations: Stamps,
    lease: Lease,
    has_feed: bool,
    follower: Follower,
    positive: Positive,
    negative: Negative,
    tombstones: Tombstones,
    flights: Arc<Flights>,
    permits: Permits,
    first_uses: FirstUses,
    own_changes: OwnChanges,
    breaker: Breaker,
    /// When the last lookup was answered.
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
            generations: Stamps::new(),
            lease: if has_feed { Lease::not_yet() } else { Lease::endless() },
            has_feed,
            follower: Follower::nobody(),
            positive: Positive::new(limits.positive_capacity, limits.positive_ttl + limits.stale_grace),
            negative: Negative::new(limits.negative_ttl, limits.negative_capacity),
            tombstones: Tombstones::new(limits.tombstone_ttl()),
            flights: Arc::new(Flights::new(limits.pending_fills(), patience)),
            first_uses: FirstUses::new(),
            own_changes: OwnChanges::default(),
            permits: Permits::new(limits.max_concurrent_lookups, backend.max_concurrent_lookups()),
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
        let generation = self.generations.current(digest);
        match self.positive.get(digest) {
            Some(entry) if entry.generation == generation && now < entry.until => Some(Fact::Known(entry)),
            _ if self.negative.contains(digest, generation, now) => Some(Fact::Absent),
            _ if self.tombstones.contains(digest, now) => Some(Fact::Revoked),
            _ => None,
        }
    }

    /// Asks the store, together with everyone else who asks for the same key.
    pub(crate) async fn read(
        self: &Arc<Self>,
        lookup_key: impl Into<LookupKey>,
    ) -> Result<Fact, LookupError> {
        let lookup_key = lookup_key.into();
        let digest = lookup_key.digest();
        let answer = self.ask(lookup_key, self.class_of(&digest)).await;
        answer.or_else(|LookupError| self.last_known(&digest).ok_or(LookupError))
    }

    async fn ask(self: &Arc<Self>, lookup_key: LookupKey, class: Class) -> Result<Fact, LookupError> {
        self.ensure_poller();
        if self.breaker.is_open(self.clock.monotonic()) {
            return Err(LookupError);
        }
        let digest = lookup_key.digest();
        let reading = async {
            self.lease_to_come().await;
            self.echo_to_come(&digest).await;
            self.read_until_settled(lookup_key, class).await
        };
        timeout(self.limits.deadline, reading).await.unwrap_or(Err(LookupError))
    }

    /// Returns a record that would count if it were earlier by the grace for outages, and of which no change is known.
    fn last_known(&self, digest: &Digest) -> Option<Fact> {
        if self.limits.stale_grace.is_zero() {
            return None;
        }
        let then = DualInstant::exact(&*self.clock).before(self.limits.stale_grace);
        let generation = self.generations.current(digest);
        let entry = self.positive.get(digest)?;
        let counts = self.lease.covers(then.monotonic, || then.wall)
            && entry.generation == generation
            && then.monotonic < entry.until;
        counts.then_some(Fact::Stale(entry))
    }

    async fn read_until_settled(
        self: &Arc<Self>,
        lookup_key: LookupKey,
        class: Class,
    ) -> Result<Fact, LookupError> {
        let digest = lookup_key.digest();
        for _ in 0..READS {
            let generation = self.generations.current(&digest);
            let now = DualInstant::exact(&*self.clock);
            let flight = match self.flights.join(digest, generation, class, now) {
                Join::Waiter(flight) => flight,
                Join::Leader(flight, leader) => {
                    spawn(Arc::clone(self).fill(leader, lookup_key.clone()));
                    flight
                }
                Join::Full => return Err(self.turn_away(now.monotonic)),
            };
            let outcome = flight.wait().await;
            if self.tombstones.contains(&digest, self.clock.coarse_monotonic()) {
                return Ok(Fact::Revoked);
            }
            // One who stood still while the read went on holds what was true then.
            if self.generations.current(&digest) == flight.generation
                && !flight.is_overdue(DualInstant::exact(&*self.clock))
            {
                return outcome;
            }
        }
        trace::unsettled(READS);
        Err(LookupError)
    }

    /// Says that too many wait.
    fn turn_away(&self, now: Moment) -> LookupError {
        if self.complains_at(now) {
            trace::turned_away(self.flights.len());
        }
        LookupError
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
    fn class_of(&self, digest: &Digest) -> Class {
        if self.positive.is_warm(digest) { Class::Warm } else { Class::Cold }
    }
}

impl Apply for Cache {
    fn apply(&self, change: Change) {
        if let (true, Change::Changed(digest)) = (self.has_feed, change) {
            self.own_changes.expect(digest);
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
                self.tombstones.insert(digest, self.clock.monotonic());
                self.forget(&digest);
            }
            Change::Changed(digest) => self.forget(&digest),
            Change::Everything => self.generations.bump_all(),
        }
    }

    /// Asks the store, see [`attempt`], and counts where it gives no answer.
    async fn guarded_call<T>(
        &self,
        what: &'static str,
        deadline: Duration,
        asking: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, CallError> {
        let answer = guarded_call(what, deadline, asking).await;
        answer.inspect_err(|no_answer| self.metrics.failed(no_answer.label()))
    }

    fn forget(&self, digest: &Digest) {
        self.generations.bump(digest);
        // From here on everything read before is inert. The rest only frees memory and lets others read at once.
        self.flights.remove(digest);
        self.positive.remove(digest);
        self.negative.remove(digest);
    }
}
