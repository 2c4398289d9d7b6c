//! Sign-ins by e-mail and password that were refused: what is asked and remembered of them is the same for a person and for an e-mail
//! that no person has.

use super::bulkhead::Class;
use super::generation::Stamp;
use super::sync::Arc;
use super::{Cache, Fact, LookupError, LookupKey};
use crate::clock::Moment;
use crate::digest::Digest;

/// The moment before an account was read. What is concluded from the answer is as old as that.
pub(crate) struct AsOf {
    account: Digest,
    generation: Stamp,
    started: Moment,
}

impl Cache {
    /// Asks the store for an account. An entry that this process has of it makes no difference: it neither goes before other callers
    /// nor is it taken for an answer in an outage.
    pub(crate) async fn read_account(
        self: &Arc<Self>,
        account: LookupKey,
    ) -> Result<(Fact, AsOf), LookupError> {
        let digest = account.digest();
        let generation = self.generations.current(&digest);
        let as_of = AsOf { account: digest, generation, started: self.clock.monotonic() };
        Ok((self.ask(account, Class::Cold).await?, as_of))
    }

    /// Remembers that a secret is not the password of an account, among the keys that do not exist and for as long as those.
    /// `attempt` stands for both.
    pub(crate) fn refused(&self, attempt: Digest, as_of: &AsOf) {
        if self.generations.current(&as_of.account) == as_of.generation {
            self.negative.insert(attempt, as_of.generation, as_of.started);
        }
    }

    /// Returns whether this attempt was refused before, and the account has not changed since.
    pub(crate) fn has_refused(&self, attempt: &Digest, account: &Digest) -> bool {
        let now = self.clock.coarse_monotonic();
        self.lease.covers(now, || self.clock.coarse_wall())
            && self.negative.contains(attempt, self.generations.current(account), now)
    }
}
