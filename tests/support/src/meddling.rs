//! A store that fails, or makes another change, at a chosen moment.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tower_api_key::backend::{
    AuditEntry, AuditLog, AuditQuery, Backend, BackendError, BoxedChangeFeed, ChangeOutcome, KeyAction,
    KeyChange, KeyFilter, KeyStore, Subscriber, UsageBatch, UsageLine, UsageQuery, UsageStore, WriteBack,
};
use tower_api_key::clock::Day;
use tower_api_key::digest::Digest;
use tower_api_key::owner::User;
use tower_api_key::{KeyId, Record, Timestamp};

/// A store that wraps another. Clones share their state.
#[derive(Clone)]
pub struct Meddling<S> {
    inner: S,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    reads: AtomicU64,
    fails: AtomicBool,
    first_uses: AtomicU64,
    first_uses_fail: AtomicBool,
    first_uses_wait: watch::Sender<bool>,
    loses_answers: AtomicBool,
    purges_fail: AtomicBool,
    purges_hang: AtomicBool,
    lists_nodes: AtomicBool,
    after_get: Mutex<Option<KeyChange>>,
    before_change: Mutex<Option<KeyChange>>,
}

impl<S: KeyStore> Meddling<S> {
    pub fn new(inner: S) -> Self {
        Self { inner, state: Arc::default() }
    }

    /// Returns the number of reads of keys and people.
    pub fn reads(&self) -> u64 {
        self.state.reads.load(Ordering::SeqCst)
    }

    /// Sets whether all reads fail.
    pub fn fail(&self, fails: bool) {
        self.state.fails.store(fails, Ordering::SeqCst);
    }

    /// Returns the number of attempts to record a first use.
    pub fn first_uses(&self) -> u64 {
        self.state.first_uses.load(Ordering::SeqCst)
    }

    /// Sets whether recording first uses fails.
    pub fn fail_first_uses(&self, fails: bool) {
        self.state.first_uses_fail.store(fails, Ordering::SeqCst);
    }

    /// Sets whether recording first uses waits until this is reset.
    pub fn hold_first_uses(&self, waits: bool) {
        self.state.first_uses_wait.send_replace(waits);
    }

    /// Sets whether the results of changes are lost.
    pub fn lose_answers(&self, loses: bool) {
        self.state.loses_answers.store(loses, Ordering::SeqCst);
    }

    /// Sets whether purges of sessions fail.
    pub fn fail_purges(&self, fails: bool) {
        self.state.purges_fail.store(fails, Ordering::SeqCst);
    }

    /// Makes each purge of sessions wait forever.
    pub fn hang_purges(&self) {
        self.state.purges_hang.store(true, Ordering::SeqCst);
    }

    /// Keeps a list of nodes, of which none acknowledges a change.
    pub fn list_nodes(&self) {
        self.state.lists_nodes.store(true, Ordering::SeqCst);
    }

    /// Makes a change right after the next key is read by its id.
    pub fn meddle_after_get(&self, change: KeyChange) {
        *self.state.after_get.lock().unwrap() = Some(change);
    }

    /// Makes a change right before the next one.
    pub fn meddle_before_change(&self, change: KeyChange) {
        *self.state.before_change.lock().unwrap() = Some(change);
    }

    async fn read<T>(
        &self,
        reading: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, BackendError> {
        self.state.reads.fetch_add(1, Ordering::SeqCst);
        if self.state.fails.load(Ordering::SeqCst) {
            return Err(BackendError::unavailable("told to fail"));
        }
        reading.await
    }

    async fn meddle(&self, change: &Mutex<Option<KeyChange>>) {
        let change = change.lock().unwrap().take();
        if let Some(change) = change {
            self.inner.change(change).await.unwrap();
        }
    }
}

impl<S: KeyStore> Backend for Meddling<S> {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.read(self.inner.find(digest)).await
    }

    async fn find_user(&self, email: &str) -> Result<Option<User>, BackendError> {
        self.read(self.inner.find_user(email)).await
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.inner.subscribe(subscriber);
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        self.inner.feed()
    }

    async fn write_back(&self, write: WriteBack) -> Result<(), BackendError> {
        if matches!(write, WriteBack::FirstUse { .. }) {
            self.state.first_uses.fetch_add(1, Ordering::SeqCst);
            if self.state.first_uses_fail.load(Ordering::SeqCst) {
                return Err(BackendError::unavailable("told to fail"));
            }
            self.state.first_uses_wait.subscribe().wait_for(|waits| !waits).await.unwrap();
        }
        self.inner.write_back(write).await
    }
}

impl<S: KeyStore> KeyStore for Meddling<S> {
    async fn change(&self, change: KeyChange) -> Result<ChangeOutcome, BackendError> {
        self.meddle(&self.state.before_change).await;
        let is_purge = matches!(change.action, KeyAction::PurgeSessions(_));
        if is_purge && self.state.purges_fail.load(Ordering::SeqCst) {
            return Err(BackendError::unavailable("told to fail"));
        }
        if is_purge && self.state.purges_hang.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let changed = self.inner.change(change).await?;
        if self.state.loses_answers.load(Ordering::SeqCst) {
            return Err(BackendError::unavailable("the answer was lost"));
        }
        Ok(changed)
    }

    async fn get(&self, id: &KeyId) -> Result<Option<Record>, BackendError> {
        let found = self.read(self.inner.get(id)).await;
        self.meddle(&self.state.after_get).await;
        found
    }

    async fn list(
        &self,
        filter: &KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Record>, BackendError> {
        self.read(self.inner.list(filter, after, limit)).await
    }

    fn lists_nodes(&self) -> bool {
        self.state.lists_nodes.load(Ordering::SeqCst)
    }
}

impl<S: KeyStore + AuditLog> AuditLog for Meddling<S> {
    async fn audit_log(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, BackendError> {
        self.inner.audit_log(query).await
    }

    async fn purge_before(&self, end: Timestamp) -> Result<u64, BackendError> {
        self.inner.purge_before(end).await
    }
}

impl<S: KeyStore + UsageStore> UsageStore for Meddling<S> {
    async fn add_usage(&self, batch: &UsageBatch) -> Result<(), BackendError> {
        self.inner.add_usage(batch).await
    }

    async fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageLine>, BackendError> {
        self.inner.usage(query).await
    }

    async fn purge_usage_before(&self, day: Day) -> Result<u64, BackendError> {
        self.inner.purge_usage_before(day).await
    }
}
