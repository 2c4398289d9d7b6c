//! Reads of the store, bounded in number and time, and suspended while the store gives no answer.

// Layer 6 of 10: cache.

use std::future::Future;
use std::time::Duration;

use super::LookupKey;
use super::breaker::{Attempt, Breaker};
use super::bulkhead::{Bulkhead, Warmth};
use super::single_flight::Leader;
use crate::backend::{BackendError, BackendErrorKind};
use crate::cache::context::Context;
use crate::cache::entries::Entries;
use crate::cache::poller::Poller;
use crate::cache::sync::{Arc, Atomic, Ordering, SemaphorePermit, timeout};
use crate::clock::Moment;
use crate::guarded_call::CallError;
use crate::record::Record;

/// Reads records from the store, for the leaders of flights.
pub(in crate::cache) struct StoreReader {
    bulkhead: Bulkhead,
    breaker: Breaker,
    /// When the last lookup was answered.
    answered: Atomic,
    entries: Arc<Entries>,
    poller: Arc<Poller>,
    context: Arc<Context>,
}

/// The result of a read.
#[allow(clippy::large_enum_variant, reason = "it is destructured at once")]
pub(super) enum Reading {
    Record(Record),
    Absence,
    /// Not read: a change came after the generation was taken.
    Outdated,
    /// Not read: the circuit is open, which was logged.
    CircuitOpen,
    /// Not read: no permit became free in time.
    NoPermit,
}

impl StoreReader {
    pub(super) fn new(context: Arc<Context>, entries: Arc<Entries>, poller: Arc<Poller>) -> Self {
        let Context { backend, limits, metrics, .. } = &*context;
        Self {
            bulkhead: Bulkhead::new(limits.max_concurrent_lookups, backend.max_concurrent_lookups()),
            breaker: Breaker::new(limits.breaker_failures, limits.breaker_pause, metrics.clone()),
            answered: Atomic::new(0),
            entries,
            poller,
            context,
        }
    }

    /// Reads the record of a flight, at most for the call timeout.
    pub(super) fn read(
        &self,
        leader: &Leader,
        lookup_key: &LookupKey,
    ) -> impl Future<Output = Result<Reading, CallError>> {
        self.context.call("key lookup", self.poller.call_timeout(), self.try_read(leader, lookup_key))
    }

    async fn try_read(&self, leader: &Leader, lookup_key: &LookupKey) -> Result<Reading, BackendError> {
        let Some(_permit) = self.permit(leader.warmth()).await else { return Ok(Reading::NoPermit) };
        let Some(mut attempt) = self.breaker.enter(&*self.context.clock) else {
            return Ok(Reading::CircuitOpen);
        };
        if attempt.is_trial() {
            // Boxed, so that other lookups have no room for its polls.
            return Box::pin(self.read_as_trial(attempt, leader, lookup_key)).await;
        }
        let answer = lookup_key.find(&*self.context.backend).await;
        self.note_answer(&answer, &mut attempt);
        reading(answer?, lookup_key)
    }

    /// Reads as the lookup that finds out whether an outage is over.
    async fn read_as_trial(
        &self,
        mut attempt: Attempt<'_>,
        leader: &Leader,
        lookup_key: &LookupKey,
    ) -> Result<Reading, BackendError> {
        if !self.poller.has_lease() {
            // The changes of a poll would make everything inert that was read before it.
            let is_over = self.poller.poll_soon().await;
            if is_over && self.entries.generation(lookup_key.digests()) != leader.generation() {
                attempt.answered();
                return Ok(Reading::Outdated);
            }
        }
        let answer = lookup_key.find(&*self.context.backend).await;
        if self.note_answer(&answer, &mut attempt) {
            // Polls if there is no lease. Without it, each of the other lookups would read for itself. They wait for it.
            self.poller.poll_soon().await;
        }
        reading(answer?, lookup_key)
    }

    /// Records that the store has answered, and returns whether it has.
    fn note_answer<T>(&self, answer: &Result<T, BackendError>, attempt: &mut Attempt<'_>) -> bool {
        let is_answer =
            answer.as_ref().err().is_none_or(|error| error.kind() != BackendErrorKind::Unavailable);
        if is_answer {
            attempt.answered();
            self.answered.store(self.context.clock.monotonic().nanos(), Ordering::Relaxed);
        }
        is_answer
    }

    /// Waits for a permit, for at most half of the call timeout. A lookup that began later could be given up before the store can answer, and
    /// would then count as a failure of a store that answers all the time.
    async fn permit(&self, warmth: Warmth) -> Option<SemaphorePermit<'_>> {
        if let Some(permit) = self.bulkhead.try_acquire(warmth) {
            return Some(permit);
        }
        // Boxed, so that a lookup that does not wait has no room for it.
        let waiting = Box::pin(timeout(self.poller.call_timeout() / 2, self.bulkhead.acquire(warmth)));
        waiting.await.ok()?.ok()
    }

    /// Returns whether lookups are rejected at `now`.
    pub(in crate::cache) fn is_circuit_open(&self, now: Moment) -> bool {
        self.breaker.is_open(now)
    }

    /// Closes the circuit, because a poll was answered.
    pub(in crate::cache) fn close_circuit(&self) {
        self.breaker.answered();
    }

    /// Returns whether a lookup was answered within `period`.
    pub(in crate::cache) fn was_answered_within(&self, period: Duration, now: Moment) -> bool {
        let last = self.answered.load(Ordering::Relaxed);
        last > 0 && now.saturating_since(Moment::from_nanos(last)) < period
    }
}

/// Checks the answer of the store.
fn reading(answer: Option<Record>, lookup_key: &LookupKey) -> Result<Reading, BackendError> {
    match answer {
        // A store that confuses digests would admit one caller as another.
        Some(record) if !lookup_key.digests().contains(&record.digest) => {
            Err(BackendError::corrupt("the record has another digest than the one that was looked up"))
        }
        Some(record) => {
            // Without its limits, the caller would have none.
            if let Some(plan) = record.plan_in_force() {
                plan.known_limits().map_err(BackendError::corrupt)?;
            }
            Ok(Reading::Record(record))
        }
        None => Ok(Reading::Absence),
    }
}
