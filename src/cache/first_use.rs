//! The first use of a key, from which the grace of the key that it replaced may run.
//!
//! It writes to the backend, in a task, and touches no entries.

use std::collections::HashSet;
use std::future::pending;

use super::context::Context;
use super::sync::{Arc, Mutex, lock, spawn, timeout};
use crate::backend::WriteBack;
use crate::key::KeyId;

/// The keys whose first use is being recorded, or was a short while ago. A thousand requests at once are one first use.
pub(super) struct FirstUses {
    keys: Mutex<HashSet<KeyId>>,
    context: Arc<Context>,
}

/// A first use that is being recorded. It may be recorded again once this is dropped, be it with its runtime.
struct Recording {
    first_uses: Arc<FirstUses>,
    id: KeyId,
}

impl Drop for Recording {
    fn drop(&mut self) {
        lock(&self.first_uses.keys).remove(&self.id);
    }
}

impl FirstUses {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self { keys: Mutex::default(), context }
    }

    /// Records the first use of a key in the store. The request does not wait for it. No entry of the key is kept until it is
    /// recorded, so the request after a failure tries again.
    pub(super) fn record(self: &Arc<Self>, id: KeyId) {
        if !lock(&self.keys).insert(id.clone()) {
            return;
        }
        let (recording, at) = (Recording { first_uses: Arc::clone(self), id }, self.context.clock.wall());
        spawn(async move {
            let context = &recording.first_uses.context;
            let recorded = context.backend.write_back(WriteBack::FirstUse { id: recording.id.clone(), at });
            if context.call("first use record", context.limits.deadline, recorded).await.is_ok() {
                // Within the deadline, requests may still be decided by a record that was read before this and lacks the first use.
                let _ = timeout(context.limits.deadline, pending::<()>()).await;
            }
        });
    }
}
