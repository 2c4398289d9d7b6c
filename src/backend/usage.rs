//! Usage of keys: its store, and the batches in which it is written.

// Layer 3 of 10: storage.

mod query;

pub use query::{UsageBy, UsageLine, UsageQuery};

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use super::BackendError;
use super::forward::forward_to_arc;
use crate::clock::{Day, Timestamp};
use crate::environment::Environment;
use crate::key::KeyId;
use crate::owner::Owner;

/// A store that counts how often keys are used.
///
/// Writing usage never creates or restores a key, changes nothing of a key but its last use, and invalidates nothing.
pub trait UsageStore: Send + Sync + 'static {
    /// Adds the counts of a batch, and updates when its keys were last used, which never goes back.
    ///
    /// A batch is added in full, or not at all. A writer numbers its batches in ascending order, and sends a batch again if it
    /// does not know whether it was added: a batch with the same or a lower number adds nothing.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::BackendErrorKind::Unavailable) if the batch may or may not have been added;
    /// [`Invalid`](super::BackendErrorKind::Invalid) if the store can never keep it.
    fn add_usage(&self, batch: &UsageBatch) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// Returns the usage of the keys that match a query, ordered by day, then key id or route, then environment. Lines without usage
    /// are omitted. Keys that were deleted since are included.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn usage(&self, query: &UsageQuery) -> impl Future<Output = Result<Vec<UsageLine>, BackendError>> + Send;

    /// Deletes the usage before a day, and returns the number of its counts. Beside this, only
    /// [`OwnerChange::purge_owner`](super::OwnerChange::purge_owner) deletes usage.
    ///
    /// Counts are deleted in batches, so that other changes do not wait: if it fails, or is dropped, some of them may be deleted.
    ///
    /// # Errors
    ///
    /// If the store is unavailable.
    fn purge_usage_before(&self, day: Day) -> impl Future<Output = Result<u64, BackendError>> + Send;
}

forward_to_arc! { UsageStore:
    fn add_usage(batch: &UsageBatch) -> impl Future<Output = Result<(), BackendError>> + Send;
    fn usage(query: &UsageQuery) -> impl Future<Output = Result<Vec<UsageLine>, BackendError>> + Send;
    fn purge_usage_before(day: Day) -> impl Future<Output = Result<u64, BackendError>> + Send;
}

/// The route of requests whose own is not known, or of which a key has [too many](crate::usage::UsageBuilder::routes_per_key).
pub const OTHER_ROUTE: &str = "other";

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
    /// The number of requests that were admitted with it.
    pub requests: u64,
    /// The number of these that a limit rejected.
    pub limited: u64,
    /// The number of these that were rejected otherwise, such as for a missing scope. A stream that makes [several
    /// rejections](crate::usage#what-is-counted) counts as often.
    pub forbidden: u64,
    /// The requests by route, as far as they are [counted](crate::count_routes).
    pub routes: BTreeMap<Box<str>, u64>,
    /// The time of its last use, as far as known.
    pub last_used_at: Timestamp,
}

impl UsageCount {
    /// Creates a count of requests of which none was rejected, on the day of its last use.
    pub fn new(
        key: KeyId,
        environment: Environment,
        owner: Owner,
        requests: u64,
        last_used_at: Timestamp,
    ) -> Self {
        let (day, routes) = (last_used_at.into(), BTreeMap::new());
        Self { key, day, environment, owner, requests, limited: 0, forbidden: 0, routes, last_used_at }
    }

    /// Sets the requests by route.
    #[must_use]
    pub fn routes<R: Into<Box<str>>>(self, routes: impl IntoIterator<Item = (R, u64)>) -> Self {
        Self {
            routes: routes.into_iter().map(|(route, requests)| (route.into(), requests)).collect(),
            ..self
        }
    }

    /// Sets how many of the requests were rejected after their admission.
    #[must_use]
    pub fn rejected(self, limited: u64, forbidden: u64) -> Self {
        Self { limited, forbidden, ..self }
    }

    /// Returns the numbers of a count: the requests, and of these the limited and the forbidden ones.
    pub(crate) fn numbers(&self) -> [u64; 3] {
        [self.requests, self.limited, self.forbidden]
    }

    fn slot(&self) -> Slot {
        (self.key.clone(), self.day, self.environment)
    }
}

/// Identifies a count.
pub(crate) type Slot = (KeyId, Day, Environment);

/// Counts that are added atomically: one for each key, day and environment, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageBatch {
    writer: Arc<str>,
    number: u64,
    counts: Vec<UsageCount>,
}

impl UsageBatch {
    /// Creates a batch of a writer. Counts of the same key, day and environment are summed.
    pub fn new(
        writer: impl Into<Arc<str>>,
        number: u64,
        counts: impl IntoIterator<Item = UsageCount>,
    ) -> Self {
        let mut slots = BTreeMap::new();
        counts.into_iter().for_each(|count| merge(&mut slots, count));
        Self { writer: writer.into(), number, counts: slots.into_values().collect() }
    }

    /// Returns the writer, a name that no other process and no other meter has.
    pub fn writer(&self) -> &str {
        &self.writer
    }

    /// Returns the number of the batch, in ascending order for each writer.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns the counts.
    pub fn counts(&self) -> &[UsageCount] {
        &self.counts
    }

    /// Returns the time of the last use of each key.
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
            sum.limited = sum.limited.saturating_add(count.limited);
            sum.forbidden = sum.forbidden.saturating_add(count.forbidden);
            sum.last_used_at = sum.last_used_at.max(count.last_used_at);
            for (route, requests) in count.routes {
                let sum = sum.routes.entry(route).or_default();
                *sum = sum.saturating_add(requests);
            }
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
            let count = UsageCount::new(id, Environment::Live, Owner::organization("acme"), requests, at);
            count.rejected(requests / 2, requests / 4).routes([("/notes", requests)])
        };
        let tomorrow = 24 * 60 * 60 * 1_000;
        let counts = [count("b", 1, 7), count("a", 2, 5), count("b", 4, 3), count("b", 8, tomorrow)];
        let batch = UsageBatch::new("me", 1, counts);
        let sum = count("b", 5, 7).rejected(2, 1);
        assert_eq!(batch.counts(), [count("a", 2, 5), sum, count("b", 8, tomorrow)]);
        let last: Vec<_> = batch.last_uses().into_iter().map(|(id, at)| (id.as_str(), at)).collect();
        assert_eq!(
            last,
            [("a", Timestamp::from_unix_millis(5)), ("b", Timestamp::from_unix_millis(tomorrow))]
        );
    }
}
