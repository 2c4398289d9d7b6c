//! Lookups in the store: those of the same key share one read, whose result is kept in the entries.

// Layer 6 of 10: cache.
// Above `entries` and `poller`; below the cache itself. Bottom to top, a file importing only those before it:
// `lookup_key`, `bulkhead`, `breaker`, `single_flight`, `store_reader`, `self`.

mod breaker;
mod bulkhead;
mod lookup_key;
pub(super) mod single_flight;
mod store_reader;

pub(super) use bulkhead::Warmth;
pub(crate) use lookup_key::LookupKey;
pub(crate) use single_flight::LookupError;

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use super::context::Context;
use super::entries::{Entries, Fact};
use super::poller::Poller;
use super::sync::{Arc, Atomic, Ordering, spawn, yield_now};
use crate::clock::Moment;
use crate::digest::Digest;
use crate::guarded_call::catch_panic;
use crate::trace;
use single_flight::{Flights, Join, Leader};
use store_reader::{Reading, StoreReader};

/// How often a request reads a key that changes during each read. A change by this process takes up to two reads, because the poll that
/// another request may trigger returns the change.
const MAX_READS: usize = 5;

/// How long a flood is not logged again.
const FLOOD_LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Fills the entries from the store.
pub(super) struct Loader {
    flights: Arc<Flights>,
    pub(super) reader: StoreReader,
    /// From when on a flood may be logged again.
    next_flood_log: Atomic,
    entries: Arc<Entries>,
    context: Arc<Context>,
}

impl Loader {
    pub(super) fn new(context: Arc<Context>, entries: Arc<Entries>, poller: Arc<Poller>) -> Self {
        Self {
            flights: Arc::new(Flights::new(context.limits.max_pending_cold(), poller.call_timeout())),
            reader: StoreReader::new(Arc::clone(&context), Arc::clone(&entries), poller),
            next_flood_log: Atomic::new(0),
            entries,
            context,
        }
    }

    /// Reads a key, jointly with its concurrent lookups, until the key did not change during the read.
    pub(super) async fn load(
        self: &Arc<Self>,
        lookup_key: &LookupKey,
        warmth: Warmth,
    ) -> Result<Fact, LookupError> {
        let digests = lookup_key.digests();
        for _ in 0..MAX_READS {
            let generation = self.entries.generation(digests);
            let now = self.context.now();
            // A flight stands under one of the digests. A change by another one keeps lookups from joining it by its generation.
            let flight = match self.flights.join(digests[0], generation, warmth, now) {
                Join::Waiter(flight) => flight,
                Join::Leader(flight, leader) => {
                    self.start(leader, lookup_key.clone()).await;
                    flight
                }
                Join::Full => return Err(self.reject_excess(now.monotonic)),
            };
            let outcome = flight.wait().await;
            if self.entries.has_tombstone(digests) {
                return Ok(Fact::Revoked);
            }
            let is_current = self.entries.generation(digests) == flight.generation;
            // If this process was suspended during the read, its result may be stale. Checked last.
            let is_overdue = flight.is_overdue(self.context.now());
            if is_current && !is_overdue {
                return outcome;
            }
            if is_overdue {
                // Lets the deadline of the request pass: a store that blocks would be read again and again otherwise.
                yield_now().await;
            }
        }
        trace::lookup_retries_exhausted(MAX_READS);
        Err(LookupError)
    }

    /// Polls a fill once, and spawns it if the store has not answered yet: most answers of a store in memory need no task.
    ///
    /// A store that blocks in this poll blocks the request that reads, as it would block a worker of the runtime in a task. Other
    /// requests wait for the flight no longer than their deadline.
    async fn start(self: &Arc<Self>, leader: Leader, lookup_key: LookupKey) {
        let mut fill = Box::pin(Arc::clone(self).fill(leader, lookup_key));
        // A panic outside of the store's own calls ends the flight without an answer, and not the request.
        let first =
            poll_fn(|context| Poll::Ready(trace::in_lookup(|| fill.as_mut().poll(context).is_pending())));
        if catch_panic(first).await == Some(true) {
            spawn(fill);
        }
    }

    /// Reads a record and publishes it. It does not stop when its waiters are gone: its own deadline bounds it.
    pub(in crate::cache) async fn fill(self: Arc<Self>, leader: Leader, lookup_key: LookupKey) {
        // The result may be as old as the moment before the read, so its time to live starts there.
        let started = self.context.clock.monotonic();
        let _counted = self.context.metrics.look_up();
        let outcome = match self.reader.read(&leader, &lookup_key).await {
            Ok(Reading::Record(record)) => {
                Ok(Fact::Known(self.entries.keep(record, lookup_key.digests(), leader.generation(), started)))
            }
            Ok(Reading::Absence) => {
                match &lookup_key {
                    LookupKey::ApiKey(digests) => {
                        self.entries.keep_absence(digests.as_slice(), leader.generation(), started);
                    }
                    #[cfg(feature = "password")]
                    LookupKey::User { digest, .. } => {
                        self.entries.remove_absent_user(digest, leader.generation());
                    }
                }
                Ok(Fact::Absent)
            }
            Ok(Reading::NoPermit) => Err(self.reject_excess(self.context.clock.monotonic())),
            // Waiters see that the generation is not current any more, and read again.
            Ok(Reading::Outdated | Reading::CircuitOpen) | Err(_) => Err(LookupError),
        };
        leader.complete(outcome);
    }

    /// Returns the error of a lookup beyond the limit, and logs the flood.
    fn reject_excess(&self, now: Moment) -> LookupError {
        if self.claim_flood_log(now) {
            trace::too_many_lookups(self.flights.len());
        }
        LookupError
    }

    /// Returns whether a flood is to be logged now: once a second, not for each request.
    pub(super) fn claim_flood_log(&self, now: Moment) -> bool {
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

    /// Returns the reads in flight, for the model.
    #[cfg(all(test, shuttle))]
    pub(super) fn flights(&self) -> &Arc<Flights> {
        &self.flights
    }
}
