//! Tests of the cache by exploration: a simulated store, and the cache's own code under a scheduler that chooses the next task at each
//! step. Compiled with `--cfg shuttle` only; the tests may use all of `cache`, and nothing uses them.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test --lib --release model` runs whole requests and changes under [random](chance) schedules, and
//! under every schedule with [few preemptions](preemptions). Smaller parts are run under [all schedules](exhaustive).

// Layer 6 of 10: cache.

mod chance;
mod dirty_list;
mod eviction;
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
use crate::digest::{Digest, Digests, NodeSettings};
use crate::key::KeyId;
use crate::metrics::Metrics;
use crate::owner::Owner;
use crate::record::{Disabling, Record, Revocation};

/// The digests of the key: the one that its record has, or the current one of a key that also has a former one.
const DIGEST: Digest = Digest::from_bytes([7; 32]);
const FORMER: Digest = Digest::from_bytes([8; 32]);
/// Another key, which evicts the first one.
const OTHER: Digest = Digest::from_bytes([9; 32]);
const NOW: Timestamp = Timestamp::from_unix_millis(0);

/// The states of the only key in the store. Each change leads to the next state.
const ABSENT: usize = 0;
const VALID: usize = 1;
const RENAMED: usize = 2;
const DISABLED: usize = 3;
const ENABLED: usize = 4;
const REVOKED: usize = 5;

/// The digests under which the store has the key, beside its state in one word: a transaction changes both at once.
const UNDER_CURRENT: usize = 1 << 8;
const UNDER_FORMER: usize = 1 << 9;

fn state_of(word: usize) -> usize {
    word % UNDER_CURRENT
}

/// Returns the digests under which the store has the key.
fn digests_of(word: usize) -> impl Iterator<Item = Digest> {
    let all = [(UNDER_FORMER, FORMER), (UNDER_CURRENT, DIGEST)];
    all.into_iter().filter(move |(bit, _)| word & bit != 0).map(|(_, digest)| digest)
}

/// The failures of the store.
#[derive(Clone, Copy)]
struct Weather {
    /// It yields to other tasks while it reads.
    slow: bool,
    /// It may fail, hang or panic, and timeouts may pass at any time.
    stormy: bool,
    lag: Lag,
    /// It looks up each digest of a key by itself, not all of them at once.
    one_by_one: bool,
}

/// Whether the store answers from a replica that has not received the changes yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lag {
    Never,
    AtTimes,
    Always,
}

/// Without random choices, so that all schedules can be run.
const STILL: Weather = Weather { slow: false, stormy: false, lag: Lag::Never, one_by_one: false };

/// The same, but the store never answers the first poll, so that a task reads.
const SLOW: Weather = Weather { slow: true, ..STILL };

struct Store {
    word: Arc<AtomicUsize>,
    weather: Weather,
}

impl Backend for Store {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.read(std::slice::from_ref(digest)).await
    }

    async fn find_any(&self, digests: &[Digest]) -> Result<Option<Record>, BackendError> {
        if !self.weather.one_by_one {
            return self.read(digests).await;
        }
        for digest in digests {
            if let Some(record) = self.find(digest).await? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }
}

impl Store {
    /// Reads the record with the first of these digests that has one.
    async fn read(&self, digests: &[Digest]) -> Result<Option<Record>, BackendError> {
        match self.weather.stormy.then(|| thread_rng().gen_range(0..12)) {
            Some(0) => return Err(BackendError::unavailable("simulated failure")),
            Some(1) => panic!("simulated panic"),
            Some(2) => pending().await,
            _ => {}
        }
        self.take_time().await;
        let word = self.word.load(Ordering::SeqCst);
        let mut state = state_of(word);
        if self.lags() {
            state = state.min(VALID);
        }
        self.take_time().await;
        let found = digests.iter().find(|digest| digests_of(word).any(|own| own == **digest));
        Ok(found.and_then(|digest| Some(Record { digest: *digest, ..record(state)? })))
    }

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
    /// The digests by which requests look the key up.
    digests: Digests,
    word: Arc<AtomicUsize>,
    acknowledged: Arc<AtomicUsize>,
}

impl World {
    fn new(state: usize, weather: Weather) -> Self {
        Self::with(state | UNDER_CURRENT, Digests::new(DIGEST, []), weather)
    }

    /// Creates the world of a key with these digests, which requests look up by the current one and the former one.
    fn of_two_digests(word: usize, weather: Weather) -> Self {
        Self::with(word, Digests::new(DIGEST, [FORMER]), weather)
    }

    fn with(word: usize, digests: Digests, weather: Weather) -> Self {
        let stored = Arc::new(AtomicUsize::new(word));
        // A deadline of a day never passes in a model.
        let deadline =
            if weather.stormy { Duration::from_millis(1) } else { Duration::from_secs(24 * 60 * 60) };
        let limits = Limits {
            deadline,
            max_concurrent_lookups: 2,
            breaker_pause: Duration::ZERO,
            // Another key evicts this one.
            positive_capacity: digests.as_slice().len() as u64,
            ..Limits::default()
        };
        let issuer = Issuer::detached(Box::default());
        let backend = Box::new(Store { word: Arc::clone(&stored), weather });
        let cache = Cache::new(
            backend,
            Arc::new(ManualClock::new(NOW)),
            Arc::new(issuer),
            limits,
            NodeSettings::default(),
            Metrics::new("model", &[]),
        );
        Self { cache, digests, word: stored, acknowledged: Arc::new(AtomicUsize::new(state_of(word))) }
    }

    fn state(&self) -> usize {
        state_of(self.word.load(Ordering::SeqCst))
    }

    /// Commits a state of the key, and returns the digests under which the store has it then.
    fn commit(&self, state: usize) -> impl Iterator<Item = Digest> {
        let commit = |word| Some(word - state_of(word) + state);
        // OK because it never returns `None`.
        let word = self.word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, commit).expect("a word");
        digests_of(word)
    }

    /// Changes the key in the order that stores keep: commit, apply, acknowledge.
    fn change(&self, state: usize, change: Invalidation) {
        self.commit(state).for_each(drop);
        self.cache.apply(change);
        self.acknowledged.store(state, Ordering::SeqCst);
    }

    /// Changes the key, and announces it as the stores of this crate do.
    fn change_to(&self, state: usize) {
        self.change(state, Invalidation::of(&record(state).expect("a record")));
    }

    /// Changes the key, and announces it by each digest that it has at the commit.
    fn change_each(&self, state: usize) {
        for digest in self.commit(state) {
            let record = Record { digest, ..record(state).expect("a record") };
            self.cache.apply(Invalidation::of(&record));
        }
        self.acknowledged.store(state, Ordering::SeqCst);
    }

    /// Adds the current digest to the key, if that is active.
    fn add_digest(&self) {
        let is_active = |word| matches!(state_of(word), VALID | RENAMED | ENABLED);
        self.change_digests(|word| is_active(word).then_some(word | UNDER_CURRENT));
    }

    /// Drops the former digest of the key, if that has the current one.
    fn retire_former(&self) {
        self.change_digests(|word| (word & UNDER_CURRENT != 0).then_some(word & !UNDER_FORMER));
    }

    /// Replaces the former digest of the key by the current one in another process, whose changes were not polled since.
    fn replace_digest_elsewhere(&self) {
        let replace = |word| Some(word & !UNDER_FORMER | UNDER_CURRENT);
        self.word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, replace).expect("a word");
    }

    /// Announces the change by each digest that the key had or has.
    fn change_digests(&self, change: impl Fn(usize) -> Option<usize>) {
        if let Ok(before) = self.word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, &change) {
            let both = before | change(before).unwrap_or_default();
            digests_of(both).for_each(|digest| self.cache.apply(Invalidation::Changed(digest)));
        }
    }

    /// Makes a change concurrently with the next steps of the caller.
    fn change_meanwhile(&self, state: usize, change: Invalidation) -> JoinHandle<()> {
        self.meanwhile(move |world| world.change(state, change))
    }

    /// Does something concurrently with the next steps of the caller.
    fn meanwhile(&self, act: impl FnOnce(&Self) + Send + 'static) -> JoinHandle<()> {
        let world = self.clone();
        shuttle::thread::spawn(move || act(&world))
    }

    /// Keeps another key, as a request for it does.
    fn evict(&self) {
        let Cache { entries, context, .. } = &*self.cache;
        let other = Record { digest: OTHER, ..record(VALID).expect("a record") };
        entries.keep(other, &[OTHER], entries.generation(&[OTHER]), context.clock.monotonic());
    }

    /// Makes a request, and checks that the deciding state is no older than that acknowledged at its start, and no newer than that of the
    /// store.
    async fn request(&self) {
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        match self.peek() {
            Some(fact) => self.check(&fact, acknowledged),
            // An error is never wrong.
            None => {
                _ = self.cache.read(&self.digests.into()).await.map(|fact| self.check(&fact, acknowledged))
            }
        }
    }

    /// Looks up the key in the cache only.
    fn glance(&self) {
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        self.peek().inspect(|fact| self.check(fact, acknowledged));
    }

    fn peek(&self) -> Option<Fact> {
        self.cache.get_any(self.digests.as_slice().iter().copied())
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
        let stored = self.state();
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
