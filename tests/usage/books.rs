//! A store of usage that misbehaves when it is told to.

use std::future::pending;
use std::sync::{Arc, Mutex};

use tower_api_key::backend::{BackendError, UsageBatch, UsageBy, UsageLine, UsageQuery, UsageStore};
use tower_api_key::clock::Day;
use tower_api_key::{KeyId, MemoryStore};

/// What the store does with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Take,
    Fail,
    /// Adds it, and says that it may not have.
    TakeAndFail,
    Hang,
    Panic,
    /// Refuses it, whatever the time.
    Refuse,
}

/// A store in memory, with a mood. Clones share both.
#[derive(Debug, Clone)]
pub(crate) struct Books {
    pub(crate) keys: MemoryStore,
    mood: Arc<Mutex<Mood>>,
}

impl Books {
    pub(crate) fn new(keys: &MemoryStore) -> Self {
        Self { keys: keys.clone(), mood: Arc::new(Mutex::new(Mood::Take)) }
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// All that was counted, in the order of days and keys.
    pub(crate) async fn all(&self) -> Vec<UsageLine> {
        let ever = UsageQuery::new(Day::from_unix_days(-1_000_000), Day::from_unix_days(1_000_000));
        self.keys.usage(&ever.by(UsageBy::Key)).await.unwrap()
    }

    /// How many requests were counted.
    pub(crate) async fn total(&self) -> u64 {
        self.all().await.iter().map(|line| line.requests).sum()
    }

    /// How many requests with one key were counted.
    pub(crate) async fn of(&self, key: &KeyId) -> u64 {
        let lines = self.all().await;
        lines.iter().filter(|line| line.key.as_ref() == Some(key)).map(|line| line.requests).sum()
    }
}

impl UsageStore for Books {
    async fn add_usage(&self, batch: &UsageBatch) -> Result<(), BackendError> {
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Take => self.keys.add_usage(batch).await,
            Mood::Fail => Err(BackendError::unavailable("told to fail")),
            Mood::TakeAndFail => {
                self.keys.add_usage(batch).await?;
                Err(BackendError::unavailable("told to fail after the commit"))
            }
            Mood::Hang => pending().await,
            Mood::Panic => panic!("told to panic"),
            Mood::Refuse => Err(BackendError::invalid("told to refuse")),
        }
    }

    async fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageLine>, BackendError> {
        self.keys.usage(query).await
    }
}
