//! The first use of a key, from which the grace of the key that it replaced may run.

use super::sync::{Arc, spawn};
use super::{Cache, attempt};
use crate::key::KeyId;

impl Cache {
    /// Has the store take note of the first use of a key. The request does not wait for it: if it fails, the key is not
    /// remembered, and the next request tries again.
    pub(crate) fn note_first_use(self: &Arc<Self>, id: KeyId) {
        let (cache, at) = (Arc::clone(self), self.clock.wall());
        spawn(async move {
            let noting = cache.backend.first_used(&id, at);
            let _ = attempt("the first use of a key", cache.limits.deadline, noting).await;
        });
    }
}
