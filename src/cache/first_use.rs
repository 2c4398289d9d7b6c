//! The first use of a key, from which the grace of the key that it replaced may run.

use super::Cache;
use super::fill::catch_panic;
use super::sync::{Arc, spawn, timeout};
use crate::key::KeyId;
use crate::trace::{self, Failure};

impl Cache {
    /// Has the store take note of the first use of a key. The request does not wait for it: if it fails, the key is not
    /// remembered, and the next request tries again.
    pub(crate) fn note_first_use(self: &Arc<Self>, id: KeyId) {
        let (cache, at) = (Arc::clone(self), self.clock.wall());
        spawn(async move {
            let noting = catch_panic(cache.backend.first_used(&id, at));
            let failure = match timeout(cache.limits.deadline, noting).await {
                Ok(Some(Ok(()))) => return,
                Ok(Some(Err(error))) => {
                    return trace::failed("the first use of a key", &Failure::Error(&error));
                }
                Ok(None) => Failure::Panic,
                Err(_) => Failure::Deadline(cache.limits.deadline),
            };
            trace::failed("the first use of a key", &failure);
        });
    }
}
