//! What the store is asked: for a key, or for a person who presents a password.

use crate::backend::{BackendError, ErasedBackend};
use crate::digest::Digest;
#[cfg(feature = "password")]
use crate::environment::Environment;
use crate::record::Record;
#[cfg(feature = "password")]
use crate::scope::Scopes;

#[derive(Clone)]
pub(crate) enum LookupKey {
    /// The key with this digest.
    Key(Digest),
    /// The person with this e-mail, who acts in this environment and may do this beside what the roles grant.
    #[cfg(feature = "password")]
    Account { digest: Digest, email: super::sync::Arc<str>, environment: Environment, scopes: Scopes },
}

impl LookupKey {
    /// Returns what stands for the answer in the cache.
    pub(super) fn digest(&self) -> Digest {
        match self {
            Self::Key(digest) => *digest,
            #[cfg(feature = "password")]
            Self::Account { digest, .. } => *digest,
        }
    }

    pub(super) async fn ask(&self, backend: &dyn ErasedBackend) -> Result<Option<Record>, BackendError> {
        match self {
            Self::Key(digest) => backend.find(digest).await,
            #[cfg(feature = "password")]
            Self::Account { email, environment, scopes, .. } => {
                let user = backend.find_user(email).await?;
                Ok(user.map(|user| Record::of_account(user, *environment, scopes)))
            }
        }
    }
}

impl From<Digest> for LookupKey {
    fn from(digest: Digest) -> Self {
        Self::Key(digest)
    }
}
