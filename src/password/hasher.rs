//! Argon2id, whose parameters are part of each hash.

// Layer 3 of 10: storage.

use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::{Error, phc};
use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier};

use super::{PasswordError, PasswordErrorKind};
use crate::password_hash::PasswordHash;

pub(super) struct Hasher {
    argon2: Argon2<'static>,
    runs: AtomicU64,
}

impl Hasher {
    pub(super) fn new(memory: u32, passes: u32) -> Result<Self, PasswordError> {
        let params = Params::new(memory, passes, 1, None).map_err(|_| failed())?;
        Ok(Self { argon2: Argon2::from(params), runs: AtomicU64::new(0) })
    }

    pub(super) fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Creates a hash with a random salt.
    pub(super) fn hash(&self, secret: &[u8]) -> Result<PasswordHash, PasswordError> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let hash = self.argon2.hash_password(secret).map_err(|_| failed())?;
        PasswordHash::new(&hash.to_string()).map_err(|_| failed())
    }

    /// Returns whether a hash is that of a secret, or `None` if the hash cannot be parsed.
    pub(super) fn verify(&self, hash: &PasswordHash, secret: &[u8]) -> Option<bool> {
        let hash = phc::PasswordHash::new(hash.as_str()).ok()?;
        if hash.salt.is_none() || hash.hash.is_none() {
            return None;
        }
        let verdict = match self.argon2.verify_password(secret, &hash) {
            Ok(()) => true,
            Err(Error::PasswordInvalid) => false,
            Err(_) => return None,
        };
        self.runs.fetch_add(1, Ordering::Relaxed);
        Some(verdict)
    }

    /// Returns whether a hash was made with less work than this hasher uses.
    pub(super) fn is_outdated(&self, hash: &PasswordHash) -> bool {
        let parsed = phc::PasswordHash::new(hash.as_str()).ok();
        let made_with = parsed.and_then(|hash| Params::try_from(&hash).ok());
        let now = self.argon2.params();
        made_with.is_some_and(|made| made.m_cost() < now.m_cost() || made.t_cost() < now.t_cost())
    }
}

fn failed() -> PasswordError {
    PasswordError::new(PasswordErrorKind::Failed)
}
