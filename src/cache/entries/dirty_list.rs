//! The entries with uses that were not taken yet, in a list that the meter of `usage` owns.
//!
//! A use is counted in the entry. The first one since the count was taken also puts the entry on the list, and the usage flusher takes the
//! counts of the entries on the list. So a count is found even if its entry was evicted or replaced in the meantime, and unused keys cost
//! nothing. The same holds for the first rejection of each kind, and for the first request that is counted by route, so an entry is on the list
//! four times at most.

// Layer 6 of 10: cache.

use std::collections::{BTreeMap, VecDeque};

use super::Entry;
use crate::cache::sync::{Arc, Mutex, lock};
use crate::clock::Timestamp;
use crate::reject::Outcome;

/// Entries with uses that were not taken yet, in the order of their first use.
#[derive(Default)]
pub(crate) struct DirtyList(Mutex<VecDeque<(Arc<Entry>, Timestamp)>>);

/// The uses of an entry since they were last taken.
pub(crate) struct EntryUses {
    pub(crate) entry: Arc<Entry>,
    /// The time of the first of these uses.
    pub(crate) since: Timestamp,
    pub(crate) requests: u64,
    /// Of these requests, or of those taken before.
    pub(crate) limited: u64,
    pub(crate) forbidden: u64,
    pub(crate) routes: BTreeMap<Box<str>, u64>,
}

impl DirtyList {
    /// Counts a use. Returns the length of the list if the entry was put on it.
    #[inline]
    pub(crate) fn count(&self, entry: &Arc<Entry>, now: impl FnOnce() -> Timestamp) -> Option<usize> {
        entry.uses.count_use().then(|| self.put(entry, now()))
    }

    /// Counts that a request was rejected whose use was counted. Returns the length of the list if the entry was put on it.
    pub(crate) fn count_rejection(
        &self,
        entry: &Arc<Entry>,
        outcome: Outcome,
        now: impl FnOnce() -> Timestamp,
    ) -> Option<usize> {
        entry.rejections().count(outcome).then(|| self.put(entry, now()))
    }

    /// Counts a request by route, for at most `max` routes. Returns the length of the list if the entry was put on it.
    pub(crate) fn count_route(
        &self,
        entry: &Arc<Entry>,
        route: &str,
        max: usize,
        now: impl FnOnce() -> Timestamp,
    ) -> Option<usize> {
        entry.routes().count(route, max).then(|| self.put(entry, now()))
    }

    #[cold]
    fn put(&self, entry: &Arc<Entry>, since: Timestamp) -> usize {
        let mut entries = lock(&self.0);
        entries.push_back((Arc::clone(entry), since));
        entries.len()
    }

    /// Returns the number of entries with uses to take.
    pub(crate) fn len(&self) -> usize {
        lock(&self.0).len()
    }

    /// Takes the uses of at most `limit` entries, in the order of their first use.
    pub(crate) fn take(&self, limit: usize) -> Vec<EntryUses> {
        let entries: Vec<_> = {
            let mut entries = lock(&self.0);
            let limit = limit.min(entries.len());
            entries.drain(..limit).collect()
        };
        // Taken only after the entries have left the list: the next use of each puts it on the list again.
        let used = |(entry, since): (Arc<Entry>, Timestamp)| {
            // Rejections first: none is taken before the use of its request.
            let (limited, forbidden) = entry.take_rejections();
            let routes = entry.take_routes();
            let requests = entry.uses.take_uses();
            EntryUses { entry, since, requests, limited, forbidden, routes }
        };
        let is_any =
            |used: &EntryUses| used.requests + used.limited + used.forbidden > 0 || !used.routes.is_empty();
        entries.into_iter().map(used).filter(is_any).collect()
    }
}

#[cfg(all(test, not(any(shuttle, weak_memory))))]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::digest::Digest;

    #[test]
    fn an_entry_that_is_on_the_list_twice_is_taken_once() {
        let entry = Entry::of_digest(Digest::from_bytes([7; 32]), Moment::NEVER);
        let now = || Timestamp::from_unix_millis(5);
        for limit in [1, 2] {
            let list = DirtyList::default();
            assert_eq!(list.count(&entry, now), Some(1));
            assert_eq!(list.count_rejection(&entry, Outcome::Forbidden, now), Some(2));
            assert_eq!(list.count_route(&entry, "/notes", 1, now), Some(3));
            let taken = list.take(limit);
            let [uses] = &taken[..] else { panic!("{} entries", taken.len()) };
            assert_eq!((uses.requests, uses.limited, uses.forbidden), (1, 0, 1));
            assert_eq!(uses.routes, BTreeMap::from([("/notes".into(), 1)]));
            assert!(list.take(3).is_empty());
        }
    }
}
