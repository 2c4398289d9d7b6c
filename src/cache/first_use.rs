//! The first use of a key, from which the grace of the key that it replaced may run.

use std::collections::HashSet;
use std::future::pending;

use super::Cache;
use super::sync::{Arc, Mutex, lock, spawn, timeout};
use crate::key::KeyId;

/// The keys whose first use is being noted, or was a short while ago. A thousand requests at once are one first use.
pub(super) struct FirstUses(Mutex<HashSet<KeyId>>);

impl FirstUses {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashSet::new()))
    }

    /// Returns whether the first use of a key is still to be noted.
    fn begin(&self, id: &KeyId) -> bool {
        lock(&self.0).insert(id.clone())
    }

    fn end(&self, id: &KeyId) {
        lock(&self.0).remove(id);
    }
}

/// A first use that is being noted. It may be noted again when this is dropped, be it with its runtime.
struct Noting {
    cache: Arc<Cache>,
    id: KeyId,
}

impl Drop for Noting {
    fn drop(&mut self) {
        self.cache.first_uses.end(&self.id);
    }
}

impl Cache {
    /// Has the store note the first use of a key. The request does not wait for it: if it fails, the key is not remembered, and the
    /// next request tries again.
    pub(crate) fn note_first_use(self: &Arc<Self>, id: KeyId) {
        if !self.first_uses.begin(&id) {
            return;
        }
        let (noting, at) = (Noting { cache: Arc::clone(self), id }, self.clock.wall());
        spawn(async move {
            let cache = &noting.cache;
            let noted = cache.backend.record_first_use(&noting.id, at);
            if cache.guarded_call("the first use of a key", cache.limits.deadline, noted).await.is_ok() {
                // A record that was read before this is judged within the deadline, and says that nothing is noted yet.
                let _ = timeout(cache.limits.deadline, pending::<()>()).await;
            }
        });
    }
}
