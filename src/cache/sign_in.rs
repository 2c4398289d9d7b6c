//! Refused sign-ins by e-mail and password. The same is read and kept for a known e-mail as for an unknown one.

use super::entries::generation::Generation;
use super::sync::Arc;
use super::{Cache, Class, Fact, LookupError, LookupKey};
use crate::clock::Moment;
use crate::digest::Digest;

/// The moment before an account was read. Conclusions from the answer are as old as that.
pub(crate) struct AsOf {
    account: Digest,
    generation: Generation,
    started: Moment,
}

impl Cache {
    /// Reads an account from the store. An entry of the account makes no difference: it neither gives precedence over other lookups nor
    /// serves as a stale entry in an outage.
    pub(crate) async fn read_account(
        self: &Arc<Self>,
        account: LookupKey,
    ) -> Result<(Fact, AsOf), LookupError> {
        let digest = account.digest();
        let generation = self.entries.generation(&digest);
        let as_of = AsOf { account: digest, generation, started: self.context.clock.monotonic() };
        Ok((self.read_store(account, Class::Cold).await?, as_of))
    }

    /// Keeps in the negative cache that a secret is not the password of an account. `attempt` is the digest of both.
    pub(crate) fn keep_refusal(&self, attempt: Digest, as_of: &AsOf) {
        self.entries.keep_refusal(attempt, &as_of.account, as_of.generation, as_of.started);
    }

    /// Returns whether this attempt was refused before, and the account has not changed since.
    pub(crate) fn has_refused(&self, attempt: &Digest, account: &Digest) -> bool {
        let now = self.context.clock.coarse_monotonic();
        self.poller.lease().covers(now, || self.context.clock.coarse_wall())
            && self.entries.has_refusal(attempt, account, now)
    }
}
