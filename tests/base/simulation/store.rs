//! The store from the view of a node: through its network, and with its own changes.

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::timeout;
use tower_api_key::Record;
use tower_api_key::backend::{
    Backend, BackendError, BoxedChangeFeed, Invalidation, Invalidator, PendingInvalidation, Subscriber,
};
use tower_api_key::digest::Digest;
use tower_api_key::limit::Plan as LimitPlan;

use crate::simulation::feed::{Flaw, Log};
use crate::simulation::network::{End, Link, MAX_ROUND_TRIP, Traffic};
use crate::simulation::plan::{ChangeRequest, Plan};
use crate::simulation::time::{At, Stopwatch};

/// The connection of one node.
pub(crate) struct Connection {
    pub(crate) plan: Arc<Plan>,
    pub(crate) node: usize,
    pub(crate) stopwatch: Stopwatch,
    pub(crate) flaw: Flaw,
    pub(crate) rng: Mutex<Rng>,
    pub(crate) changes: Invalidator,
    pub(crate) polls: AtomicU64,
    /// Polls whose answer took longer than the longest round trip without a fault.
    pub(crate) outdated_polls: AtomicU64,
}

impl Connection {
    /// Asks the store, and returns the time of the answer: the store's state at that time.
    pub(crate) async fn ask(&self, traffic: Traffic) -> Result<At, BackendError> {
        let faults = &self.plan.faults[self.node];
        let deadline = self.plan.settings.deadline;
        let mut rng = self.rng.lock().unwrap().fork();
        let trip =
            Link { faults, deadline, rng: &mut rng }.ask(self.stopwatch.now(), traffic, Duration::ZERO);
        self.wait_for(trip.end).await?;
        let arrived =
            trip.arrived.ok_or_else(|| BackendError::unavailable("answered a request that was lost"))?;
        if traffic == Traffic::Poll {
            self.polls.fetch_add(1, SeqCst);
            let age = self.stopwatch.now() - arrived;
            self.outdated_polls.fetch_add(u64::from(age > MAX_ROUND_TRIP), SeqCst);
        }
        Ok(arrived)
    }

    async fn wait_for(&self, end: End) -> Result<(), BackendError> {
        match end {
            End::Answer(at) => {
                self.stopwatch.reach(at).await;
                Ok(())
            }
            End::Error(at) => {
                self.stopwatch.reach(at).await;
                Err(BackendError::unavailable("told to reject"))
            }
            End::Silence => pending().await,
        }
    }

    /// Makes a change through this node, as a store of the crate does, and returns when it is acknowledged.
    pub(crate) async fn run(self: &Arc<Self>, change: &ChangeRequest) -> Result<(), BackendError> {
        let (changes, end) = (self.plan.history.invalidations(&change.change, self.flaw), change.end);
        let connection = Arc::clone(self);
        let work = async move |mut pending: PendingInvalidation| {
            // It may be committed even if no answer arrives.
            pending.set_all(changes.iter().map(|change| unconfirmed(*change)));
            let deadline = connection.plan.settings.deadline * 4;
            timeout(deadline, connection.wait_for(end)).await.map_err(BackendError::unavailable)??;
            pending.set_all(changes);
            Ok(())
        };
        self.changes.commit(work).await
    }
}

fn unconfirmed(change: Invalidation) -> Invalidation {
    match change {
        Invalidation::Revoked(digest) => Invalidation::Changed(digest),
        other => other,
    }
}

/// Returns the plan of all keys, whose limit has the number of its version.
fn plan_of(version: u64) -> LimitPlan {
    let limits = format!("burst={}/60s", version + 1).parse().unwrap();
    LimitPlan::new("free", limits).unwrap()
}

/// The backend of a node's authenticator.
pub(crate) struct Store(pub(crate) Arc<Connection>);

impl Backend for Store {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.find_any(std::slice::from_ref(digest)).await
    }

    async fn find_any(&self, digests: &[Digest]) -> Result<Option<Record>, BackendError> {
        let at = self.0.ask(Traffic::Lookup).await?;
        let history = &self.0.plan.history;
        let found = history.keys.iter().find_map(|key| key.record(digests, at));
        Ok(found.map(|record| record.plan(plan_of(history.plan_at(at)))))
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.0.changes.subscribe(subscriber);
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        Some(BoxedChangeFeed::new(Log { connection: Arc::clone(&self.0), flaw: self.0.flaw, next: None }))
    }
}
