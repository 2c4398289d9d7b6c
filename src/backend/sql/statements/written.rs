//! What a change wrote, and what it invalidates.

// Layer 3 of 10: storage.

use crate::backend::Invalidation;
use crate::backend::sql::change_codec::MAX_LOGGED_CHANGES;
use crate::record::Record;

/// The outcome of a change.
#[derive(Default)]
pub(crate) struct Written {
    /// The record that was written, if the change is about one key.
    pub(crate) record: Option<Record>,
    /// The number of keys that were revoked or deleted, if the change is about any number of them.
    pub(crate) keys: u64,
    /// The changes to invalidate.
    pub(crate) changes: Vec<Invalidation>,
    /// The number of new changes, which come first. The rest were made before.
    pub(crate) new: usize,
    /// The last key of a batch, unless it was the last batch.
    pub(crate) last: Option<String>,
}

impl Written {
    pub(crate) fn one(change: Invalidation) -> Self {
        Self::several(vec![change])
    }

    /// Returns a change that was already made.
    pub(crate) fn unchanged(change: Invalidation) -> Self {
        Self { new: 0, ..Self::one(change) }
    }

    /// Returns several changes, replaced by [`Invalidation::Everything`] above a limit.
    pub(crate) fn several(changes: Vec<Invalidation>) -> Self {
        let changes =
            if changes.len() > MAX_LOGGED_CHANGES { vec![Invalidation::Everything] } else { changes };
        Self { new: changes.len(), changes, ..Self::default() }
    }

    pub(crate) fn counted(changes: Vec<Invalidation>) -> Self {
        Self { keys: changes.len() as u64, ..Self::several(changes) }
    }
}
