//! Keys that are created and revoked, and clients that use them meanwhile.

use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::{JoinSet, yield_now};
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::clock::{Clock, Moment, SystemClock};
use tower_api_key::record::Disabling;
use tower_api_key::{Authenticator, SqliteStore};

use crate::history::life::{Life, Position, Tally};
use support::revocation;

/// Keys that live at a time, and clients of each of them.
const LIVES: usize = 8;
const CROWD: usize = 3;

/// Revoked keys that clients keep using.
const REMEMBERED: usize = 4096;

pub(crate) struct World {
    authenticator: Authenticator,
    store: SqliteStore,
    crowd: Handle,
    positions: AtomicU64,
    past: Mutex<Vec<Arc<Life>>>,
    tally: Arc<Tally>,
}

impl World {
    pub(crate) fn new(authenticator: Authenticator, store: SqliteStore, crowd: Handle) -> Arc<Self> {
        Arc::new(Self {
            authenticator,
            store,
            crowd,
            positions: AtomicU64::new(1),
            past: Mutex::default(),
            tally: Arc::default(),
        })
    }

    pub(crate) async fn run(self: Arc<Self>, duration: Duration) -> Arc<Tally> {
        let clock = SystemClock::new();
        let end = clock.monotonic().saturating_add(duration);
        let lives: JoinSet<()> =
            (0..LIVES).map(|_| Arc::clone(&self).live_until(clock.clone(), end)).collect();
        lives.join_all().await;
        self.past.lock().unwrap().clear();
        Arc::clone(&self.tally)
    }

    async fn live_until(self: Arc<Self>, clock: SystemClock, end: Moment) {
        while clock.monotonic() < end {
            let life = Arc::new(Life::new(Arc::clone(&self.tally)));
            let mut crowd = JoinSet::new();
            for _ in 0..CROWD {
                crowd.spawn_on(Arc::clone(&self).ask_until_over(Arc::clone(&life)), &self.crowd);
            }
            self.live(&life).await;
            life.is_over.store(true, SeqCst);
            crowd.join_all().await;
            self.remember(life);
        }
    }

    async fn live(&self, life: &Life) {
        life.wait_for_requests(few_or_many()).await;
        self.store.change(KeyChange::insert(life.record.clone())).await.unwrap();
        life.acknowledge_insertion(self.next_position());
        life.wait_for_requests(few_or_many()).await;
        if one_in(2) {
            let now = SystemClock::new().wall();
            let disabling = Disabling::new(now, "history");
            self.store.change(KeyChange::disable(&life.record.id, disabling)).await.unwrap();
            life.acknowledge_disabling(self.next_position());
            life.wait_for_requests(few_or_many()).await;
            life.begin_enabling();
            self.store.change(KeyChange::enable(&life.record.id, now)).await.unwrap();
            life.acknowledge_enabling(self.next_position());
            life.wait_for_requests(few_or_many()).await;
        }
        while one_in(3) {
            // An abandoned revocation may or may not have happened.
            abandon_after(below(8), self.store.change(KeyChange::revoke(&life.record.id, revocation())))
                .await;
            life.wait_for_requests(few_or_many()).await;
        }
        self.store.change(KeyChange::revoke(&life.record.id, revocation())).await.unwrap();
        life.acknowledge_revocation(self.next_position());
        life.wait_for_requests(few_or_many()).await;
    }

    async fn ask_until_over(self: Arc<Self>, life: Arc<Life>) {
        while !life.is_over.load(SeqCst) {
            self.ask(&life).await;
            if one_in(16)
                && let Some(past) = self.past_life()
            {
                self.ask(&past).await;
            }
            yield_now().await;
        }
    }

    async fn ask(&self, life: &Life) {
        life.count_request();
        let began = self.next_position();
        let answer = self.authenticator.authenticate(&life.headers);
        let outcome = if one_in(8) { abandon_after(below(4), answer).await } else { Some(answer.await) };
        if let Some(outcome) = outcome {
            life.note(began, &outcome);
        }
    }

    fn next_position(&self) -> Position {
        self.positions.fetch_add(1, SeqCst)
    }

    fn past_life(&self) -> Option<Arc<Life>> {
        let past = self.past.lock().unwrap();
        (!past.is_empty()).then(|| Arc::clone(&past[below(past.len() as u64) as usize]))
    }

    fn remember(&self, life: Arc<Life>) {
        let mut past = self.past.lock().unwrap();
        if past.len() < REMEMBERED {
            past.push(life);
        } else {
            past[below(REMEMBERED as u64) as usize] = life;
        }
    }
}

/// Returns a number that is mostly small, sometimes large.
fn few_or_many() -> u64 {
    below(1 << below(10))
}

/// Polls a future a few times and drops it, as a server does when its client hangs up.
async fn abandon_after<F: Future>(polls: u64, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(output) = poll(future.as_mut()).await {
            return Some(output);
        }
        yield_now().await;
    }
    None
}

async fn poll<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

fn one_in(number: u64) -> bool {
    below(number) == 0
}

fn below(limit: u64) -> u64 {
    RandomState::new().build_hasher().finish() % limit
}
