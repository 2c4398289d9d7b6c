//! One change feed for each database of a process, however often it was opened.
//!
//! A store that is opened twice, once for the middleware and once for whoever manages the keys, is one store. If each had
//! a feed of its own, the middleware would not hear of a revocation.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::backend::Invalidator;
use crate::backend::invalidation::WeakInvalidator;

static INVALIDATORS: LazyLock<Mutex<HashMap<String, WeakInvalidator>>> = LazyLock::new(Mutex::default);

/// Returns the feed of the database that is known by this name.
pub(in crate::backend) fn invalidator_of(database: String) -> Invalidator {
    let mut invalidators = INVALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    invalidators.retain(|_, invalidator| invalidator.upgrade().is_some());
    if let Some(changes) = invalidators.get(&database).and_then(WeakInvalidator::upgrade) {
        return changes;
    }
    let changes = Invalidator::new();
    invalidators.insert(database, changes.downgrade());
    changes
}
