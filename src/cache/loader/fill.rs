//! Fills: one read of the store, whose result is kept in the entries.

use super::bulkhead::Class;
use super::single_flight::Leader;
use super::{Fact, Loader, LookupError, LookupKey};
use crate::backend::{BackendError, BackendErrorKind};
use crate::cache::sync::{Arc, Ordering, SemaphorePermit, timeout};
use crate::record::Record;

/// The result of a read.
#[allow(clippy::large_enum_variant, reason = "it is destructured at once")]
enum Reading {
    Record(Record),
    Absence,
    /// Not read: a change came after the generation was taken.
    Outdated,
    /// Not read: the circuit is open, which was logged.
    CircuitOpen,
    /// Not read: no permit became free in time.
    NoPermit,
}

impl Loader {
    /// Reads a record and publishes it. It does not stop when its waiters are gone: its own deadline bounds it.
    pub(in crate::cache) async fn fill(self: Arc<Self>, leader: Leader, lookup_key: LookupKey) {
        // The result may be as old as the moment before the read, so its time to live starts there.
        let started = self.context.clock.monotonic();
        let _counted = self.context.metrics.look_up();
        let reading = self.read_store(&leader, &lookup_key);
        let outcome = match self.context.call("key lookup", self.poller.call_timeout(), reading).await {
            Ok(Reading::Record(record)) => {
                Ok(Fact::Known(self.entries.keep(record, leader.generation(), started)))
            }
            Ok(Reading::Absence) => {
                self.entries.keep_absence(*leader.digest(), leader.generation(), started);
                Ok(Fact::Absent)
            }
            Ok(Reading::NoPermit) => Err(self.reject_excess(self.context.clock.monotonic())),
            // Waiters see that the generation is not current any more, and read again.
            Ok(Reading::Outdated | Reading::CircuitOpen) | Err(_) => Err(LookupError),
        };
        leader.complete(outcome);
    }

    async fn read_store(&self, leader: &Leader, lookup_key: &LookupKey) -> Result<Reading, BackendError> {
        let Some(_permit) = self.permit(leader.class()).await else { return Ok(Reading::NoPermit) };
        let Some(mut trial) = self.breaker.enter(&*self.context.clock) else {
            return Ok(Reading::CircuitOpen);
        };
        if trial.is_first() && !self.poller.has_lease() {
            // An outage may be over. The changes of a poll would then make everything inert that was read before it.
            let is_over = self.poller.poll_soon().await;
            if is_over && self.entries.generation(leader.digest()) != leader.generation() {
                trial.answered();
                return Ok(Reading::Outdated);
            }
        }
        let answer = lookup_key.find(&*self.context.backend).await;
        if answer.as_ref().err().is_none_or(|error| error.kind() != BackendErrorKind::Unavailable) {
            trial.answered();
            self.answered.store(self.context.clock.monotonic().nanos(), Ordering::Relaxed);
            if trial.is_first() && !self.poller.has_lease() {
                // Without the lease, each of the other lookups would read for itself. They wait for it.
                self.poller.poll_soon().await;
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

    /// Waits for a permit, for at most half of the call timeout. A lookup that began later could be given up before the store can answer, and
    /// would then count as a failure of a store that answers all the time.
    async fn permit(&self, class: Class) -> Option<SemaphorePermit<'_>> {
        timeout(self.poller.call_timeout() / 2, self.bulkhead.acquire(class)).await.ok()?.ok()
    }
}
