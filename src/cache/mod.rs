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
//!   else read again, at most twice                                               acknowledge
//! ```

mod dead;
mod entry;
mod flight;
mod lease;
mod limits;
mod negative;
mod positive;
mod stamp;
mod sync;

pub(crate) use entry::Entry;
pub(crate) use flight::Unanswered;
pub(crate) use limits::Limits;

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use dead::Dead;
use flight::{Boarding, Flights, Landing, Pilot};
use lease::Lease;
use negative::Negative;
use positive::Positive;
use stamp::{Stamp, Stamps};
use sync::{Arc, AtomicU64, Bounded, BoundedBuilder, Semaphore, Weak, spawn, timeout};

use crate::backend::{Apply, BackendError, Change, ErasedBackend, Subscriber};
use crate::clock::Clock;
use crate::digest::Digest;
use crate::principal::Issuer;
use crate::record::Record;
use crate::trace;

/// How often a request reads again because the key changed while it was reading.
const READS: usize = 3;

/// What is known of a digest.
#[derive(Clone)]
pub(crate) enum Fact {
    /// The store has a record of it.
    Known(Arc<Entry>),
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
    positive: Positive,
    negative: Negative,
    dead: Dead,
    flights: Arc<Flights>,
    permits: Semaphore,
}

impl Cache {
    pub(crate) fn new(
        backend: Box<dyn ErasedBackend>,
        clock: Arc<dyn Clock>,
        issuer: Arc<Issuer>,
        limits: Limits,
    ) -> Arc<Self> {
        let cache = Arc::new(Self {
            stamps: Stamps::new(),
            lease: Lease::endless(),
            positive: Positive::new(limits.positive_capacity, limits.positive_ttl),
            negative: Negative::new(limits.negative_ttl, limits.negative_capacity),
            dead: Dead::new(limits.dead_for()),
            flights: Arc::new(Flights::new(limits.pending_fills())),
            permits: Semaphore::new(limits.concurrent_fills),
            backend,
            clock,
            issuer,
            limits,
        });
        let target: Weak<Self> = Arc::downgrade(&cache);
        cache.backend.subscribe(Subscriber::new(target));
        cache
    }

    /// Returns what is known of a digest without asking the store.
    pub(crate) fn peek(&self, digest: &Digest) -> Option<Fact> {
        let now = self.clock.coarse_monotonic();
        if !self.lease.covers(now.saturating_add(self.clock.tick())) {
            return None;
        }
        let stamp = self.stamps.current(digest);
        match self.positive.get(digest) {
            Some(entry) if entry.stamp == stamp && now < entry.until => Some(Fact::Known(entry)),
            _ => self.negative.contains(digest, stamp, now).then_some(Fact::Absent),
        }
    }

    /// Asks the store, together with everyone else who asks for the same key.
    pub(crate) async fn read(self: &Arc<Self>, digest: Digest) -> Result<Fact, Unanswered> {
        timeout(self.limits.deadline, self.read_until_settled(digest)).await.unwrap_or(Err(Unanswered))
    }

    async fn read_until_settled(self: &Arc<Self>, digest: Digest) -> Result<Fact, Unanswered> {
        for _ in 0..READS {
            let flight = match self.flights.board(digest, self.stamps.current(&digest)) {
                Boarding::Joined(flight) => flight,
                Boarding::Opened(flight, pilot) => {
                    spawn(Arc::clone(self).fill(pilot));
                    flight
                }
                Boarding::Full => return Err(Unanswered),
            };
            let landing = flight.landed().await;
            if self.dead.contains(&digest) {
                return Ok(Fact::Dead);
            }
            if self.stamps.current(&digest) == flight.stamp {
                return landing;
            }
        }
        Err(Unanswered)
    }

    /// Reads a record and publishes it. Nobody's departure stops it: it is bounded by its own deadline.
    async fn fill(self: Arc<Self>, pilot: Pilot) {
        let reading = catch_panic(self.read_store(pilot.digest()));
        let landing = match timeout(self.limits.deadline, reading).await {
            Ok(Some(Ok(Some(record)))) => Ok(Fact::Known(self.keep(record, pilot.stamp()))),
            Ok(Some(Ok(None))) => Ok(self.keep_absence(*pilot.digest(), pilot.stamp())),
            Ok(Some(Err(error))) => unanswered(&trace::Failure::Error(&error)),
            Ok(None) => unanswered(&trace::Failure::Panic),
            Err(_) => unanswered(&trace::Failure::Deadline(self.limits.deadline)),
        };
        pilot.land(landing);
    }

    async fn read_store(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        let _permit = self.permits.acquire().await.map_err(BackendError::unavailable)?;
        let record = self.backend.find(digest).await?;
        match record {
            // A store that confuses digests would admit one caller as another.
            Some(record) if record.digest != *digest => {
                Err(BackendError::corrupt("the record has another digest than the one that was looked up"))
            }
            record => Ok(record),
        }
    }

    fn keep(&self, record: Record, stamp: Stamp) -> Arc<Entry> {
        let digest = record.digest;
        let now = self.clock.monotonic();
        let lifetime = self.lifetime(&record);
        let entry = Arc::new(Entry {
            stamp,
            // Compared with coarse readings, which may be late.
            until: now.saturating_add(lifetime).saturating_sub(self.clock.tick()),
            record,
            issuer: Arc::clone(&self.issuer),
            reads: AtomicU64::new(0),
        });
        if !lifetime.is_zero() && self.may_publish(&digest, stamp) {
            self.positive.insert(digest, &entry);
        }
        entry
    }

    fn keep_absence(&self, digest: Digest, stamp: Stamp) -> Fact {
        if self.may_publish(&digest, stamp) {
            self.negative.insert(digest, stamp, self.clock.monotonic());
        }
        Fact::Absent
    }

    /// An entry with an old stamp would be inert anyway; it must not take the place of a newer one.
    fn may_publish(&self, digest: &Digest, stamp: Stamp) -> bool {
        self.stamps.current(digest) == stamp && !self.dead.contains(digest)
    }

    /// How long a record may be used: the time to live less up to a tenth, so that keys that were read together are not
    /// read together again, and no longer than the key itself lives.
    fn lifetime(&self, record: &Record) -> Duration {
        let ttl = self.limits.positive_ttl;
        let jitter = ttl.mul_f64((record.digest.shard() >> 32) as f64 / f64::from(u32::MAX) / 10.0);
        let remaining = record.expires_at.map(|end| end.saturating_since(self.clock.wall()));
        match remaining {
            Some(remaining) if !remaining.is_zero() => remaining.min(ttl - jitter),
            // Expired records are kept as well: whether a key has expired is judged, not remembered.
            _ => ttl - jitter,
        }
    }
}

impl Apply for Cache {
    fn apply(&self, change: Change) {
        match change {
            Change::Revoked(digest) => {
                self.dead.insert(digest, self.clock.monotonic());
                self.forget(&digest);
            }
            Change::Changed(digest) => self.forget(&digest),
            Change::Everything => self.stamps.bump_all(),
        }
    }
}

impl Cache {
    fn forget(&self, digest: &Digest) {
        self.stamps.bump(digest);
        // From here on everything read before is inert. The rest only frees memory and lets others read at once.
        self.flights.remove(digest);
        self.positive.remove(digest);
        self.negative.remove(digest);
    }
}

fn unanswered(failure: &trace::Failure<'_>) -> Landing {
    trace::backend_failed(failure);
    Err(Unanswered)
}

/// A cache of limited size. Its own time to live only collects garbage: what counts is the deadline in each value.
fn bounded<V>(capacity: u64, ttl: Duration) -> BoundedBuilder<Digest, V, Bounded<Digest, V>>
where
    V: Clone + Send + Sync + 'static,
{
    Bounded::builder().max_capacity(capacity).time_to_live(ttl.max(Duration::from_millis(1)) * 2)
}

/// Turns a panic of the backend into `None`.
async fn catch_panic<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}
