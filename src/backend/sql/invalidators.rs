//! One invalidator for each database of a process, however often it was opened.
//!
//! Stores that are opened twice, for the middleware and for management, must share it: otherwise the middleware would miss
//! revocations by the other store.

// Layer 3 of 10: storage.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::backend::Invalidator;
use crate::backend::invalidation::WeakInvalidator;

static INVALIDATORS: LazyLock<Mutex<HashMap<String, WeakInvalidator>>> = LazyLock::new(Mutex::default);

/// Returns the invalidator of the database with this name.
pub(super) fn invalidator_of(database: String) -> Invalidator {
    let mut invalidators = INVALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    invalidators.retain(|_, invalidator| invalidator.upgrade().is_some());
    if let Some(invalidator) = invalidators.get(&database).and_then(WeakInvalidator::upgrade) {
        return invalidator;
    }
    let invalidator = Invalidator::new();
    invalidators.insert(database, invalidator.downgrade());
    invalidator
}
