//! The key of a lookup: the digests of an API key, or the e-mail of a user who presents a password.
//!
//! No other file of the cache asks the backend for a record. This one knows no entries and no other lookups.

// Layer 6 of 10: cache.

use crate::backend::{BackendError, ErasedBackend};
use crate::digest::{Digest, Digests};
#[cfg(feature = "password")]
use crate::environment::Environment;
use crate::record::Record;
#[cfg(feature = "password")]
use crate::scope::Scopes;

#[derive(Clone)]
pub(crate) enum LookupKey {
    /// The key with one of these digests.
    ApiKey(Digests),
    /// The user with this e-mail, whose [digest](Digest::of_user) it also has. The user acts in this environment and has these scopes beside
    /// those of their roles.
    #[cfg(feature = "password")]
    User { digest: Digest, email: std::sync::Arc<str>, environment: Environment, scopes: Scopes },
}

impl LookupKey {
    /// Returns the digests of the lookup, the current one first. The record of the answer has one of them.
    pub(crate) fn digests(&self) -> &[Digest] {
        match self {
            Self::ApiKey(digests) => digests.as_slice(),
            #[cfg(feature = "password")]
            Self::User { digest, .. } => std::slice::from_ref(digest),
        }
    }

    pub(super) async fn find(&self, backend: &dyn ErasedBackend) -> Result<Option<Record>, BackendError> {
        match self {
            Self::ApiKey(digests) => backend.find(digests.as_slice()).await,
            #[cfg(feature = "password")]
            Self::User { email, environment, scopes, .. } => {
                let user = backend.find_user(email).await?;
                Ok(user.map(|user| Record::of_user(user, *environment, scopes)))
            }
        }
    }
}

impl From<Digest> for LookupKey {
    fn from(digest: Digest) -> Self {
        Self::ApiKey(Digests::new(digest, []))
    }
}

impl From<Digests> for LookupKey {
    fn from(digests: Digests) -> Self {
        Self::ApiKey(digests)
    }
}
