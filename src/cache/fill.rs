//! Fills: one read of the store, and what is remembered of it.

use std::time::Duration;

use super::bulkhead::Class;
use super::generation::Stamp;
use super::single_flight::Leader;
use super::sync::{Arc, Ordering, SemaphorePermit, timeout};
use super::{Cache, Entry, Fact, LookupError, LookupKey};
use crate::backend::{BackendError, BackendErrorKind};
use crate::clock::Moment;
use crate::digest::Digest;
use crate::record::Record;

/// What the store has said.
#[allow(clippy::large_enum_variant, reason = "it is taken apart at once")]
enum Reading {
    Record(Record),
    Absence,
    /// It was not asked: something was changed since the stamp was taken.
    Outdated,
    /// It was not asked: it has given no answer several times, which the operator knows.
    LeftAlone,
    /// It was not asked: too many others were before.
    NoTurn,
}

impl Cache {
    /// Reads a record and publishes it. Nobody's departure stops it: it is bounded by its own deadline.
    pub(super) async fn fill(self: Arc<Self>, leader: Leader, lookup_key: LookupKey) {
        // What is read may be as old as the moment before the read, so its time to live counts from there.
        let started = self.clock.monotonic();
        let _counted = self.metrics.look_up();
        let reading = self.read_store(&leader, &lookup_key);
        let outcome = match self.guarded_call("the key store", self.flights.patience(), reading).await {
            Ok(Reading::Record(record)) => Ok(Fact::Known(self.keep(record, leader.generation(), started))),
            Ok(Reading::Absence) => Ok(self.keep_absence(*leader.digest(), leader.generation(), started)),
            Ok(Reading::NoTurn) => Err(self.turn_away(self.clock.monotonic())),
            // Whoever waits sees that the stamp is not current any more, and reads again.
            Ok(Reading::Outdated | Reading::LeftAlone) | Err(_) => Err(LookupError),
        };
        leader.complete(outcome);
    }

    async fn read_store(&self, leader: &Leader, lookup_key: &LookupKey) -> Result<Reading, BackendError> {
        let Some(_permit) = self.turn(leader.class()).await else { return Ok(Reading::NoTurn) };
        let Some(mut trial) = self.breaker.enter(&*self.clock) else { return Ok(Reading::LeftAlone) };
        if trial.is_first() && !self.has_lease() {
            // An outage may be over. What a poll tells then would make everything inert that was read before it.
            let is_over = self.poll_soon().await;
            if is_over && self.generations.current(leader.digest()) != leader.generation() {
                trial.answered();
                return Ok(Reading::Outdated);
            }
        }
        let answer = lookup_key.ask(&*self.backend).await;
        if answer.as_ref().err().is_none_or(|error| error.kind() != BackendErrorKind::Unavailable) {
            trial.answered();
            self.answered.store(self.clock.monotonic().nanos(), Ordering::Relaxed);
            if trial.is_first() && !self.has_lease() {
                // The others wait for the lease, or each of them would ask for itself.
                self.poll_soon().await;
            }
        }
        match answer? {
            // A store that confuses digests would admit one caller as another.
            Some(record) if record.digest != *leader.digest() => {
                Err(BackendError::corrupt("the record has another digest than the one that was looked up"))
            }
            Some(record) => Ok(Reading::Record(record)),
            None => Ok(Reading::Absence),
        }
    }

    /// Waits for a place in a lane, for half of the time there is. A lookup that began later might be given up before the store
    /// could answer, and a store that answers all the time would be taken for one that does not.
    async fn turn(&self, class: Class) -> Option<SemaphorePermit<'_>> {
        timeout(self.flights.patience() / 2, self.permits.acquire(class)).await.ok()?.ok()
    }

    /// Keeps a record, unless its first use is still to be noted: it is read again until the store says that it was.
    fn keep(&self, record: Record, generation: Stamp, started: Moment) -> Arc<Entry> {
        let digest = record.digest;
        let lifetime = self.lifetime(&digest);
        // Compared with coarse readings, which may be late.
        let until = started.saturating_add(lifetime).saturating_sub(self.clock.tick());
        let entry = Arc::new(Entry::new(generation, until, record, Arc::clone(&self.issuer)));
        if !lifetime.is_zero()
            && !entry.record().has_first_use_to_note()
            && self.may_publish(&digest, generation)
        {
            self.positive.insert(digest, &entry);
        }
        entry
    }

    fn keep_absence(&self, digest: Digest, generation: Stamp, started: Moment) -> Fact {
        if self.may_publish(&digest, generation) {
            self.negative.insert(digest, generation, started);
        }
        Fact::Absent
    }

    /// An entry with an old stamp would be inert anyway; it must not take the place of a newer one.
    fn may_publish(&self, digest: &Digest, generation: Stamp) -> bool {
        self.generations.current(digest) == generation
            && !self.tombstones.contains(digest, self.clock.coarse_monotonic())
    }

    /// Returns how long a record may be used: the time to live less up to a tenth, so that keys that were read together are not read
    /// together again. Whether a key has expired meanwhile is judged, not remembered: that it has can be said without the store.
    fn lifetime(&self, digest: &Digest) -> Duration {
        let ttl = self.limits.positive_ttl;
        ttl - ttl.mul_f64((digest.shard() >> 32) as f64 / f64::from(u32::MAX) / 10.0)
    }
}
