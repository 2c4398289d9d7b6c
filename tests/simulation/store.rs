//! The store as a node sees it: through its link, and through what it makes of changes that go through itself.

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::timeout;
use tower_api_key::backend::{BoxedChangeFeed, Change, Invalidator, PendingInvalidation, Subscriber};
use tower_api_key::digest::Digest;
use tower_api_key::{Backend, BackendError, Record};

use crate::feed::{Cursor, Log};
use crate::network::{CALM, End, Link, Traffic};
use crate::plan::{Errand, Plan};
use crate::time::{At, Stopwatch};

/// The connection of one node.
pub(crate) struct Connection {
    pub(crate) plan: Arc<Plan>,
    pub(crate) node: usize,
    pub(crate) stopwatch: Stopwatch,
    pub(crate) cursor: Cursor,
    pub(crate) rng: Mutex<Rng>,
    pub(crate) changes: Invalidator,
    pub(crate) polls: AtomicU64,
    /// Polls whose answer was on its way for longer than it is where nothing is wrong.
    pub(crate) old_polls: AtomicU64,
}

impl Connection {
    /// Asks the store, and returns what time it was there: the answer is what was true then.
    pub(crate) async fn ask(&self, traffic: Traffic) -> Result<At, BackendError> {
        let faults = &self.plan.faults[self.node];
        let deadline = self.plan.settings.deadline;
        let mut rng = self.rng.lock().unwrap().fork();
        let trip =
            Link { faults, deadline, rng: &mut rng }.ask(self.stopwatch.now(), traffic, Duration::ZERO);
        self.hear(trip.end).await?;
        let arrived =
            trip.arrived.ok_or_else(|| BackendError::unavailable("answered without being asked"))?;
        if traffic == Traffic::Poll {
            self.polls.fetch_add(1, SeqCst);
            let age = self.stopwatch.now() - arrived;
            self.old_polls.fetch_add(u64::from(age > CALM), SeqCst);
        }
        Ok(arrived)
    }

    async fn hear(&self, end: End) -> Result<(), BackendError> {
        match end {
            End::Answer(at) => {
                self.stopwatch.reach(at).await;
                Ok(())
            }
            End::Error(at) => {
                self.stopwatch.reach(at).await;
                Err(BackendError::unavailable("told to refuse"))
            }
            End::Silence => pending().await,
        }
    }

    /// Makes a change through this node, as a store of the crate does, and returns when it is acknowledged.
    pub(crate) async fn run(self: &Arc<Self>, errand: &Errand) -> Result<(), BackendError> {
        let key = &self.plan.history.keys[errand.key];
        let (digest, change, end) = (key.digest, key.change_to(errand.version), errand.end);
        let connection = Arc::clone(self);
        let work = async move |mut announcement: PendingInvalidation| {
            announcement.set(Change::Changed(digest));
            let patience = connection.plan.settings.deadline * 4;
            timeout(patience, connection.hear(end)).await.map_err(BackendError::unavailable)??;
            announcement.set(change);
            Ok(())
        };
        self.changes.commit(work).await
    }
}

/// What the authenticator of a node is built over.
pub(crate) struct Store(pub(crate) Arc<Connection>);

impl Backend for Store {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        let at = self.0.ask(Traffic::Lookup).await?;
        let key = self.0.plan.history.keys.iter().find(|key| key.digest == *digest);
        Ok(key.and_then(|key| key.record(at)))
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.0.changes.subscribe(subscriber);
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        Some(BoxedChangeFeed::new(Log { connection: Arc::clone(&self.0), cursor: self.0.cursor, next: None }))
    }
}
