//! Single flight: one read of the store for all concurrent lookups of the same key.

// Layer 6 of 10: cache.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::OnceLock;
use std::time::Duration;

use super::bulkhead::Warmth;
use crate::cache::Fact;
use crate::cache::dual_instant::DualInstant;
use crate::cache::entries::generation::Generation;
use crate::cache::sync::{Arc, Atomic, Mutex, Notify, Ordering, lock};
use crate::digest::Digest;

const SHARDS: usize = 16;

/// Most waiters of one flight. With more, the store is too slow for waiting to help.
const MAX_WAITERS: usize = 4096;

/// A read of the store in progress.
pub(in crate::cache) struct Flight {
    pub(in crate::cache) generation: Generation,
    /// When it is overdue. Its result is as old as its start, and a suspended process notices late that a timeout has passed.
    due: DualInstant,
    outcome: OnceLock<Outcome>,
    /// Notified when the outcome is set.
    ended: Notify,
}

/// The outcome of a flight: a fact, or no answer.
type Outcome = Result<Fact, LookupError>;

/// The store could not be read, or did not answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LookupError;

impl Flight {
    fn new(generation: Generation, due: DualInstant) -> Arc<Self> {
        Arc::new(Self { generation, due, outcome: OnceLock::new(), ended: Notify::new() })
    }

    /// Waits until the read has ended. Waiters may be dropped: the read belongs to none of them.
    pub(super) async fn wait(&self) -> Outcome {
        loop {
            if let Some(outcome) = self.outcome.get() {
                return outcome.clone();
            }
            let mut ended = pin!(self.ended.notified());
            ended.as_mut().enable();
            // It may have ended before the notification was enabled.
            if self.outcome.get().is_none() {
                ended.await;
            }
        }
    }

    /// Sets the outcome, unless it is set already.
    fn end(&self, outcome: Outcome) {
        if self.outcome.set(outcome).is_ok() {
            self.ended.notify_waiters();
        }
    }

    pub(super) fn is_overdue(&self, now: DualInstant) -> bool {
        now.has_reached(self.due)
    }

    /// Returns whether no further lookup may wait. Beside the waiters, the map and the leader have it.
    fn is_full(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) >= MAX_WAITERS + 2
    }
}

/// The reads in progress.
pub(in crate::cache) struct Flights {
    shards: [Mutex<HashMap<Digest, Arc<Flight>>>; SHARDS],
    /// Number of cold reads, and their maximum.
    cold: Atomic,
    limit: u64,
    timeout: Duration,
}

/// The result of joining a flight.
pub(in crate::cache) enum Join {
    /// Another lookup has started the read.
    Waiter(Arc<Flight>),
    /// The caller has to start the read.
    Leader(Arc<Flight>, Leader),
    /// Too many lookups wait for this read, or too many cold reads run.
    Full,
}

impl Flights {
    /// Creates an empty set that holds up to `limit` cold reads. Warm reads are bounded by the number of entries. A read takes at most
    /// `timeout`.
    pub(super) fn new(limit: u64, timeout: Duration) -> Self {
        let shards = std::array::from_fn(|_| Mutex::new(HashMap::new()));
        Self { shards, cold: Atomic::new(0), limit, timeout }
    }

    /// Joins the read of a key that has this generation and is not overdue. An older read may have seen the state before a change, so a new
    /// one replaces it; the waiters of the older one keep waiting for it, and check its generation when it ends.
    pub(in crate::cache) fn join(
        self: &Arc<Self>,
        digest: Digest,
        generation: Generation,
        warmth: Warmth,
        now: DualInstant,
    ) -> Join {
        let mut shard = lock(self.shard(&digest));
        let may_be_joined =
            |flight: &&Arc<Flight>| flight.generation == generation && !flight.is_overdue(now);
        if let Some(flight) = shard.get(&digest).filter(may_be_joined) {
            return if flight.is_full() { Join::Full } else { Join::Waiter(Arc::clone(flight)) };
        }
        if warmth == Warmth::Cold && self.cold.fetch_add(1, Ordering::SeqCst) >= self.limit {
            self.cold.fetch_sub(1, Ordering::SeqCst);
            return Join::Full;
        }
        let flight = Flight::new(generation, now.saturating_add(self.timeout));
        shard.insert(digest, Arc::clone(&flight));
        let leader = Leader { flights: Arc::clone(self), digest, flight: Arc::clone(&flight), warmth };
        Join::Leader(flight, leader)
    }

    /// Removes the read of a key, so that no later lookup joins it.
    pub(super) fn remove(&self, digest: &Digest) {
        lock(self.shard(digest)).remove(digest);
    }

    /// Returns the number of reads in progress.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn remove_own(&self, digest: &Digest, own: &Arc<Flight>) {
        let mut shard = lock(self.shard(digest));
        // A later read may have replaced it: only this very flight may be removed.
        if shard.get(digest).is_some_and(|flight| Arc::ptr_eq(flight, own)) {
            shard.remove(digest);
        }
    }

    fn shard(&self, digest: &Digest) -> &Mutex<HashMap<Digest, Arc<Flight>>> {
        &self.shards[digest.shard() as usize % SHARDS]
    }
}

/// Completes a flight. Dropped before, as by a panic or at shutdown, it completes the flight without an answer.
pub(in crate::cache) struct Leader {
    flights: Arc<Flights>,
    digest: Digest,
    flight: Arc<Flight>,
    warmth: Warmth,
}

impl Leader {
    pub(super) fn generation(&self) -> Generation {
        self.flight.generation
    }

    pub(super) fn warmth(&self) -> Warmth {
        self.warmth
    }

    /// Passes the outcome of the read to all waiters.
    pub(super) fn complete(self, outcome: Outcome) {
        self.flight.end(outcome);
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if self.warmth == Warmth::Cold {
            self.flights.cold.fetch_sub(1, Ordering::SeqCst);
        }
        self.flights.remove_own(&self.digest, &self.flight);
        // Of no effect unless it was abandoned.
        self.flight.end(Err(LookupError));
    }
}
