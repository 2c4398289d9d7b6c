//! A node over a store that is changed by others.

use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tower_api_key::backend::{BoxedChangeFeed, Change, ChangeFeed, Invalidator, Subscriber};
use tower_api_key::clock::ManualClock;
use tower_api_key::digest::Digest;
use tower_api_key::{Authenticator, AuthenticatorBuilder, Backend, BackendError, Reason, Record};

use crate::support::{Key, build, revocation};

/// A store that is changed by others, who tell nobody.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<State>);

#[derive(Default)]
pub(crate) struct State {
    records: Mutex<HashMap<Digest, Record>>,
    log: Mutex<Vec<Change>>,
    feed: Mutex<Behaviour>,
    let_go: Notify,
    ping: Notify,
    acknowledged: AtomicUsize,
    reads: AtomicUsize,
    polls: AtomicUsize,
    relied_for: Mutex<(Duration, Duration)>,
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
    /// Reads the log, and keeps what it found until it is let go.
    Hold,
    Panic,
    /// Answers polls, and panics while it waits for word.
    PanicBetweenPolls,
    /// Cannot even be made.
    PanicWhenMade,
}

impl Shared {
    pub(crate) fn put(&self, record: &Record, change: Change) {
        self.0.records.lock().unwrap().insert(record.digest, record.clone());
        self.0.log.lock().unwrap().push(change);
    }

    pub(crate) fn add(&self, key: &Key) {
        self.put(&key.record, Change::Changed(key.record.digest));
    }

    pub(crate) fn revoke(&self, key: &Key) {
        let key = key.clone().with(|record| record.revoked = Some(revocation()));
        self.put(&key.record, Change::Revoked(key.record.digest));
    }

    /// This process changes a key, and the log says so to all, itself included.
    pub(crate) fn change_here(&self, key: &Key) {
        self.add(key);
        self.0.changes.invalidate(Change::Changed(key.record.digest));
    }

    pub(crate) fn feed_shall(&self, behaviour: Behaviour) {
        *self.0.feed.lock().unwrap() = behaviour;
        self.0.let_go.notify_waiters();
    }

    /// Another server takes the place of this one, with the same keys.
    pub(crate) fn replace(&self) {
        self.0.log.lock().unwrap().push(Change::Everything);
    }

    /// Lookups fail, or are answered again.
    pub(crate) fn go_down(&self, is_down: bool) {
        *self.0.is_down.lock().unwrap() = is_down;
    }

    /// Lookups are not answered any more.
    pub(crate) fn hang_look_ups(&self) {
        *self.0.hangs.lock().unwrap() = true;
    }

    /// Sends word that something was changed.
    pub(crate) fn ping(&self) {
        self.0.ping.notify_one();
    }

    /// For how long the answers of polls are relied upon, and for how much longer in an outage.
    pub(crate) fn relied_for(&self) -> (Duration, Duration) {
        *self.0.relied_for.lock().unwrap()
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
    fn lease(&mut self, length: Duration, grace: Duration) {
        *self.shared.0.relied_for.lock().unwrap() = (length, grace);
    }

    async fn poll(&mut self) -> Result<Vec<Change>, BackendError> {
        let state = Arc::clone(&self.shared.0);
        state.polls.fetch_add(1, SeqCst);
        let behaviour = *state.feed.lock().unwrap();
        match behaviour {
            Behaviour::Fail => return Err(BackendError::unavailable("told to fail")),
            Behaviour::Hang => pending().await,
            Behaviour::Panic => panic!("told to panic"),
            _ => {}
        }
        let log = state.log.lock().unwrap().clone();
        if matches!(behaviour, Behaviour::Hold) {
            state.let_go.notified().await;
        }
        let read = self.read.replace(log.len()).unwrap_or(log.len());
        Ok(log[read..].to_vec())
    }

    async fn ack(&mut self) -> Result<(), BackendError> {
        self.shared.0.acknowledged.fetch_add(1, SeqCst);
        Err(BackendError::unavailable("nobody is there to tell"))
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

/// An authenticator over a store with one key, and its clock.
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

    /// A node that has polled once and has read the key.
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

    /// Lets time pass, for the clock of the authenticator and for the runtime.
    pub(crate) async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        tokio::time::sleep(time).await;
    }
}
