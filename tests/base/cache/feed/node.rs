//! A node over a store that other processes change.

use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tower_api_key::backend::{
    Backend, BackendError, BoxedChangeFeed, ChangeFeed, Invalidation, Invalidator, Subscriber,
};
use tower_api_key::clock::ManualClock;
use tower_api_key::digest::Digest;
use tower_api_key::{Authenticator, AuthenticatorBuilder, Reason, Record};

use support::{Key, build, revocation};

/// A store that other processes change. They notify no subscriber.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<State>);

#[derive(Default)]
pub(crate) struct State {
    records: Mutex<HashMap<Digest, Record>>,
    log: Mutex<Vec<Invalidation>>,
    feed: Mutex<Behaviour>,
    release: Notify,
    ping: Notify,
    acknowledged: AtomicUsize,
    reads: AtomicUsize,
    polls: AtomicUsize,
    lease: Mutex<(Duration, Duration)>,
    is_down: Mutex<bool>,
    changes: Invalidator,
    hangs: Mutex<bool>,
}

#[derive(Clone, Copy, Default)]
pub(crate) enum Behaviour {
    #[default]
    Behave,
    Fail,
    Hang,
    /// Reads the log, and returns it only once released.
    Hold,
    Panic,
    /// Answers polls, and panics while it waits for a notification.
    PanicBetweenPolls,
    /// Panics in a poll, and again when it is dropped.
    PanicTwice,
    /// Panics when it is created.
    PanicWhenMade,
}

impl Shared {
    pub(crate) fn put(&self, record: &Record, change: Invalidation) {
        self.0.records.lock().unwrap().insert(record.digest, record.clone());
        self.0.log.lock().unwrap().push(change);
    }

    pub(crate) fn add(&self, key: &Key) {
        self.put(&key.record, Invalidation::Changed(key.record.digest));
    }

    pub(crate) fn revoke(&self, key: &Key) {
        let key = key.clone().with(|record| record.revoked = Some(revocation()));
        self.put(&key.record, Invalidation::Revoked(key.record.digest));
    }

    /// Changes a key in this process; the log reports it to every node, this one included.
    pub(crate) fn change_here(&self, key: &Key) {
        self.add(key);
        self.0.changes.invalidate(Invalidation::Changed(key.record.digest));
    }

    pub(crate) fn feed_shall(&self, behaviour: Behaviour) {
        *self.0.feed.lock().unwrap() = behaviour;
        self.0.release.notify_waiters();
    }

    /// Replaces the server by another one with the same keys.
    pub(crate) fn replace(&self) {
        self.0.log.lock().unwrap().push(Invalidation::Everything);
    }

    /// Makes lookups fail, or succeed again.
    pub(crate) fn go_down(&self, is_down: bool) {
        *self.0.is_down.lock().unwrap() = is_down;
    }

    /// Makes lookups hang.
    pub(crate) fn hang_lookups(&self) {
        *self.0.hangs.lock().unwrap() = true;
    }

    /// Notifies the feed of a change.
    pub(crate) fn ping(&self) {
        self.0.ping.notify_one();
    }

    /// Returns the lease, and the stale grace, that the feed was given.
    pub(crate) fn lease(&self) -> (Duration, Duration) {
        *self.0.lease.lock().unwrap()
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.0.acknowledged.load(SeqCst)
    }

    pub(crate) fn reads(&self) -> usize {
        self.0.reads.load(SeqCst)
    }

    pub(crate) fn polls(&self) -> usize {
        self.0.polls.load(SeqCst)
    }
}

impl Backend for Shared {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.0.reads.fetch_add(1, SeqCst);
        let hangs = *self.0.hangs.lock().unwrap();
        if hangs {
            pending::<()>().await;
        }
        if *self.0.is_down.lock().unwrap() {
            return Err(BackendError::unavailable("told to be down"));
        }
        Ok(self.0.records.lock().unwrap().get(digest).cloned())
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.0.changes.subscribe(subscriber);
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        let behaviour = *self.0.feed.lock().unwrap();
        assert!(!matches!(behaviour, Behaviour::PanicWhenMade), "told to panic");
        Some(BoxedChangeFeed::new(Log { shared: self.clone(), read: None }))
    }
}

struct Log {
    shared: Shared,
    read: Option<usize>,
}

impl ChangeFeed for Log {
    fn set_lease(&mut self, length: Duration, grace: Duration) {
        *self.shared.0.lease.lock().unwrap() = (length, grace);
    }

    async fn poll(&mut self) -> Result<Vec<Invalidation>, BackendError> {
        let state = Arc::clone(&self.shared.0);
        state.polls.fetch_add(1, SeqCst);
        let behaviour = *state.feed.lock().unwrap();
        match behaviour {
            Behaviour::Fail => return Err(BackendError::unavailable("told to fail")),
            Behaviour::Hang => pending().await,
            Behaviour::Panic | Behaviour::PanicTwice => panic!("told to panic"),
            _ => {}
        }
        let log = state.log.lock().unwrap().clone();
        if matches!(behaviour, Behaviour::Hold) {
            state.release.notified().await;
        }
        let read = self.read.replace(log.len()).unwrap_or(log.len());
        Ok(log[read..].to_vec())
    }

    async fn ack(&mut self) -> Result<(), BackendError> {
        self.shared.0.acknowledged.fetch_add(1, SeqCst);
        Err(BackendError::unavailable("cannot acknowledge"))
    }

    async fn changed(&mut self) {
        let behaviour = *self.shared.0.feed.lock().unwrap();
        assert!(!matches!(behaviour, Behaviour::PanicBetweenPolls), "told to panic");
        self.shared.0.ping.notified().await;
    }

    fn is_listening(&self) -> Option<bool> {
        Some(true)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        assert!(!matches!(*self.shared.0.feed.lock().unwrap(), Behaviour::PanicTwice), "told to panic");
    }
}

/// An authenticator over a store with one key, with its clock.
pub(crate) struct Node {
    pub(crate) authenticator: Authenticator,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Shared,
    pub(crate) key: Key,
}

impl Node {
    pub(crate) fn new(configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder) -> Self {
        let (store, key) = (Shared::default(), Key::mint());
        store.add(&key);
        let (authenticator, clock) = build(configure(Authenticator::builder(store.clone())));
        Self { authenticator, clock, store, key }
    }

    /// Creates a node that has polled once and has read the key.
    pub(crate) async fn following() -> Self {
        Self::following_with(|builder| builder).await
    }

    pub(crate) async fn following_with(
        configure: impl FnOnce(AuthenticatorBuilder) -> AuthenticatorBuilder,
    ) -> Self {
        let node = Self::new(configure);
        assert_eq!(node.request().await, None);
        node.pass(Duration::from_millis(1)).await;
        assert_eq!(node.request().await, None);
        node
    }

    pub(crate) async fn request(&self) -> Option<Reason> {
        let outcome = self.authenticator.authenticate(self.key.x_api_key().headers()).await;
        outcome.err().map(|rejection| rejection.reason().clone())
    }

    /// Advances the clock of the authenticator and the time of the runtime.
    pub(crate) async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        tokio::time::sleep(time).await;
    }
}
