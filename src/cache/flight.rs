//! Flights: one read of the store for all who wait for the same key.

use std::collections::HashMap;
use std::time::Duration;

use super::Fact;
use super::lane::Lane;
use super::now::Now;
use super::stamp::Stamp;
use super::sync::{Arc, Atomic, Mutex, Ordering, lock, watch};
use crate::digest::Digest;

const SHARDS: usize = 16;

/// How many may wait for one key. Past that the store is so slow that waiting helps nobody.
const WAITERS: usize = 4096;

/// A read of the store that is under way.
pub(super) struct Flight {
    pub(super) stamp: Stamp,
    /// When it is overdue. What it brings is as old as its start, and a process that stood still notices late.
    due: Now,
    landing: watch::Sender<Option<Landing>>,
}

/// How a flight ended: with a fact, or without an answer.
pub(super) type Landing = Result<Fact, Unanswered>;

/// The store could not be asked, or did not answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unanswered;

impl Flight {
    fn new(stamp: Stamp, due: Now) -> Arc<Self> {
        Arc::new(Self { stamp, due, landing: watch::Sender::new(None) })
    }

    /// Waits until the read has ended. Whoever waits may go away: the read belongs to none of them.
    pub(super) async fn landed(&self) -> Landing {
        let mut landing = self.landing.subscribe();
        match landing.wait_for(Option::is_some).await {
            Ok(landing) => landing.clone().unwrap_or(Err(Unanswered)),
            // The sender is part of `self`, so it outlives the wait.
            Err(_) => Err(Unanswered),
        }
    }

    pub(super) fn is_overdue(&self, now: Now) -> bool {
        now.is_past(self.due)
    }

    fn is_full(&self) -> bool {
        self.landing.receiver_count() >= WAITERS
    }
}

/// The reads that are under way.
pub(super) struct Flights {
    shards: [Mutex<HashMap<Digest, Arc<Flight>>>; SHARDS],
    /// How many of them are reads of strangers, and how many may be.
    strangers: Atomic,
    limit: u64,
    patience: Duration,
}

/// A place on a flight.
pub(super) enum Boarding {
    /// Someone has started the read.
    Joined(Arc<Flight>),
    /// Whoever gets this has to start the read.
    Opened(Arc<Flight>, Pilot),
    /// Too many are waiting.
    Full,
}

impl Flights {
    /// Creates an empty set that holds `limit` reads of strangers at once. Keys that were met before are bounded by what
    /// the cache remembers. A read may take as long as `patience`.
    pub(super) fn new(limit: u64, patience: Duration) -> Self {
        let shards = std::array::from_fn(|_| Mutex::new(HashMap::new()));
        Self { shards, strangers: Atomic::new(0), limit, patience }
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Joins the read of a key that carries this very stamp and is not overdue. An older read may have seen what has changed
    /// since, so a new one takes its place; those who wait for the older one keep waiting for it, and look at its stamp when
    /// it ends.
    pub(super) fn board(self: &Arc<Self>, digest: Digest, stamp: Stamp, lane: Lane, now: Now) -> Boarding {
        let mut shard = lock(self.shard(&digest));
        let may_be_joined = |flight: &&Arc<Flight>| flight.stamp == stamp && !flight.is_overdue(now);
        if let Some(flight) = shard.get(&digest).filter(may_be_joined) {
            return if flight.is_full() { Boarding::Full } else { Boarding::Joined(Arc::clone(flight)) };
        }
        if lane == Lane::Strangers && self.strangers.fetch_add(1, Ordering::SeqCst) >= self.limit {
            self.strangers.fetch_sub(1, Ordering::SeqCst);
            return Boarding::Full;
        }
        let flight = Flight::new(stamp, now.after(self.patience));
        shard.insert(digest, Arc::clone(&flight));
        let pilot = Pilot { flights: Arc::clone(self), digest, flight: Arc::clone(&flight), lane };
        Boarding::Opened(flight, pilot)
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
pub(super) struct Pilot {
    flights: Arc<Flights>,
    digest: Digest,
    flight: Arc<Flight>,
    lane: Lane,
}

impl Pilot {
    pub(super) fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(super) fn stamp(&self) -> Stamp {
        self.flight.stamp
    }

    pub(super) fn lane(&self) -> Lane {
        self.lane
    }

    /// Tells everyone who waits how the read ended.
    pub(super) fn land(self, landing: Landing) {
        self.flight.landing.send_replace(Some(landing));
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        if self.lane == Lane::Strangers {
            self.flights.strangers.fetch_sub(1, Ordering::SeqCst);
        }
        self.flights.remove_own(&self.digest, &self.flight);
        self.flight.landing.send_if_modified(|landing| {
            let abandoned = landing.is_none();
            if abandoned {
                *landing = Some(Err(Unanswered));
            }
            abandoned
        });
    }
}
