//! What was verified before, so that a client that sends its password with each request is hashed once.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use moka::sync::Cache;
use sha2::Sha256;

use super::{PasswordError, PasswordErrorKind};
use crate::digest::Digest;
use crate::password_hash::PasswordHash;

/// How many verdicts are remembered, and for how long. They do not become untrue, since a hash that was changed is another one; the time
/// only bounds what a copy of the memory would hold.
const MOST: u64 = 10_000;
const RIGHT: Duration = Duration::from_secs(600);

/// A person, a hash and a secret, digested under a key that leaves this process as little as the secret does.
pub(super) type VerificationKey = Digest;

/// The right ones: of a wrong one, the hash would tell that a person has it, by when it is made anew.
pub(super) struct VerificationCache {
    key: Hmac<Sha256>,
    right: Cache<VerificationKey, ()>,
}

impl VerificationCache {
    pub(super) fn new() -> Result<Self, PasswordError> {
        let failed = || PasswordError::new(PasswordErrorKind::Failed);
        let mut key = zeroize::Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key).map_err(|_| failed())?;
        let right = Cache::builder().max_capacity(MOST).time_to_live(RIGHT).build();
        let key = Hmac::new_from_slice(&*key).map_err(|_| failed())?;
        Ok(Self { key, right })
    }

    /// Says in one digest who presents what against which hash. Each part says how long it is, so that no two questions
    /// read alike.
    pub(super) fn verification_key(
        &self,
        email: &str,
        hash: &PasswordHash,
        secret: &[u8],
    ) -> VerificationKey {
        self.digest([email.as_bytes(), hash.as_str().as_bytes(), secret])
    }

    /// Says in one digest who presents what, as [`wording`](Self::wording) does where there is no hash: none is empty.
    pub(super) fn attempt(&self, email: &str, secret: &[u8]) -> Digest {
        self.digest([email.as_bytes(), b"", secret])
    }

    fn digest(&self, parts: [&[u8]; 3]) -> Digest {
        let mut mac = self.key.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Digest::from_bytes(mac.finalize().into_bytes().into())
    }

    pub(super) fn is_right(&self, verification_key: &VerificationKey) -> bool {
        self.right.get(verification_key).is_some()
    }

    pub(super) fn insert_right(&self, verification_key: VerificationKey) {
        self.right.insert(verification_key, ());
    }
}
