//! A usage store that fails on demand.

use std::future::pending;
use std::sync::{Arc, Mutex};

use tower_api_key::backend::{BackendError, UsageBatch, UsageBy, UsageLine, UsageQuery, UsageStore};
use tower_api_key::clock::Day;
use tower_api_key::{KeyId, MemoryStore};

/// How the store treats a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Add,
    Fail,
    /// Adds it, and reports a failure.
    AddAndFail,
    Hang,
    Panic,
    /// Rejects it as invalid.
    Reject,
}

/// A store in memory with a behaviour. Clones share both.
#[derive(Debug, Clone)]
pub(crate) struct FaultyStore {
    pub(crate) keys: MemoryStore,
    behaviour: Arc<Mutex<Behaviour>>,
    /// The rows of each batch, those by route included.
    pub(crate) batches: Arc<Mutex<Vec<usize>>>,
}

impl FaultyStore {
    pub(crate) fn new(keys: &MemoryStore) -> Self {
        Self { keys: keys.clone(), behaviour: Arc::new(Mutex::new(Behaviour::Add)), batches: Arc::default() }
    }

    pub(crate) fn set(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    /// Returns all counts, ordered by day and key.
    pub(crate) async fn all(&self) -> Vec<UsageLine> {
        let ever = UsageQuery::new(Day::from_unix_days(-1_000_000), Day::from_unix_days(1_000_000));
        self.keys.usage(&ever.by(UsageBy::Key)).await.unwrap()
    }

    /// Returns the number of counted requests.
    pub(crate) async fn total(&self) -> u64 {
        self.all().await.iter().map(|line| line.requests).sum()
    }

    /// Returns the number of counted requests with one key.
    pub(crate) async fn requests_of(&self, key: &KeyId) -> u64 {
        let lines = self.all().await;
        lines.iter().filter(|line| line.key.as_ref() == Some(key)).map(|line| line.requests).sum()
    }
}

impl UsageStore for FaultyStore {
    async fn add_usage(&self, batch: &UsageBatch) -> Result<(), BackendError> {
        let behaviour = *self.behaviour.lock().unwrap();
        let rows = batch.counts().iter().map(|count| 1 + count.routes.len()).sum();
        self.batches.lock().unwrap().push(rows);
        match behaviour {
            Behaviour::Add => self.keys.add_usage(batch).await,
            Behaviour::Fail => Err(BackendError::unavailable("told to fail")),
            Behaviour::AddAndFail => {
                self.keys.add_usage(batch).await?;
                Err(BackendError::unavailable("told to fail after the commit"))
            }
            Behaviour::Hang => pending().await,
            Behaviour::Panic => panic!("told to panic"),
            Behaviour::Reject => Err(BackendError::invalid("told to reject")),
        }
    }

    async fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageLine>, BackendError> {
        self.keys.usage(query).await
    }

    async fn purge_usage_before(&self, day: Day) -> Result<u64, BackendError> {
        self.keys.purge_usage_before(day).await
    }
}
