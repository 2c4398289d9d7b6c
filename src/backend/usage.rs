//! The usage of keys: where it is kept, and the batches in which it is written.

mod query;

pub use query::{UsageBy, UsageLine, UsageQuery};

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use super::BackendError;
use crate::clock::{Day, Timestamp};
use crate::environment::Environment;
use crate::key::KeyId;
use crate::owner::Owner;

/// A store that keeps how often keys are used.
///
/// What is written of usage never makes a key, brings one back or changes what it may do, and is no change that
/// authenticators hear of.
pub trait UsageStore: Send + Sync + 'static {
    /// Adds the counts of a batch, and notes when its keys were used last, which never goes back.
    ///
    /// Either all of the batch is added or nothing. A writer numbers its batches upwards, and sends one again if it does not
    /// know whether it was added: a batch of a number that was added already, or of a lower one, adds nothing.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::BackendErrorKind::Unavailable) if the batch may or may not have been added;
    /// [`Invalid`](super::BackendErrorKind::Invalid) if the store cannot keep it, whatever the time.
    fn add_usage(&self, batch: &UsageBatch) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// Returns how often the keys that a query means were used, in the order of days, then of key ids, then of environments.
    /// What there is no usage of has no line. Keys that were deleted since are among them.
    ///
    /// # Errors
    ///
    /// When the store could not be asked.
    fn usage(&self, query: &UsageQuery) -> impl Future<Output = Result<Vec<UsageLine>, BackendError>> + Send;
}

impl<S: UsageStore> UsageStore for Arc<S> {
    fn add_usage(&self, batch: &UsageBatch) -> impl Future<Output = Result<(), BackendError>> + Send {
        (**self).add_usage(batch)
    }

    fn usage(&self, query: &UsageQuery) -> impl Future<Output = Result<Vec<UsageLine>, BackendError>> + Send {
        (**self).usage(query)
    }
}

/// How often a key was used on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsageCount {
    /// The key.
    pub key: KeyId,
    /// The day.
    pub day: Day,
    /// The environment of the key.
    pub environment: Environment,
    /// The owner of the key, without memberships. It is kept with the count, so that totals outlive the key.
    pub owner: Owner,
    /// How many requests were admitted with it.
    pub requests: u64,
    /// When it was used, at the latest that is known.
    pub last_used_at: Timestamp,
}

impl UsageCount {
    /// Creates a count, on the day of its last use.
    pub fn new(
        key: KeyId,
        environment: Environment,
        owner: Owner,
        requests: u64,
        last_used_at: Timestamp,
    ) -> Self {
        Self { key, day: last_used_at.into(), environment, owner, requests, last_used_at }
    }

    fn slot(&self) -> Slot {
        (self.key.clone(), self.day, self.environment)
    }
}

/// What there is one count of.
pub(crate) type Slot = (KeyId, Day, Environment);

/// Counts to be added at once: one for each key, day and environment, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageBatch {
    writer: Arc<str>,
    number: u64,
    counts: Vec<UsageCount>,
}

impl UsageBatch {
    /// Creates a batch of a writer. Counts of the same key, day and environment are added up.
    pub fn new(
        writer: impl Into<Arc<str>>,
        number: u64,
        counts: impl IntoIterator<Item = UsageCount>,
    ) -> Self {
        let mut slots = BTreeMap::new();
        counts.into_iter().for_each(|count| merge(&mut slots, count));
        Self { writer: writer.into(), number, counts: slots.into_values().collect() }
    }

    /// Returns who counts: a name that no other process and no other meter has.
    pub fn writer(&self) -> &str {
        &self.writer
    }

    /// Returns the number of the batch among those of its writer.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns the counts.
    pub fn counts(&self) -> &[UsageCount] {
        &self.counts
    }

    /// Returns when each key was used last.
    pub fn last_uses(&self) -> BTreeMap<&KeyId, Timestamp> {
        let mut last = BTreeMap::new();
        for count in &self.counts {
            let at = last.entry(&count.key).or_insert(count.last_used_at);
            *at = count.last_used_at.max(*at);
        }
        last
    }
}

/// Adds a count to those of its slot.
pub(crate) fn merge(slots: &mut BTreeMap<Slot, UsageCount>, count: UsageCount) {
    match slots.get_mut(&count.slot()) {
        Some(sum) => {
            sum.requests = sum.requests.saturating_add(count.requests);
            sum.last_used_at = sum.last_used_at.max(count.last_used_at);
        }
        None => _ = slots.insert(count.slot(), count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_one_count_for_each_key_day_and_environment() {
        let count = |key: &str, requests, millis| {
            let at = Timestamp::from_unix_millis(millis);
            let id = KeyId::new(key).unwrap();
            UsageCount::new(id, Environment::Live, Owner::organization("acme"), requests, at)
        };
        let tomorrow = 24 * 60 * 60 * 1_000;
        let counts = [count("b", 1, 7), count("a", 2, 5), count("b", 4, 3), count("b", 8, tomorrow)];
        let batch = UsageBatch::new("me", 1, counts);
        assert_eq!(batch.counts(), [count("a", 2, 5), count("b", 5, 7), count("b", 8, tomorrow)]);
        let last: Vec<_> = batch.last_uses().into_iter().map(|(id, at)| (id.as_str(), at)).collect();
        assert_eq!(
            last,
            [("a", Timestamp::from_unix_millis(5)), ("b", Timestamp::from_unix_millis(tomorrow))]
        );
    }
}
