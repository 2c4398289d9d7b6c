//! The decision about a request: finds the buckets of its key, and takes it from all of them or from none.

// Layer 8 of 10: decision.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Request;

use super::bucket::{Bucket, Kind, Now, State, Terms};
use super::buckets::Buckets;
use super::headers::{Allowance, Draft};
use crate::cache::Entry;
use crate::clock::Clock;
use crate::limit::{Limit, Limits};
use crate::principal::{Dependent, Principal, principal};
use crate::reason::Limited;
use crate::reject::{Reason, Rejection, RequestHead};

/// The cost of a request.
type Cost = dyn Fn(RequestHead<'_>) -> u64 + Send + Sync;

/// What the layers share that were cloned from one another, and how one of them counts.
#[derive(Clone)]
pub(super) struct Limiter {
    /// Which buckets an entry of the cache has, if any. Layers with the same id have the same buckets and defaults.
    id: u64,
    buckets: Arc<Buckets>,
    defaults: Limits,
    /// `None`: each costs one.
    cost: Option<Arc<Cost>>,
    headers: Headers,
}

/// The headers of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Headers {
    None,
    XRateLimit,
    /// Those of the draft as well.
    Draft11,
}

/// The limits of a key with their buckets, as an entry of the cache keeps them.
struct Counters {
    /// The limiter that they belong to.
    of: u64,
    clock: Arc<dyn Clock>,
    /// Whether one of them is a quota.
    by_calendar: bool,
    all: Box<[Counter]>,
}

/// A limit and its bucket.
struct Counter {
    name: Arc<str>,
    terms: Terms,
    bucket: Arc<Bucket>,
}

/// Why a request is not admitted, and the headers of its response.
pub(super) struct Refusal {
    pub(super) rejection: Rejection,
    pub(super) allowance: Option<Allowance>,
}

/// A limit and its word after a request was admitted.
struct Left<'c> {
    counter: &'c Counter,
    word: u64,
}

/// A limit that leaves no room for a request.
struct UsedUp<'c> {
    counter: &'c Counter,
    wait: Duration,
}

impl Limiter {
    pub(super) fn new() -> Self {
        Self {
            id: next_id(),
            buckets: Arc::new(Buckets::new()),
            defaults: Limits::default(),
            cost: None,
            headers: Headers::XRateLimit,
        }
    }

    /// Sets the limits of keys that have none of the same name.
    pub(super) fn defaults(self, defaults: Limits) -> Self {
        Self { id: next_id(), buckets: Arc::new(Buckets::new()), defaults, ..self }
    }

    pub(super) fn cost(self, cost: Arc<Cost>) -> Self {
        Self { cost: Some(cost), ..self }
    }

    pub(super) fn headers(self, headers: Headers) -> Self {
        Self { headers, ..self }
    }

    /// Counts a request, and returns the headers of its response.
    pub(super) fn admit<B>(&self, request: &Request<B>) -> Result<Option<Allowance>, Box<Refusal>> {
        static LAYER: Dependent = Dependent::new("`LimitLayer`");
        match principal(request.extensions(), &LAYER) {
            Ok(caller) if caller.entry().flags().is_limited() || !self.defaults.is_empty() => {
                self.admit_limited(caller, request)
            }
            Ok(_) => Ok(None),
            // The layer outside has admitted it without a key: there is nothing to count it to.
            Err(rejection) if *rejection.reason() == Reason::Missing => Ok(None),
            Err(rejection) => Err(Box::new(Refusal { rejection, allowance: None })),
        }
    }

    fn admit_limited<B>(
        &self,
        caller: &Principal,
        request: &Request<B>,
    ) -> Result<Option<Allowance>, Box<Refusal>> {
        let cost = self.cost.as_ref().map_or(1, |cost| cost(request.into()));
        let entry = caller.entry();
        match entry.attached(|| Box::new(self.find(entry))).downcast_ref::<Counters>() {
            Some(found) if found.of == self.id => self.count(caller, found, cost),
            // Another limiter was first to see this entry.
            _ => self.count(caller, &self.find(entry), cost),
        }
    }

    fn count(
        &self,
        caller: &Principal,
        counters: &Counters,
        cost: u64,
    ) -> Result<Option<Allowance>, Box<Refusal>> {
        let clock = &*counters.clock;
        // A rate alone needs no calendar.
        let needs_wall = counters.by_calendar || self.headers != Headers::None;
        let mut now = if needs_wall { Now::coarse(clock) } else { Now::coarse_moment(clock) };
        let mut outcome = take(&counters.all, cost, now, clock);
        // The coarse clocks may be late by a tick. A client that has waited as told is not refused for that.
        if outcome.as_ref().is_err_and(|used_up| used_up.wait <= clock.tick()) {
            now = Now::exact(clock);
            outcome = take(&counters.all, cost, now, clock);
        }
        match outcome {
            Ok(_) if self.headers == Headers::None => Ok(None),
            Ok(tightest) => {
                Ok(tightest.map(|left| self.allowance(left.counter, &left.state(now), counters, now)))
            }
            Err(UsedUp { counter, wait }) => {
                let rejection = caller.reject(Limited::new(Arc::clone(&counter.name), wait));
                let allowance = (self.headers != Headers::None)
                    .then(|| self.allowance(counter, &counter.state(now), counters, now));
                Err(Box::new(Refusal { rejection, allowance }))
            }
        }
    }

    fn allowance(&self, counter: &Counter, state: &State, counters: &Counters, now: Now) -> Allowance {
        let allowance = Allowance::new(&counter.terms, state, now);
        if self.headers != Headers::Draft11 {
            return allowance;
        }
        let mut draft = Draft::default();
        for counter in &counters.all {
            draft.add(&counter.name, &counter.terms, &counter.state(now));
        }
        allowance.with_draft(draft)
    }

    /// Finds the buckets of a key.
    fn find(&self, entry: &Entry) -> Counters {
        let record = entry.record();
        let clock = self.buckets.clock(&entry.issuer().clock);
        let has_own = |limit: &Limit| record.all_limits().any(|own| own.name() == limit.name());
        let defaults = self.defaults.iter().filter(|limit| !has_own(limit));
        let counter = |limit: &Limit| {
            let terms = Terms::of(limit);
            let bucket = self.buckets.get(record, limit, terms.kind(), &*clock);
            Counter { name: limit.name().into(), terms, bucket }
        };
        let all: Box<[Counter]> = record.all_limits().chain(defaults).map(counter).collect();
        let by_calendar = all.iter().any(|counter| !matches!(counter.terms.kind(), Kind::Rate(_)));
        Counters { of: self.id, clock, by_calendar, all }
    }
}

impl Counter {
    fn state(&self, now: Now) -> State {
        self.terms.state(self.bucket.word(), now)
    }

    fn left(&self, word: u64) -> Left<'_> {
        Left { counter: self, word }
    }
}

/// Takes a request of this cost from all limits or from none, and returns what is left of the tightest. A free request is not counted.
#[inline]
fn take<'c>(
    counters: &'c [Counter],
    cost: u64,
    now: Now,
    clock: &dyn Clock,
) -> Result<Option<Left<'c>>, UsedUp<'c>> {
    match counters {
        _ if cost == 0 => Ok(counters
            .iter()
            .map(|counter| counter.left(counter.bucket.word()))
            .reduce(|left, other| left.tighter(other, now))),
        [counter] => {
            let taken = counter.bucket.spend(&counter.terms, cost, now);
            taken.map(|word| Some(counter.left(word))).map_err(|wait| UsedUp { counter, wait })
        }
        _ => {
            look(counters, cost, now)?;
            take_each(counters, cost, now, clock)
        }
    }
}

/// Looks at all limits, and returns the one for which a client would have to wait longest.
fn look(counters: &[Counter], cost: u64, now: Now) -> Result<(), UsedUp<'_>> {
    let used_up = counters.iter().filter_map(|counter| {
        let wait = counter.terms.take(counter.bucket.word(), cost, now).err()?;
        Some(UsedUp { counter, wait })
    });
    used_up.max_by_key(|used_up| used_up.wait).map_or(Ok(()), Err)
}

/// Takes a request from each limit. If another thread has used one up since all were looked at, those before it get their request back:
/// until then, a third thread may find them used up that are not, but never room that is not there.
fn take_each<'c>(
    counters: &'c [Counter],
    cost: u64,
    now: Now,
    clock: &dyn Clock,
) -> Result<Option<Left<'c>>, UsedUp<'c>> {
    let Some((counter, rest)) = counters.split_first() else { return Ok(None) };
    let word = counter.bucket.spend(&counter.terms, cost, now).map_err(|wait| UsedUp { counter, wait })?;
    match take_each(rest, cost, now, clock) {
        Ok(left) => {
            Ok(Some(left.into_iter().fold(counter.left(word), |left, other| left.tighter(other, now))))
        }
        Err(used_up) => {
            counter.bucket.give_back(&counter.terms, word, cost, clock);
            Err(used_up)
        }
    }
}

impl Left<'_> {
    fn state(&self, now: Now) -> State {
        self.counter.terms.state(self.word, now)
    }

    /// Returns that of which fewer requests are left; of two with as many, that which is whole later.
    fn tighter(self, other: Self, now: Now) -> Self {
        let order = |left: &Self| {
            let state = left.state(now);
            (state.remaining, Reverse(state.whole_in))
        };
        if order(&other) < order(&self) { other } else { self }
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("defaults", &self.defaults)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
