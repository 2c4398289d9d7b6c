//! Rejected sign-ins by e-mail and password. The same is read for a known e-mail as for an unknown one, and the same rejections are kept.

// Layer 6 of 10: cache.

use super::entries::generation::Generation;
use super::sync::Arc;
use super::{Cache, Fact, LookupError, LookupKey, Warmth};
use crate::clock::Moment;
use crate::digest::Digest;

/// The moment before a user was read. Conclusions from the answer are as old as that.
pub(crate) struct AsOf {
    user: Digest,
    generation: Generation,
    started: Moment,
}

impl Cache {
    /// Reads a user from the store, and keeps the user as any lookup does. An entry that the cache has already neither gives
    /// precedence over other lookups nor serves as a stale one in an outage.
    pub(crate) async fn read_user(self: &Arc<Self>, user: LookupKey) -> Result<(Fact, AsOf), LookupError> {
        let generation = self.entries.generation(user.digests());
        let as_of = AsOf { user: user.digests()[0], generation, started: self.context.clock.monotonic() };
        Ok((self.read_store(&user, Warmth::Cold).await?, as_of))
    }

    /// Keeps in the negative cache that a secret is not the password of a user. `attempt` is the digest of both.
    pub(crate) fn keep_rejected_attempt(&self, attempt: Digest, as_of: &AsOf) {
        self.entries.keep_rejected_attempt(attempt, &as_of.user, as_of.generation, as_of.started);
    }

    /// Returns whether this attempt was rejected before, and the user has not changed since. Returns `false` without a valid lease.
    pub(crate) fn is_rejected_attempt(&self, attempt: &Digest, user: &Digest) -> bool {
        let now = self.context.clock.coarse_monotonic();
        self.poller.lease().covers(now, || self.context.clock.coarse_wall())
            && self.entries.is_rejected_attempt(attempt, user, now)
    }
}
