//! Finding the session of a console, by the cache of keys.

// Layer 8 of 10: decision.

use std::sync::Arc;

use super::{Authenticator, Inner};
use crate::cache::{Fact, LookupError};
use crate::clock::Clock;
#[cfg(feature = "password")]
use crate::credential::Scheme;
use crate::digest::Digests;
use crate::record::Record;

impl Authenticator {
    /// Returns the session, or the code of one, with this secret. `None` if there is none, or it has ended.
    ///
    /// It uses the cache as a request does, so an end that another process made takes effect within the lease. No source leads here: a
    /// session is presented to its console alone.
    pub(crate) async fn find_session(&self, secret: &[u8]) -> Result<Option<Record>, LookupError> {
        let Inner { digesters, cache, .. } = &*self.0;
        let digests = Digests::new(digesters.current.digest(secret), digesters.former_digests(secret));
        let fact = match cache.get_any(digests.as_slice().iter().copied()) {
            Some(fact) => fact,
            None => cache.read(&digests.into()).await?,
        };
        let (Fact::Known(entry) | Fact::Stale(entry)) = fact else { return Ok(None) };
        let flags = entry.flags();
        let has_ended = flags.is_revoked() || flags.is_disabled() || flags.is_owner_disabled();
        let is_active = flags.is_session() && !has_ended && !self.has_expired(entry.expires_at());
        Ok(is_active.then(|| entry.record().clone()))
    }

    /// Returns whether a user can present a password.
    #[cfg(feature = "password")]
    pub(crate) fn accepts_passwords(&self) -> bool {
        let Inner { passwords, sources, .. } = &*self.0;
        passwords.is_enabled() && sources.iter().any(|source| *source.scheme() == Scheme::Basic)
    }

    /// Returns the clock by which keys expire.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }
}
