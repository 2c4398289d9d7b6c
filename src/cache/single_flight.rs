//! Flights: one read of the store for all who wait for the same key.

use std::collections::HashMap;
use std::time::Duration;

use super::Fact;
use super::bulkhead::Class;
use super::dual_instant::DualInstant;
use super::generation::Stamp;
use super::sync::{Arc, Atomic, Mutex, Ordering, lock, watch};
use crate::digest::Digest;

const SHARDS: usize = 16;

/// How many may wait for one key. Past that the store is so slow that waiting helps nobody.
const WAITERS: usize = 4096;

/// A read of the store that is under way.
pub(super) struct Flight {
    pub(super) generation: Stamp,
    /// When it is overdue. What it brings is as old as its start, and a process that stood still notices late.
    due: DualInstant,
    outcome: watch::Sender<Option<Landing>>,
}

/// How a flight ended: with a fact, or without an answer.
pub(super) type Landing = Result<Fact, LookupError>;

/// The store could not be asked, or did not answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LookupError;

impl Flight {
    fn new(generation: Stamp, due: DualInstant) -> Arc<Self> {
        Arc::new(Self { generation, due, outcome: watch::Sender::new(None) })
    }

    /// Waits until the read has ended. Whoever waits may go away: the read belongs to none of them.
    pub(super) async fn wait(&self) -> Landing {
        let mut outcome = self.outcome.subscribe();
        match outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Err(LookupError)),
            // The sender is part of `self`, so it outlives the wait.
            Err(_) => Err(LookupError),
        }
    }

    pub(super) fn is_overdue(&self, now: DualInstant) -> bool {
        now.is_past(self.due)
    }

    fn is_full(&self) -> bool {
        self.outcome.receiver_count() >= WAITERS
    }
}

/// The reads that are under way.
pub(super) struct Flights {
    shards: [Mutex<HashMap<Digest, Arc<Flight>>>; SHARDS],
    /// How many of them are reads of strangers, and how many may be.
    cold: Atomic,
    limit: u64,
    patience: Duration,
}

/// A place on a flight.
pub(super) enum Join {
    /// Someone has started the read.
    Waiter(Arc<Flight>),
    /// Whoever gets this has to start the read.
    Leader(Arc<Flight>, Leader),
    /// Too many are waiting.
    Full,
}

impl Flights {
    /// Creates an empty set that holds `limit` reads of strangers at once. Keys that were met before are bounded by what
    /// the cache remembers. A read may take as long as `patience`.
    pub(super) fn new(limit: u64, patience: Duration) -> Self {
        let shards = std::array::from_fn(|_| Mutex::new(HashMap::new()));
        Self { shards, cold: Atomic::new(0), limit, patience }
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Joins the read of a key that carries this very stamp and is not overdue. An older read may have seen what has changed
    /// since, so a new one takes its place; those who wait for the older one keep waiting for it, and look at its stamp when
    /// it ends.
    pub(super) fn join(
        self: &Arc<Self>,
        digest: Digest,
        generation: Stamp,
        class: Class,
        now: DualInstant,
    ) -> Join {
        let mut shard = lock(self.shard(&digest));
        let may_be_joined =
            |flight: &&Arc<Flight>| flight.generation == generation && !flight.is_overdue(now);
        if let Some(flight) = shard.get(&digest).filter(may_be_joined) {
            return if flight.is_full() { Join::Full } else { Join::Waiter(Arc::clone(flight)) };
        }
        if class == Class::Cold && self.cold.fetch_add(1, Ordering::SeqCst) >= self.limit {
            self.cold.fetch_sub(1, Ordering::SeqCst);
            return Join::Full;
        }
        let flight = Flight::new(generation, now.after(self.patience));
        shard.insert(digest, Arc::clone(&flight));
        let leader = Leader { flights: Arc::clone(self), digest, flight: Arc::clone(&flight), class };
        Join::Leader(flight, leader)
    }

    /// Forgets the read of a key, so that nobody joins it any more.
    pub(super) fn remove(&self, digest: &Digest) {
        lock(self.shard(digest)).remove(digest);
    }

    /// Returns how many reads are under way.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn remove_own(&self, digest: &Digest, own: &Arc<Flight>) {
        let mut shard = lock(self.shard(digest));
        // A later read may have taken the place: only the very same flight may be removed.
        if shard.get(digest).is_some_and(|flight| Arc::ptr_eq(flight, own)) {
            shard.remove(digest);
        }
    }

    fn shard(&self, digest: &Digest) -> &Mutex<HashMap<Digest, Arc<Flight>>> {
        &self.shards[digest.shard() as usize % SHARDS]
    }
}

/// The duty to land a flight. Dropped without landing, as by a panic or at shutdown, it lands without an answer.
pub(super) struct Leader {
    flights: Arc<Flights>,
    digest: Digest,
    flight: Arc<Flight>,
    class: Class,
}

impl Leader {
    pub(super) fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(super) fn generation(&self) -> Stamp {
        self.flight.generation
    }

    pub(super) fn class(&self) -> Class {
        self.class
    }

    /// Tells everyone who waits how the read ended.
    pub(super) fn complete(self, outcome: Landing) {
        self.flight.outcome.send_replace(Some(outcome));
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if self.class == Class::Cold {
            self.flights.cold.fetch_sub(1, Ordering::SeqCst);
        }
        self.flights.remove_own(&self.digest, &self.flight);
        self.flight.outcome.send_if_modified(|outcome| {
            let abandoned = outcome.is_none();
            if abandoned {
                *outcome = Some(Err(LookupError));
            }
            abandoned
        });
    }
}
