//! One change feed for each database of a process, however often it was opened.
//!
//! A store that is opened twice, once for the middleware and once for whoever manages the keys, is one store. If each had
//! a feed of its own, the middleware would not hear of a revocation.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};

use sqlx::SqlitePool;

use super::super::Changes;
use super::super::changes::WeakChanges;

static FEEDS: LazyLock<Mutex<HashMap<PathBuf, WeakChanges>>> = LazyLock::new(Mutex::default);

/// Returns the feed of the database that a pool is connected to.
pub(super) fn of(pool: &SqlitePool) -> Changes {
    let name = pool.connect_options().get_filename().to_path_buf();
    // Names differ by links and by the working directory; a database in memory has no file, and its name is its own.
    let identity = name.canonicalize().unwrap_or(name);
    let mut feeds = FEEDS.lock().unwrap_or_else(PoisonError::into_inner);
    feeds.retain(|_, feed| feed.upgrade().is_some());
    if let Some(changes) = feeds.get(&identity).and_then(WeakChanges::upgrade) {
        return changes;
    }
    let changes = Changes::new();
    feeds.insert(identity, changes.downgrade());
    changes
}
