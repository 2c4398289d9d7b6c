//! Argon2id, with parameters that stand in each hash.

use argon2::password_hash::phc;
use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier};

use super::{PasswordError, PasswordErrorKind};
use crate::password_hash::PasswordHash;

pub(super) struct Hasher(Argon2<'static>);

impl Hasher {
    pub(super) fn new(memory: u32, passes: u32) -> Result<Self, PasswordError> {
        let params = Params::new(memory, passes, 1, None).map_err(|_| failed())?;
        Ok(Self(Argon2::from(params)))
    }

    /// Makes a hash with a salt of its own.
    pub(super) fn hash(&self, secret: &[u8]) -> Result<PasswordHash, PasswordError> {
        let hash = self.0.hash_password(secret).map_err(|_| failed())?;
        PasswordHash::new(&hash.to_string()).map_err(|_| failed())
    }

    /// Tells whether a hash is that of a secret. A hash that cannot be read is of none.
    pub(super) fn verify(&self, hash: &PasswordHash, secret: &[u8]) -> bool {
        self.0.verify_password(secret, hash.as_str()).is_ok()
    }

    /// Tells whether a hash was made with less work than this hasher puts into one.
    pub(super) fn is_outdated(&self, hash: &PasswordHash) -> bool {
        let parsed = phc::PasswordHash::new(hash.as_str()).ok();
        let made_with = parsed.and_then(|hash| Params::try_from(&hash).ok());
        let now = self.0.params();
        made_with.is_some_and(|made| made.m_cost() < now.m_cost() || made.t_cost() < now.t_cost())
    }
}

fn failed() -> PasswordError {
    PasswordError::new(PasswordErrorKind::Failed)
}
