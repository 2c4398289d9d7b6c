//! Keys of one organization that make changes through delegates and revoke each other, while their scopes are withdrawn and
//! restored.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::{JoinSet, yield_now};
use tower_api_key::backend::{Grace, KeyChange, KeyFilter, KeyStore, KeyUpdate};
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::manage::{KeyManager, NewKey, RotateOptions};
use tower_api_key::owner::Organization;
use tower_api_key::{Authenticator, KeyFormat, Owner};

use crate::interleavings::book::{Deed, Life, Tally, Tick};
use crate::interleavings::cast::{ACME, SCOPES, needs, scopes};
use crate::interleavings::changes::{Outcome, kind_of};
use support::{Key, revocation};

/// The number of keys that act concurrently, and of threads that withdraw authority.
const ACTORS: usize = 6;
const REAPERS: usize = 2;

/// The least number of keys, however slow the machine is.
const LIVES: usize = 24;

/// How often a key that has ended retries.
const INSISTENCE: usize = 4;

pub(crate) struct Crowd<S> {
    /// One for each node.
    stores: Vec<S>,
    authenticator: Authenticator,
    ticks: AtomicU64,
    /// The latest life of each actor.
    present: Mutex<Vec<Option<Arc<Life>>>>,
    lives: Mutex<Vec<Arc<Life>>>,
    deeds: Mutex<Vec<Deed>>,
}

impl<S: KeyStore + Clone> Crowd<S> {
    pub(crate) fn new(stores: Vec<S>) -> Arc<Self> {
        let authenticator = Authenticator::builder(stores[0].clone()).build().unwrap();
        Arc::new(Self {
            stores,
            authenticator,
            ticks: AtomicU64::new(1),
            present: Mutex::new(vec![None; ACTORS]),
            lives: Mutex::default(),
            deeds: Mutex::default(),
        })
    }

    pub(crate) async fn run(self: Arc<Self>, duration: Duration) -> Tally {
        let clock = SystemClock::new();
        let end = clock.monotonic().saturating_add(duration);
        let latest = end.saturating_add(Duration::from_secs(30));
        let mut tasks = JoinSet::new();
        for number in 0..ACTORS + REAPERS {
            let (crowd, clock) = (Arc::clone(&self), clock.clone());
            tasks.spawn(async move {
                let goes_on = || {
                    let now = clock.monotonic();
                    now < end || (crowd.lives.lock().unwrap().len() < LIVES && now < latest)
                };
                while goes_on() {
                    match number.checked_sub(ACTORS) {
                        None => crowd.live(number, goes_on).await,
                        Some(reaper) => crowd.reap(reaper, goes_on).await,
                    }
                }
            });
        }
        tasks.join_all().await;
        let keys = self.stores[0].list(&KeyFilter::all(), None, 1_000_000).await.unwrap();
        Tally::of(&self.lives.lock().unwrap(), &self.deeds.lock().unwrap(), &keys)
    }

    fn tick(&self) -> Tick {
        self.ticks.fetch_add(1, SeqCst)
    }

    fn manager(&self, number: usize) -> KeyManager<S> {
        let store = self.stores[number % self.stores.len()].clone();
        KeyManager::new(store, KeyFormat::new("demo").unwrap())
    }

    /// Has a key act until it has been ended for a while.
    async fn live(&self, number: usize, goes_on: impl Fn() -> bool) {
        let key = Key::mint().scopes(SCOPES).insert_into(&self.stores[0]).await;
        let caller = self.authenticator.authenticate(key.bearer().headers()).await.unwrap();
        let life = Arc::new(Life::new(caller));
        let by = {
            let mut lives = self.lives.lock().unwrap();
            lives.push(Arc::clone(&life));
            lives.len() - 1
        };
        self.present.lock().unwrap()[number] = Some(Arc::clone(&life));
        let mut too_late = 0;
        while too_late < INSISTENCE && goes_on() {
            too_late += usize::from(life.has_ended());
            let began = self.tick();
            let (entries, makes_key, ends, outcome) = self.act(number, &life).await;
            let answered = self.tick();
            if let (Some(victim), Ok(())) = (ends, outcome) {
                victim.end(answered);
            }
            self.deeds.lock().unwrap().push(Deed { by, began, answered, makes_key, entries, outcome });
        }
    }

    /// Makes a random change. Returns the possible numbers of entries in the audit log, whether it makes a key, and which actor
    /// it ends.
    async fn act(&self, number: usize, life: &Arc<Life>) -> (usize, bool, Option<Arc<Life>>, Outcome) {
        let manager = self.manager(number);
        let delegate = manager.on_behalf_of(&life.caller).requiring(needs("keys.write"));
        // Itself, before any other exists.
        let victim = self.any_life().unwrap_or_else(|| Arc::clone(life));
        let (entries, makes_key, ends, done) = match below(24) {
            0 => (1, false, true, delegate.revoke(victim.id(), "lost").await),
            1 => {
                let replacement = RotateOptions::new(Grace::None);
                (2, true, true, delegate.rotate(victim.id(), replacement).await.map(drop))
            }
            2..6 => {
                let mut update = KeyUpdate::default();
                update.labels = Some([("tick".to_owned(), self.tick().to_string())].into());
                (1, false, false, delegate.update(victim.id(), update).await.map(drop))
            }
            6..10 => {
                let project = Owner::project(Organization::new(ACME), number.to_string());
                let for_caller =
                    manager.clone().acting_for(life.caller.actor().requires(needs("keys.write")));
                let filter = KeyFilter::of_owner(&project);
                (2, true, false, for_caller.create_exclusive(&filter, NewKey::new(project)).await.map(drop))
            }
            _ => {
                let new = delegate.new_key().scopes(scopes("notes.read"));
                (1, true, false, delegate.create(new).await.map(drop))
            }
        };
        (entries, makes_key, ends.then_some(victim), done.map_err(|error| kind_of(&error)))
    }

    /// Ends a key, or withdraws its scope for a while.
    async fn reap(&self, number: usize, goes_on: impl Fn() -> bool) {
        self.let_pass(below(12) as usize, &goes_on).await;
        let Some(life) = self.any_life() else { return yield_now().await };
        let store = &self.stores[number % self.stores.len()];
        if below(3) == 0 {
            store.change(KeyChange::revoke(life.id(), revocation())).await.unwrap();
            life.end(self.tick());
        } else if !life.is_in_hand.swap(true, SeqCst) {
            let with = |text: &str| {
                let mut update = KeyUpdate::default();
                update.scopes = Some(scopes(text));
                update
            };
            // A key that has ended has no scopes to withdraw.
            if store.change(KeyChange::update(life.id(), with("notes.read"))).await.is_ok() {
                life.disarm(self.tick());
                self.let_pass(below(12) as usize, &goes_on).await;
                life.arm_again(self.tick());
                let _ = store.change(KeyChange::update(life.id(), with(SCOPES))).await;
            }
            life.is_in_hand.store(false, SeqCst);
        }
    }

    /// Waits until this many more changes were tried.
    async fn let_pass(&self, deeds: usize, goes_on: &impl Fn() -> bool) {
        let awaited = self.deeds.lock().unwrap().len() + deeds;
        while goes_on() && self.deeds.lock().unwrap().len() < awaited {
            yield_now().await;
        }
    }

    /// Returns the latest life of an actor drawn at random, if it has begun.
    fn any_life(&self) -> Option<Arc<Life>> {
        self.present.lock().unwrap()[below(ACTORS as u64) as usize].clone()
    }
}

fn below(limit: u64) -> u64 {
    RandomState::new().build_hasher().finish() % limit
}
