//! The entries that were used since someone last asked.
//!
//! A use is counted in the entry. The first one since the count was taken also puts the entry on a list, and whoever goes
//! through the list takes the counts. So a count is found though its entry was evicted or replaced meanwhile, keys that
//! nobody uses cost nothing, and each entry is on the list once.

use std::collections::VecDeque;

use super::Entry;
use super::sync::{Arc, Mutex, lock};
use crate::clock::Timestamp;

/// Entries with uses that were not taken yet, in the order of their first use.
#[derive(Default)]
pub(crate) struct DirtyList(Mutex<VecDeque<(Arc<Entry>, Timestamp)>>);

/// How often an entry was used since someone last asked.
pub(crate) struct EntryUses {
    pub(crate) entry: Arc<Entry>,
    /// When it was used for the first of these times.
    pub(crate) since: Timestamp,
    pub(crate) requests: u64,
}

impl DirtyList {
    /// Counts a use. Returns the length of the list if the entry was put on it.
    #[inline]
    pub(crate) fn count(&self, entry: &Arc<Entry>, now: impl FnOnce() -> Timestamp) -> Option<usize> {
        entry.counters.use_once().then(|| self.put(entry, now()))
    }

    #[cold]
    fn put(&self, entry: &Arc<Entry>, since: Timestamp) -> usize {
        let mut entries = lock(&self.0);
        entries.push_back((Arc::clone(entry), since));
        entries.len()
    }

    /// Returns how many entries have uses to take.
    pub(crate) fn len(&self) -> usize {
        lock(&self.0).len()
    }

    /// Takes the uses of at most so many entries, those that were used first before the others.
    pub(crate) fn take(&self, most: usize) -> Vec<EntryUses> {
        let entries: Vec<_> = {
            let mut entries = lock(&self.0);
            let most = most.min(entries.len());
            entries.drain(..most).collect()
        };
        // Only now, when they are off the list: the next use of each puts it on again.
        let used = |(entry, since): (Arc<Entry>, Timestamp)| {
            let requests = entry.counters.take_uses();
            EntryUses { entry, since, requests }
        };
        entries.into_iter().map(used).collect()
    }
}
