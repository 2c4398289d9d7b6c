//! The audit log of a store in memory, in `Keys`, under the lock of `MemoryStore`. `keys` writes the entries.

// Layer 3 of 10: storage.

use std::collections::VecDeque;

use crate::audit::{Action, AuditEvent};
use crate::backend::audit::Author;
use crate::backend::{AuditEntry, AuditQuery, KeyFilter};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::record::Record;

/// The newest entries that a store keeps, of about 200 bytes each.
pub(super) const MAX_ENTRIES: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Audit {
    entries: VecDeque<AuditEntry>,
    last: u64,
    clock: SystemClock,
}

impl Audit {
    /// Writes an entry, and forgets the oldest one if there are too many. Sessions have no entries.
    pub(super) fn record(&mut self, action: Action, key: &Record, author: Author<'_>) {
        if key.session.is_some() {
            return;
        }
        let event = AuditEvent::new(self.clock.wall(), action).key(key.id.clone());
        let event = event.by(author.name.map(Into::into));
        self.last += 1;
        if self.entries.len() == MAX_ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back(AuditEntry::new(self.last, event, key, author.delegated));
    }

    pub(super) fn entries(&self, query: &AuditQuery) -> Vec<AuditEntry> {
        let mut selected: Vec<_> = self.entries.iter().filter(|entry| query.matches(entry)).collect();
        // The clock may have been set back.
        selected.sort_by_key(|entry| entry.position());
        if !query.oldest_first {
            selected.reverse();
        }
        selected.into_iter().take(query.limit).cloned().collect()
    }

    /// Deletes the entries before a time, and returns their number.
    pub(super) fn purge_before(&mut self, end: Timestamp) -> u64 {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.event.at >= end);
        (before - self.entries.len()) as u64
    }

    /// Removes a purged owner from its entries: another owner may get its id.
    pub(super) fn forget_owner(&mut self, filter: &KeyFilter) {
        for entry in &mut self.entries {
            if entry.owner.as_ref().is_some_and(|owner| filter.matches_owner(owner, entry.environment)) {
                entry.owner = None;
            }
        }
    }
}
