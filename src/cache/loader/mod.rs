//! Reads of the store: joined per key, bounded in number and time, and suspended while the store gives no answer.

mod breaker;
mod bulkhead;
mod fill;
mod first_use;
mod lookup_key;
pub(super) mod single_flight;

pub(super) use bulkhead::Class;
pub(crate) use lookup_key::LookupKey;
pub(crate) use single_flight::LookupError;

use std::time::Duration;

use super::context::Context;
use super::entries::{Entries, Fact};
use super::poller::Poller;
use super::sync::{Arc, Atomic, Ordering, spawn};
use crate::clock::Moment;
use crate::digest::Digest;
#[cfg(feature = "password")]
use crate::password_hash::PasswordHash;
use crate::trace;
use breaker::Breaker;
use bulkhead::Bulkhead;
use first_use::FirstUses;
use single_flight::{Flights, Join};

/// How often a request reads a key that changes during each read. A change by this process takes up to two reads, because the poll that
/// another request may trigger brings it back.
const READS: usize = 5;

/// How long a flood is not logged again.
const FLOOD_LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Reads the store into the entries.
pub(super) struct Loader {
    flights: Arc<Flights>,
    bulkhead: Bulkhead,
    breaker: Breaker,
    first_uses: FirstUses,
    /// When the last lookup was answered.
    answered: Atomic,
    /// From when on a flood may be logged again.
    next_flood_log: Atomic,
    entries: Arc<Entries>,
    poller: Arc<Poller>,
    context: Arc<Context>,
}

impl Loader {
    pub(super) fn new(context: Arc<Context>, entries: Arc<Entries>, poller: Arc<Poller>) -> Self {
        let Context { backend, limits, metrics, .. } = &*context;
        Self {
            flights: Arc::new(Flights::new(limits.pending_fills(), poller.call_timeout())),
            bulkhead: Bulkhead::new(limits.max_concurrent_lookups, backend.max_concurrent_lookups()),
            breaker: Breaker::new(limits.breaker_failures, limits.breaker_pause, metrics.clone()),
            first_uses: FirstUses::default(),
            answered: Atomic::new(0),
            next_flood_log: Atomic::new(0),
            entries,
            poller,
            context,
        }
    }

    /// Reads a key, together with all concurrent lookups of it, until the key did not change during the read.
    pub(super) async fn load(
        self: &Arc<Self>,
        lookup_key: LookupKey,
        class: Class,
    ) -> Result<Fact, LookupError> {
        let digest = lookup_key.digest();
        for _ in 0..READS {
            let generation = self.entries.generation(&digest);
            let now = self.context.now();
            let flight = match self.flights.join(digest, generation, class, now) {
                Join::Waiter(flight) => flight,
                Join::Leader(flight, leader) => {
                    spawn(Arc::clone(self).fill(leader, lookup_key.clone()));
                    flight
                }
                Join::Full => return Err(self.reject_excess(now.monotonic)),
            };
            let outcome = flight.wait().await;
            if self.entries.has_tombstone(&digest) {
                return Ok(Fact::Revoked);
            }
            // If this process was suspended during the read, its result may be stale.
            if self.entries.generation(&digest) == flight.generation && !flight.is_overdue(self.context.now())
            {
                return outcome;
            }
        }
        trace::lookup_retries_exhausted(READS);
        Err(LookupError)
    }

    /// Logs that too many lookups wait.
    fn reject_excess(&self, now: Moment) -> LookupError {
        if self.may_log_flood(now) {
            trace::too_many_lookups(self.flights.len());
        }
        LookupError
    }

    /// Returns whether a flood is to be logged now: once a second, not for each request.
    pub(super) fn may_log_flood(&self, now: Moment) -> bool {
        let may = now.nanos() >= self.next_flood_log.load(Ordering::Relaxed);
        if may {
            self.next_flood_log.store(now.saturating_add(FLOOD_LOG_INTERVAL).nanos(), Ordering::Relaxed);
        }
        may
    }

    /// Keeps later lookups from joining the read of a key that has changed.
    pub(super) fn forget(&self, digest: &Digest) {
        self.flights.remove(digest);
    }

    /// Returns the number of lookups that run or wait to run.
    pub(super) fn pending(&self) -> usize {
        self.flights.len()
    }

    pub(super) fn is_circuit_open(&self, now: Moment) -> bool {
        self.breaker.is_open(now)
    }

    /// Closes the circuit, because a poll was answered.
    pub(super) fn close_circuit(&self) {
        self.breaker.answered();
    }

    /// Returns whether a lookup was answered within `period`.
    pub(super) fn was_answered_within(&self, period: Duration, now: Moment) -> bool {
        let last = self.answered.load(Ordering::Relaxed);
        last > 0 && now.saturating_since(Moment::from_nanos(last)) < period
    }

    /// Replaces a password hash in the store by one of the same password. If that fails, the next verification tries again.
    #[cfg(feature = "password")]
    pub(super) async fn replace_password_hash(&self, email: &str, from: &PasswordHash, to: &PasswordHash) {
        let Context { backend, limits, .. } = &*self.context;
        let replacing = backend.replace_password_hash(email, from, to);
        let _ = self.context.call("password rehash", limits.deadline, replacing).await;
    }

    /// Returns the reads in flight, for the model.
    #[cfg(all(test, shuttle))]
    pub(super) fn flights(&self) -> &Arc<Flights> {
        &self.flights
    }
}
