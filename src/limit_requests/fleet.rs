//! Counts in a store that a fleet shares: when it is asked, and what decides while it does not answer.

// Layer 8 of 10: decision.

use std::fmt;
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};

use super::bucket::Terms;
use super::buckets::Buckets;
use super::counters::{Count, Counters, CountersError, CountersErrorKind, Left, Taken};
use super::local::LocalCounts;
use super::outage::{Circuit, Outage, Question};
use crate::clock::Clock;
use crate::trace;

/// The counters of a layer, which all its clones share.
pub(super) struct Fleet {
    counters: Box<dyn Counters>,
    pub(super) outage: Outage,
    circuit: Arc<Circuit>,
}

/// The limits of a key, as an entry of the cache keeps them.
pub(super) struct FleetCounts {
    clock: Arc<dyn Clock>,
    all: Box<[Count]>,
    /// The part of this process, from the first time that the store was away. `None` if it is nothing of one of the limits.
    share: OnceLock<Option<LocalCounts>>,
}

impl Fleet {
    pub(super) fn new(counters: impl Counters, outage: Outage) -> Self {
        Self { counters: Box::new(counters), outage, circuit: Arc::default() }
    }

    /// Returns how a request is passed to the counters, if it is.
    pub(super) fn asks(&self, counts: &FleetCounts, cost: u64) -> Option<Question> {
        self.circuit.asks(counts.clock.coarse_monotonic(), || self.counters.holds(&counts.all, cost))
    }

    /// Asks the store. `None` if it does not answer, or with an error, which is logged.
    pub(super) async fn take(&self, question: Question, counts: &FleetCounts, cost: u64) -> Option<Taken> {
        let mut taking = self.counters.take(&counts.all, cost);
        let mut polls = 0_u32;
        let answer = poll_fn(|context| {
            polls = polls.saturating_add(1);
            taking.as_mut().poll(context)
        });
        let answer = answer.await.and_then(|taken| counts.check(taken));
        if let Err(error) = &answer
            && error.kind() == CountersErrorKind::Busy
            && !error.is_answer()
        {
            // The store was perhaps not asked. A trial is dropped without an answer, so that the next request has it.
            drop(question);
            self.log_single(counts, error);
            return None;
        }
        let (asked_in, is_trial) = question.answered();
        // A request that has not waited may have been answered from what is held, which says nothing of the store.
        let has_asked = is_trial || polls > 1;
        let error = match answer {
            Ok(taken) => {
                if has_asked {
                    self.circuit.close();
                }
                return Some(taken);
            }
            Err(error) => error,
        };
        if error.kind() == CountersErrorKind::Unavailable {
            if self.circuit.open(asked_in, counts.clock.monotonic()) {
                trace::counters_failed(&error);
            }
            return None;
        }
        // The store is there, and answers other requests.
        if error.is_answer() && has_asked {
            self.circuit.close();
        }
        self.log_single(counts, &error);
        None
    }

    /// Logs an error that concerns a single request.
    fn log_single(&self, counts: &FleetCounts, error: &CountersError) {
        if self.circuit.logs(counts.clock.monotonic()) {
            trace::count_failed(error);
        }
    }
}

impl FleetCounts {
    pub(super) fn new(all: Box<[Count]>, clock: Arc<dyn Clock>) -> Self {
        Self { clock, all, share: OnceLock::new() }
    }

    /// Returns the name and the terms of each limit, with what is left of it.
    pub(super) fn with<'c>(&'c self, left: &'c [Left]) -> impl Iterator<Item = (&'c str, Terms, Left)> {
        let limits = self.all.iter().map(|count| (count.limit().name(), Terms::of(count.limit())));
        limits.zip(left).map(|((name, terms), left)| (name, terms, *left))
    }

    /// Returns the buckets of the part of this process that a request of this cost fits into, if one does.
    pub(super) fn share(&self, nodes: NonZeroU32, buckets: &Buckets, cost: u64) -> Option<&LocalCounts> {
        let share = self.share.get_or_init(|| {
            let terms = self.all.iter().map(|count| Terms::share(count.limit(), nodes));
            let terms: Vec<Terms> = terms.collect::<Option<_>>()?;
            Some(LocalCounts::find(self.all.iter().zip(terms), buckets, Arc::clone(&self.clock)))
        });
        share.as_ref().filter(|share| share.iter().all(|counter| cost <= counter.terms.requests()))
    }

    /// Checks an answer, which an application's counters may have made.
    fn check(&self, taken: Taken) -> Result<Taken, CountersError> {
        let counts = self.all.len();
        if taken.left().len() != counts || taken.used_up().is_some_and(|used_up| used_up.index >= counts) {
            return Err(CountersError::corrupt("the answer is not about the counts that were asked for"));
        }
        Ok(taken)
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("counters", &self.counters).field("outage", &self.outage).finish()
    }
}
