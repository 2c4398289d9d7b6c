//! What the store learns from requests: the first use of a key, from which the grace of the key that it replaced may run, and further digests.
//!
//! It writes to the backend, in tasks, and touches no entries.

// Layer 6 of 10: cache.

use std::collections::HashSet;
use std::future::pending as never;
use std::time::Duration;

use super::context::Context;
use super::sync::{Arc, Mutex, lock, spawn, timeout};
use crate::backend::{BackendError, WriteBack};
use crate::digest::{Digest, Fingerprint};
use crate::key::KeyId;
use crate::trace;

/// The writes in progress, and of a short while ago. A thousand requests at once are one first use.
pub(super) struct WriteBacks {
    keys: Mutex<HashSet<(Kind, KeyId)>>,
    /// Why the last failed addition of a digest failed.
    last_error: Mutex<Option<String>>,
    context: Arc<Context>,
}

/// The longest addition of a digest. Longer than the stores of the crate take to give up: an addition that is given up here goes on in the
/// store, beside the next ones.
const ADDITION_TIMEOUT: Duration = Duration::from_secs(30);

/// The most additions in progress. With a new pepper, each key of a node gets one, and other writes of the
/// background must not wait behind many of them.
const MAX_DIGESTS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    FirstUse,
    Digest,
}

/// A write in progress. The same may be made again once this is dropped, be it with its runtime.
struct Pending {
    write_backs: Arc<WriteBacks>,
    key: (Kind, KeyId),
}

impl Drop for Pending {
    fn drop(&mut self) {
        lock(&self.write_backs.keys).remove(&self.key);
    }
}

impl WriteBacks {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self { keys: Mutex::default(), last_error: Mutex::default(), context }
    }

    /// Records the first use of a key in the store. The request does not wait for it. No entry of the key is kept until it is
    /// recorded, so the request after a failure tries again.
    pub(super) fn first_use(self: &Arc<Self>, id: KeyId) {
        let Some(pending) = self.begin(Kind::FirstUse, &id) else { return };
        let write = WriteBack::FirstUse { id, at: self.context.clock.wall() };
        spawn(async move {
            let context = &pending.write_backs.context;
            let writing = context.backend.write_back(write);
            if context.call("first use record", context.limits.deadline, writing).await.is_ok() {
                // Within the deadline, requests may still be decided by a record that was read before this and lacks the first use.
                let _ = timeout(context.limits.deadline, never::<()>()).await;
            }
        });
    }

    /// Adds a digest to a key. The request does not wait for it. The addition invalidates the entry under the former digest; if it fails or too
    /// many are in progress, the next lookup of the key tries again.
    pub(super) fn digest(self: &Arc<Self>, id: KeyId, digest: Digest, digester: Fingerprint) {
        if lock(&self.keys).iter().filter(|(kind, _)| *kind == Kind::Digest).count() >= MAX_DIGESTS {
            return;
        }
        let Some(pending) = self.begin(Kind::Digest, &id) else { return };
        let write = WriteBack::Digest { id, digest, digester, at: self.context.clock.wall() };
        spawn(async move {
            let context = &pending.write_backs.context;
            let writing = async {
                if let Err(error) = context.backend.write_back(write).await {
                    pending.write_backs.log_once(&error);
                }
                Ok(())
            };
            let _ = context.call("digest addition", ADDITION_TIMEOUT, writing).await;
        });
    }

    fn begin(self: &Arc<Self>, kind: Kind, id: &KeyId) -> Option<Pending> {
        let key = (kind, id.clone());
        let is_new = lock(&self.keys).insert(key.clone());
        is_new.then(|| Pending { write_backs: Arc::clone(self), key })
    }

    /// Logs why a digest could not be added. A node without the right fails for each key in the same way.
    fn log_once(&self, error: &BackendError) {
        let text = error.to_string();
        let mut last = lock(&self.last_error);
        if last.as_ref() != Some(&text) {
            trace::digest_not_added(error);
            *last = Some(text);
        }
    }
}
