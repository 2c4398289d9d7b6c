//! A model of the cache: its own code, run under a scheduler that chooses who goes on at each step.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test --lib --release model` explores random schedules and schedules with few
//! preemptions (PCT). `MODEL_SCHEDULES` sets how many of each.

use std::env;
use std::future::{Future, pending, poll_fn};
use std::io::{self, Write};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use shuttle::future::{block_on, spawn, yield_now};
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::{Config, Runner};

use super::sync::Arc;
use super::{Cache, Fact, Limits};
use crate::backend::{Apply, Backend, BackendError, Change};
use crate::clock::{ManualClock, Timestamp};
use crate::digest::Digest;
use crate::key::KeyId;
use crate::owner::Owner;
use crate::principal::Issuer;
use crate::record::{Record, Revocation};

const DIGEST: Digest = Digest::from_bytes([7; 32]);
const NOW: Timestamp = Timestamp::from_unix_millis(0);

/// What the store says of the one key. Each change leads to the next state.
const ABSENT: usize = 0;
const VALID: usize = 1;
const RENAMED: usize = 2;
const REVOKED: usize = 3;

/// A store, and what can go wrong with it.
#[derive(Clone, Copy)]
struct Weather {
    /// It may fail, hang or panic, and those who wait may give up at any time.
    stormy: bool,
    /// It may answer from a replica that has not heard of the last change yet.
    lags: bool,
}

const CALM: Weather = Weather { stormy: false, lags: false };
const STORMY: Weather = Weather { stormy: true, lags: false };
const LAGGING: Weather = Weather { stormy: true, lags: true };

struct Store {
    state: Arc<AtomicUsize>,
    weather: Weather,
}

impl Backend for Store {
    async fn find(&self, _: &Digest) -> Result<Option<Record>, BackendError> {
        match self.weather.stormy.then(|| thread_rng().gen_range(0..12)) {
            Some(0) => return Err(BackendError::unavailable("told to fail")),
            Some(1) => panic!("told to panic"),
            Some(2) => pending().await,
            _ => {}
        }
        yield_now().await;
        let mut state = self.state.load(Ordering::SeqCst);
        if self.weather.lags && thread_rng().gen_bool(0.5) {
            state = state.min(VALID);
        }
        yield_now().await;
        Ok(record(state))
    }
}

fn record(state: usize) -> Option<Record> {
    let id = KeyId::new("key").expect("a valid id");
    let mut record = Record::imported(id, DIGEST, Owner::organization("acme"));
    record.name = state.to_string().into();
    record.revoked = (state == REVOKED).then(|| Revocation::new(NOW, "model"));
    (state != ABSENT).then_some(record)
}

/// The cache, its store, and what has been acknowledged to whoever changed the key.
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
        let limits = Limits { deadline, concurrent_fills: 2, ..Limits::default() };
        let issuer = Issuer { schemes: Box::default(), admin: None, answers: Arc::new(()) };
        let backend = Box::new(Store { state: Arc::clone(&stored), weather });
        let cache = Cache::new(backend, Arc::new(ManualClock::new(NOW)), Arc::new(issuer), limits);
        Self { cache, state: stored, acknowledged: Arc::new(AtomicUsize::new(state)) }
    }

    /// Changes the key in the order that the change feed keeps: commit, apply, acknowledge.
    fn change(&self, state: usize, change: Change) {
        self.state.store(state, Ordering::SeqCst);
        self.cache.apply(change);
        self.acknowledged.store(state, Ordering::SeqCst);
    }

    /// Makes a request, and checks that it is decided by nothing older than what was acknowledged when it began.
    async fn request(&self) {
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        let fact = match self.cache.peek(&DIGEST) {
            Some(fact) => Ok(fact),
            None => self.cache.read(DIGEST).await,
        };
        let seen = match fact {
            Ok(Fact::Known(entry)) => entry.record().name.parse().expect("the name of a state"),
            Ok(Fact::Absent) => ABSENT,
            Ok(Fact::Dead) => REVOKED,
            // To say that nobody knows is never wrong.
            Err(_) => return,
        };
        assert!(
            seen >= acknowledged,
            "state {seen} decided a request after state {acknowledged} was acknowledged"
        );
    }

    /// Makes a request and leaves it, as a client does that hangs up.
    async fn request_and_leave(&self) {
        let mut reading = pin!(self.cache.read(DIGEST));
        poll_fn(|context| {
            let _ = reading.as_mut().poll(context);
            Poll::Ready(())
        })
        .await;
    }
}

/// Several requests at once, one after another in each task, while someone changes the key.
fn requests_during(world: &World, requesters: usize, changes: impl FnOnce(&World) + Send + 'static) {
    let changer = shuttle::thread::spawn({
        let world = world.clone();
        move || changes(&world)
    });
    let leaver = spawn({
        let world = world.clone();
        async move { world.request_and_leave().await }
    });
    let tasks: Vec<_> = (0..requesters)
        .map(|_| {
            let world = world.clone();
            spawn(async move {
                world.request().await;
                world.request().await;
            })
        })
        .collect();
    block_on(async {
        for task in tasks {
            task.await.expect("a request");
        }
        leaver.await.expect("a request");
    });
    changer.join().expect("a change");
}

fn schedules() -> usize {
    let wanted = env::var("MODEL_SCHEDULES").ok().and_then(|number| number.parse().ok());
    wanted.unwrap_or(2_000)
}

/// Explores a scenario by chance, and by few preemptions at chosen places.
fn explore(scenario: impl Fn() + Clone + Send + Sync + 'static) {
    run(RandomScheduler::new(schedules()), scenario.clone());
    run(PctScheduler::new(4, schedules()), scenario);
}

/// Runs a scenario under a scheduler, and prints how many schedules there were, past the capture of the test harness.
fn run<S: Scheduler + 'static>(scheduler: S, scenario: impl Fn() + Send + Sync + 'static) {
    let explored = Runner::new(scheduler, Config::default()).run(scenario);
    let name = std::any::type_name::<S>().rsplit("::").next().unwrap_or_default();
    writeln!(io::stdout(), "{explored} schedules, {name}: no violation").expect("a place to print to");
}

fn rename_and_revoke(world: &World) {
    world.change(RENAMED, Change::Changed(DIGEST));
    world.change(REVOKED, Change::Revoked(DIGEST));
}

#[test]
fn no_request_is_decided_by_what_was_changed_before_it_began() {
    for weather in [CALM, STORMY] {
        explore(move || requests_during(&World::new(VALID, weather), 3, rename_and_revoke));
    }
}

#[test]
fn a_key_that_was_created_is_known_to_every_later_request() {
    for weather in [CALM, STORMY] {
        explore(move || {
            requests_during(&World::new(ABSENT, weather), 3, |world| {
                world.change(VALID, Change::Changed(DIGEST))
            });
        });
    }
}

#[test]
fn a_change_of_everything_reaches_every_later_request() {
    for weather in [CALM, STORMY] {
        explore(move || {
            requests_during(&World::new(VALID, weather), 3, |world| {
                world.change(RENAMED, Change::Everything)
            });
        });
    }
}

#[test]
fn a_replica_that_lags_behind_a_revocation_admits_nobody() {
    explore(|| {
        requests_during(&World::new(VALID, LAGGING), 3, |world| {
            world.change(REVOKED, Change::Revoked(DIGEST))
        });
    });
}

#[test]
#[should_panic(expected = "was acknowledged")]
fn the_model_notices_a_change_that_is_applied_before_it_is_committed() {
    explore(|| {
        requests_during(&World::new(VALID, CALM), 3, |world| {
            world.cache.apply(Change::Changed(DIGEST));
            world.state.store(RENAMED, Ordering::SeqCst);
            world.acknowledged.store(RENAMED, Ordering::SeqCst);
        });
    });
}
