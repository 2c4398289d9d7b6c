//! The first use of a key, from which the grace of the key that it replaced may run.

use std::collections::HashSet;
use std::future::pending;

use super::Loader;
use crate::cache::sync::{Arc, Mutex, lock, spawn, timeout};
use crate::key::KeyId;

/// The keys whose first use is being recorded, or was a short while ago. A thousand requests at once are one first use.
#[derive(Default)]
pub(super) struct FirstUses(Mutex<HashSet<KeyId>>);

/// A first use that is being recorded. It may be recorded again once this is dropped, be it with its runtime.
struct Recording {
    loader: Arc<Loader>,
    id: KeyId,
}

impl Drop for Recording {
    fn drop(&mut self) {
        lock(&self.loader.first_uses.0).remove(&self.id);
    }
}

impl Loader {
    /// Records the first use of a key in the store. The request does not wait for it: if it fails, the entry is not kept, and the next request
    /// tries again.
    pub(in crate::cache) fn record_first_use(self: &Arc<Self>, id: KeyId) {
        if !lock(&self.first_uses.0).insert(id.clone()) {
            return;
        }
        let (recording, at) = (Recording { loader: Arc::clone(self), id }, self.context.clock.wall());
        spawn(async move {
            let context = &recording.loader.context;
            let recorded = context.backend.record_first_use(&recording.id, at);
            if context.call("first use record", context.limits.deadline, recorded).await.is_ok() {
                // Within the deadline, requests may still be decided by a record that was read before this and lacks the first use.
                let _ = timeout(context.limits.deadline, pending::<()>()).await;
            }
        });
    }
}
