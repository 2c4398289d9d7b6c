//! The decision about a request: finds the counts of its key, and what a response says of them.

// Layer 8 of 10: decision.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{Request, Response};

use super::bucket::{Now, Terms};
use super::buckets::Buckets;
use super::counters::{Count, Counters, Left, Taken};
use super::fleet::{Fleet, FleetCounts};
use super::headers::{Allowance, Headers};
use super::local::{LocalCounts, NoRoom, tightness};
use super::outage::Outage;
use crate::cache::Entry;
use crate::limit::{Limit, Limits};
use crate::principal::{Dependent, Principal, principal};
use crate::reason::Limited;
use crate::reject::{Reason, Rejection, RejectionBody, RequestHead};

/// The cost of a request.
type Cost = dyn Fn(RequestHead<'_>) -> u64 + Send + Sync;

/// What the layers share that were cloned from one another, and how one of them counts.
#[derive(Clone)]
pub(super) struct Limiter {
    /// Which counts an entry of the cache has, if any. Layers with the same id have the same counts.
    id: u64,
    /// The counts of this process: all, or those of its part while the store of the fleet is away.
    buckets: Arc<Buckets>,
    fleet: Option<Arc<Fleet>>,
    defaults: Limits,
    /// `None`: each costs one.
    cost: Option<Arc<Cost>>,
    headers: Headers,
}

/// The counts of a key, as an entry of the cache keeps them.
enum Counts {
    Local(LocalCounts),
    Fleet(Arc<FleetCounts>),
}

/// The counts of a key for one limiter, and behind them those for the next one.
struct Attachment {
    of: u64,
    counts: Counts,
    next: OnceLock<Box<Attachment>>,
}

/// The most limiters whose counts an entry keeps. More find theirs anew for each request.
const MOST_ATTACHED: usize = 8;

/// What is decided about a request: it is forwarded, and its response gets these headers, or it is refused.
pub(super) type Decision = Result<Option<Allowance>, Box<Refusal>>;

/// A decision, or the answer of the counter store that it depends on.
pub(super) enum Admission {
    Decided(Decision),
    Asking(Asking),
}

pub(super) type Asking = Pin<Box<dyn Future<Output = Decision> + Send>>;

/// Why a request is not admitted, and the headers of its response.
pub(super) struct Refusal {
    rejection: Rejection,
    allowance: Option<Allowance>,
}

impl Limiter {
    pub(super) fn new() -> Self {
        Self {
            id: next_id(),
            buckets: Arc::new(Buckets::new()),
            fleet: None,
            defaults: Limits::default(),
            cost: None,
            headers: Headers::XRateLimit,
        }
    }

    /// Sets the limits of keys that have none of the same name.
    pub(super) fn defaults(self, defaults: Limits) -> Self {
        Self { defaults, ..self }.apart()
    }

    pub(super) fn counters(self, counters: impl Counters, outage: Outage) -> Self {
        Self { fleet: Some(Arc::new(Fleet::new(counters, outage))), ..self }.apart()
    }

    pub(super) fn cost(self, cost: Arc<Cost>) -> Self {
        Self { cost: Some(cost), ..self }
    }

    pub(super) fn headers(self, headers: Headers) -> Self {
        Self { headers, ..self }
    }

    fn apart(self) -> Self {
        Self { id: next_id(), buckets: Arc::new(Buckets::new()), ..self }
    }

    /// Counts a request.
    #[inline]
    pub(super) fn admit<B>(self: &Arc<Self>, request: &Request<B>) -> Admission {
        static LAYER: Dependent = Dependent::new("`LimitLayer`");
        match principal(request.extensions(), &LAYER) {
            Ok(caller) if caller.entry().flags().is_limited() || !self.defaults.is_empty() => {
                let cost = self.cost.as_ref().map_or(1, |cost| cost(request.into()));
                self.admit_limited(caller, cost)
            }
            Ok(_) => Admission::Decided(Ok(None)),
            Err(rejection) => Admission::Decided(without_key(rejection)),
        }
    }

    /// Counts a request to a key with limits. What a sole limit needs is inlined, as calls would cost more than the work.
    fn admit_limited(self: &Arc<Self>, caller: &Principal, cost: u64) -> Admission {
        match self.attached(caller.entry()) {
            Some(Counts::Local(counts)) => Admission::Decided(self.count(caller, counts, cost)),
            Some(Counts::Fleet(counts)) => self.ask(caller, counts, cost),
            None => self.admit_unattached(caller, cost),
        }
    }

    #[cold]
    fn admit_unattached(self: &Arc<Self>, caller: &Principal, cost: u64) -> Admission {
        match self.find(caller.entry()) {
            Counts::Local(counts) => Admission::Decided(self.count(caller, &counts, cost)),
            Counts::Fleet(counts) => self.ask(caller, &counts, cost),
        }
    }

    /// Returns the counts that the entry keeps for this limiter.
    #[inline]
    fn attached<'e>(&self, entry: &'e Entry) -> Option<&'e Counts> {
        let first = entry.attached(|| Box::new(self.attachment(entry))).downcast_ref::<Attachment>()?;
        if first.of == self.id { Some(&first.counts) } else { self.attached_behind(first, entry) }
    }

    /// Returns the counts that the entry keeps for this limiter behind those of another one.
    #[inline(never)]
    fn attached_behind<'e>(&self, first: &'e Attachment, entry: &Entry) -> Option<&'e Counts> {
        let mut last = first;
        for _ in 1..MOST_ATTACHED {
            last = last.next.get_or_init(|| Box::new(self.attachment(entry)));
            if last.of == self.id {
                return Some(&last.counts);
            }
        }
        None
    }

    #[cold]
    fn attachment(&self, entry: &Entry) -> Attachment {
        Attachment { of: self.id, counts: self.find(entry), next: OnceLock::new() }
    }

    /// Finds the counts of a key.
    fn find(&self, entry: &Entry) -> Counts {
        let record = entry.record();
        let clock = self.buckets.clock(&entry.issuer().clock);
        let has_own = |limit: &Limit| record.all_limits().any(|own| own.name() == limit.name());
        let defaults = self.defaults.iter().filter(|limit| !has_own(limit));
        let counts = record.all_limits().chain(defaults).map(|limit| Count::new(record, limit.clone()));
        match &self.fleet {
            Some(_) => Counts::Fleet(Arc::new(FleetCounts::new(counts.collect(), clock))),
            None => {
                let counts = counts.map(|count| {
                    let terms = Terms::of(count.limit());
                    (count, terms)
                });
                Counts::Local(LocalCounts::find(counts, &self.buckets, clock))
            }
        }
    }

    /// Counts a request in this process.
    // Part of each decision, as `admit_limited` says.
    #[inline(always)]
    fn count(&self, caller: &Principal, counts: &LocalCounts, cost: u64) -> Decision {
        let (now, outcome) = counts.take(cost, self.headers != Headers::None);
        match outcome {
            Ok(Some(spent)) if self.headers != Headers::None => {
                Ok(self.allowance(counts, (&spent.counter.terms, &spent.left(now)), now))
            }
            Ok(_) => Ok(None),
            Err(no_room) => Err(self.refuse(caller, counts, no_room, now)),
        }
    }

    #[cold]
    fn refuse(
        &self,
        caller: &Principal,
        counts: &LocalCounts,
        NoRoom { counter, wait }: NoRoom<'_>,
        now: Now,
    ) -> Box<Refusal> {
        let allowance = self.allowance(counts, (&counter.terms, &counter.left(now)), now);
        Refusal::limited(caller, Arc::clone(&counter.name), wait, allowance)
    }

    /// Returns what the response says of this one of the counts in this process.
    #[inline(never)]
    fn allowance(&self, counts: &LocalCounts, limit: (&Terms, &Left), now: Now) -> Option<Allowance> {
        let all = counts.iter().map(|counter| (&*counter.name, counter.terms, counter.left(now)));
        self.headers.allowance(limit, now.wall, all)
    }

    /// Counts a request in the store of the fleet, unless that is known to be away.
    fn ask(self: &Arc<Self>, caller: &Principal, counts: &Arc<FleetCounts>, cost: u64) -> Admission {
        // OK because only a limiter with a fleet has found such counts.
        let Some(fleet) = &self.fleet else { return Admission::Decided(Ok(None)) };
        let Some(question) = fleet.asks(counts, cost) else {
            return Admission::Decided(self.decide_without(fleet, caller, counts, cost));
        };
        let (limiter, fleet) = (Arc::clone(self), Arc::clone(fleet));
        let (caller, counts) = (caller.clone(), Arc::clone(counts));
        Admission::Asking(Box::pin(async move {
            match fleet.take(question, &counts, cost).await {
                Some(taken) => limiter.decide(&caller, &counts, &taken),
                None => limiter.decide_without(&fleet, &caller, &counts, cost),
            }
        }))
    }

    /// Decides by the answer of the store.
    fn decide(&self, caller: &Principal, counts: &FleetCounts, taken: &Taken) -> Decision {
        let all = || counts.with(taken.left());
        match taken.used_up() {
            None => {
                let tightest = all().min_by_key(|(_, _, left)| tightness(left));
                Ok(tightest
                    .and_then(|(_, terms, left)| self.headers.allowance((&terms, &left), taken.at(), all())))
            }
            Some(used_up) => {
                // OK because answers are checked.
                let Some((name, terms, left)) = all().nth(used_up.index) else { return Ok(None) };
                let allowance = self.headers.allowance((&terms, &left), taken.at(), all());
                Err(Refusal::limited(caller, name, used_up.wait, allowance))
            }
        }
    }

    /// Decides while the store is away.
    fn decide_without(&self, fleet: &Fleet, caller: &Principal, counts: &FleetCounts, cost: u64) -> Decision {
        caller.entry().issuer().responses.counters_away();
        let share = match fleet.outage {
            Outage::LocalShare(nodes) => counts.share(nodes, &self.buckets, cost),
            Outage::Refuse => None,
        };
        match share {
            Some(share) => self.count(caller, share, cost),
            // A free request passes in any case.
            None if cost == 0 => Ok(None),
            None => Err(Refusal::new(caller.reject(Reason::Unavailable), None)),
        }
    }
}

/// Decides about a request without a principal.
#[cold]
fn without_key(rejection: Rejection) -> Decision {
    match rejection.reason() {
        // The layer outside has admitted it without a key: there is nothing to count it to.
        Reason::Missing => Ok(None),
        _ => Err(Refusal::new(rejection, None)),
    }
}

impl Refusal {
    fn new(rejection: Rejection, allowance: Option<Allowance>) -> Box<Self> {
        Box::new(Self { rejection, allowance })
    }

    fn limited(
        caller: &Principal,
        limit: impl Into<Arc<str>>,
        wait: Duration,
        allowance: Option<Allowance>,
    ) -> Box<Self> {
        Self::new(caller.reject(Limited::new(limit, wait)), allowance)
    }

    /// Returns the response to `request`.
    pub(super) fn into_response_to<B, R: RejectionBody>(self, request: &Request<B>) -> Response<R> {
        let Self { rejection, allowance } = self;
        let mut response = rejection.into_response_to(request);
        if let Some(allowance) = allowance {
            allowance.set(response.headers_mut());
        }
        response
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("defaults", &self.defaults)
            .field("headers", &self.headers)
            .field("fleet", &self.fleet)
            .finish_non_exhaustive()
    }
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
