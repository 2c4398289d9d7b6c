//! Tests of the cache by exploration: a simulated store, and the cache's own code under a scheduler that chooses the next task at each
//! step. Compiled with `--cfg shuttle` only; the tests may use all of `cache`, and nothing uses them.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test --lib --release model` runs whole requests and changes under [random](chance) schedules, and
//! under every schedule with [few preemptions](preemptions). Smaller parts are run under [all schedules](exhaustive).

mod chance;
mod dirty_list;
mod exhaustive;
mod preemptions;

use std::future::pending;
use std::io::{self, Write};
use std::time::Duration;

use shuttle::future::yield_now;
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::Scheduler;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread::JoinHandle;
use shuttle::{Config, Runner};

use super::sync::Arc;
use super::{Cache, Fact, Issuer, Limits};
use crate::backend::{Apply, Backend, BackendError, Invalidation};
use crate::clock::{ManualClock, Timestamp};
use crate::digest::Digest;
use crate::key::KeyId;
use crate::metrics::Metrics;
use crate::owner::Owner;
use crate::record::{Disabling, Record, Revocation};

const DIGEST: Digest = Digest::from_bytes([7; 32]);
const NOW: Timestamp = Timestamp::from_unix_millis(0);

/// The states of the only key in the store. Each change leads to the next state.
const ABSENT: usize = 0;
const VALID: usize = 1;
const RENAMED: usize = 2;
const DISABLED: usize = 3;
const ENABLED: usize = 4;
const REVOKED: usize = 5;

/// The failures of the store.
#[derive(Clone, Copy)]
struct Weather {
    /// It yields to other tasks while it reads.
    slow: bool,
    /// It may fail, hang or panic, and timeouts may pass at any time.
    stormy: bool,
    lag: Lag,
}

/// Whether the store answers from a replica that has not received the changes yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lag {
    Never,
    AtTimes,
    Always,
}

/// Without random choices, so that all schedules can be run.
const STILL: Weather = Weather { slow: false, stormy: false, lag: Lag::Never };

struct Store {
    state: Arc<AtomicUsize>,
    weather: Weather,
}

impl Backend for Store {
    async fn find(&self, _: &Digest) -> Result<Option<Record>, BackendError> {
        match self.weather.stormy.then(|| thread_rng().gen_range(0..12)) {
            Some(0) => return Err(BackendError::unavailable("simulated failure")),
            Some(1) => panic!("simulated panic"),
            Some(2) => pending().await,
            _ => {}
        }
        self.take_time().await;
        let mut state = self.state.load(Ordering::SeqCst);
        if self.lags() {
            state = state.min(VALID);
        }
        self.take_time().await;
        Ok(record(state))
    }
}

impl Store {
    async fn take_time(&self) {
        if self.weather.slow {
            yield_now().await;
        }
    }

    fn lags(&self) -> bool {
        match self.weather.lag {
            Lag::Never => false,
            Lag::AtTimes => thread_rng().gen_bool(0.5),
            Lag::Always => true,
        }
    }
}

fn record(state: usize) -> Option<Record> {
    let id = KeyId::new("key").expect("a valid id");
    let mut record = Record::imported(id, DIGEST, Owner::organization("acme"));
    record.name = state.to_string().into();
    record.disabled = (state == DISABLED).then(|| Disabling::new(NOW, "model"));
    record.revoked = (state == REVOKED).then(|| Revocation::new(NOW, "model"));
    (state != ABSENT).then_some(record)
}

/// The cache, its store, and the last state that was acknowledged to the client that changed the key.
#[derive(Clone)]
struct World {
    cache: Arc<Cache>,
    state: Arc<AtomicUsize>,
    acknowledged: Arc<AtomicUsize>,
}

impl World {
    fn new(state: usize, weather: Weather) -> Self {
        let stored = Arc::new(AtomicUsize::new(state));
        // A deadline of a day never passes in a model.
        let deadline =
            if weather.stormy { Duration::from_millis(1) } else { Duration::from_secs(24 * 60 * 60) };
        let limits = Limits {
            deadline,
            max_concurrent_lookups: 2,
            breaker_pause: Duration::ZERO,
            ..Limits::default()
        };
        let issuer = Issuer::detached(Box::default());
        let backend = Box::new(Store { state: Arc::clone(&stored), weather });
        let cache = Cache::new(
            backend,
            Arc::new(ManualClock::new(NOW)),
            Arc::new(issuer),
            limits,
            Metrics::new("model", &[]),
        );
        Self { cache, state: stored, acknowledged: Arc::new(AtomicUsize::new(state)) }
    }

    /// Changes the key in the order that stores keep: commit, apply, acknowledge.
    fn change(&self, state: usize, change: Invalidation) {
        self.state.store(state, Ordering::SeqCst);
        self.cache.apply(change);
        self.acknowledged.store(state, Ordering::SeqCst);
    }

    /// Changes the key, and announces it as the stores of this crate do.
    fn change_to(&self, state: usize) {
        self.change(state, Invalidation::of(&record(state).expect("a record")));
    }

    /// Makes a change concurrently with the next steps of the caller.
    fn change_meanwhile(&self, state: usize, change: Invalidation) -> JoinHandle<()> {
        let world = self.clone();
        shuttle::thread::spawn(move || world.change(state, change))
    }

    /// Makes a request, and checks that the deciding state is no older than that acknowledged at its start, and no newer than that of the
    /// store.
    async fn request(&self) {
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        match self.cache.peek(&DIGEST) {
            Some(fact) => self.check(&fact, acknowledged),
            // An error is never wrong.
            None => _ = self.cache.read(DIGEST).await.map(|fact| self.check(&fact, acknowledged)),
        }
    }

    /// Looks up the key in the cache only.
    fn glance(&self) {
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        self.cache.peek(&DIGEST).inspect(|fact| self.check(fact, acknowledged));
    }

    fn check(&self, fact: &Fact, acknowledged: usize) {
        let seen = match fact {
            Fact::Known(entry) | Fact::Stale(entry) => {
                entry.record().name.parse().expect("the name of a state")
            }
            Fact::Absent => ABSENT,
            Fact::Revoked => REVOKED,
        };
        assert!(
            seen >= acknowledged,
            "state {seen} decided a request after state {acknowledged} was acknowledged"
        );
        let stored = self.state.load(Ordering::SeqCst);
        assert!(seen <= stored, "state {seen} decided a request, but the store is in state {stored}");
    }
}

/// Runs a scenario under the schedules of a scheduler, and returns their number.
fn run(scheduler: impl Scheduler + 'static, scenario: impl Fn() + Send + Sync + 'static) -> usize {
    Runner::new(scheduler, Config::default()).run(scenario)
}

/// Prints past the capture of the test harness.
fn report(schedules: usize, which: &str) {
    writeln!(io::stdout(), "{schedules} schedules, {which}: no violation").expect("stdout is writable");
}
