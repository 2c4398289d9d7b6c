//! Judging a principal once more, long after it was admitted.

use super::{Authenticator, Inner};
use crate::cache::{Entry, Fact, LookupError};
use crate::digest::Digest;
use crate::owner::Owner;
use crate::principal::Principal;
use crate::record::Record;
use crate::reject::{Reason, Rejection};
use crate::trace;

impl Principal {
    /// Judges the caller once more, and returns it as it is now, with the scopes and the reach that it has now: for a step that cannot be
    /// undone, after a body that took its time to arrive.
    ///
    /// It is answered from the cache where that counts, as a request is, so what another process changes is seen within the
    /// [lease](crate::AuthenticatorBuilder::lease). It is no transaction: the caller may lose its key right after it. Changes of keys and
    /// owners have one, with [`actor`](Self::actor). The use of the key is not counted again.
    ///
    /// A principal of `test_util` is returned as it is.
    ///
    /// # Errors
    ///
    /// When the caller would not be admitted any more, or another password was set since, or the store gave no answer.
    ///
    /// # Panics
    ///
    /// When polled outside a Tokio runtime and the store has to be asked.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use http::HeaderMap;
    /// use tower_api_key::{Authenticator, Digester, Environment, KeyFormat, KeyId, KeyStore, MemoryStore, Owner, Reason, Record};
    /// use tower_api_key::{Revocation, Timestamp};
    ///
    /// let (store, key) = (MemoryStore::new(), KeyFormat::new("demo")?.mint(Environment::Live)?);
    /// let id = KeyId::new("key_1")?;
    /// store.insert(Record::new(id.clone(), &key, &Digester::sha256(), Owner::organization("acme"))).await?;
    /// let authenticator = Authenticator::builder(store.clone()).build()?;
    /// let mut headers = HeaderMap::new();
    /// headers.insert("x-api-key", key.reveal().as_str().parse()?);
    ///
    /// let caller = authenticator.authenticate(&headers).await?;
    /// assert!(caller.recheck().await.is_ok());
    /// store.revoke(&id, Revocation::new(Timestamp::from_unix_millis(0), "lost")).await?;
    /// assert_eq!(caller.recheck().await.unwrap_err().reason(), &Reason::Revoked);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn recheck(&self) -> Result<Self, Rejection> {
        let Some(authenticator) = &self.issuer().authenticator else { return Ok(self.clone()) };
        let inner = authenticator.upgrade().and_then(|inner| inner.downcast::<Inner>().ok());
        match inner {
            Some(inner) => Authenticator(inner).judge_again(self).await,
            None => {
                trace::authenticator_dropped();
                Err(Rejection::of(self, Reason::Unavailable))
            }
        }
    }
}

impl Authenticator {
    async fn judge_again(&self, principal: &Principal) -> Result<Principal, Rejection> {
        let source = principal.source();
        let digest = principal.record().digest;
        let fact = match self.0.cache.peek(&digest) {
            Some(fact) => Ok(fact),
            None => self.0.cache.read(self.lookup_key_of(principal.record())).await,
        };
        let reason = match fact {
            Ok(Fact::Known(entry) | Fact::Stale(entry)) => match self.check_again(principal, &entry) {
                // OK because the principal has its source from the same authenticator.
                None => return Ok(Principal::new(entry, source as u8)),
                Some(reason) => reason,
            },
            Ok(Fact::Absent) => Reason::Unknown,
            Ok(Fact::Revoked) => Reason::Revoked,
            Err(LookupError) => Reason::Unavailable,
        };
        Err(self.refuse(reason, source).key(principal.key_id().clone()))
    }

    fn check_again(&self, principal: &Principal, entry: &Entry) -> Option<Reason> {
        let (before, now) = (principal.record(), entry.record());
        if before.id != now.id || password_of(before) != password_of(now) {
            return Some(Reason::Unknown);
        }
        self.check_entry(entry, principal.scheme(), None)
    }
}

/// Returns the version of the password by which a person was looked up.
fn password_of(record: &Record) -> Option<Digest> {
    match &record.owner {
        Owner::User(user) => user.password().map(|password| password.version),
        Owner::Organization(_) | Owner::Project(_) => None,
    }
}
