//! The cache of verified passwords. The password of a client that sends it with each request is hashed once.

// Layer 3 of 10: storage.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use moka::sync::Cache;
use sha2::Sha256;

use super::{PasswordError, PasswordErrorKind};
use crate::digest::Digest;
use crate::password_hash::PasswordHash;

/// Capacity and time to live. Entries do not become wrong, since a hash that was changed is another one; the time only bounds what a
/// copy of the memory holds, once the map is used again.
const CAPACITY: u64 = 10_000;
const TTL: Duration = Duration::from_secs(600);

/// A user, a hash and a secret, digested under a key that never leaves this process.
pub(super) type VerificationKey = Digest;

/// Right passwords only: the time at which a wrong one is hashed again would reveal whether a user exists.
pub(super) struct VerificationCache {
    key: Hmac<Sha256>,
    right: Cache<VerificationKey, ()>,
}

impl VerificationCache {
    pub(super) fn new() -> Result<Self, PasswordError> {
        let failed = || PasswordError::new(PasswordErrorKind::Failed);
        let mut key = zeroize::Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key).map_err(|_| failed())?;
        let right = Cache::builder().max_capacity(CAPACITY).time_to_live(TTL).build();
        let key = Hmac::new_from_slice(&*key).map_err(|_| failed())?;
        Ok(Self { key, right })
    }

    /// Returns the digest of an e-mail, a hash and a secret. The length of each part is digested as well, so that different parts give
    /// different digests.
    pub(super) fn verification_key(
        &self,
        email: &str,
        hash: &PasswordHash,
        secret: &[u8],
    ) -> VerificationKey {
        self.digest([email.as_bytes(), hash.as_str().as_bytes(), secret])
    }

    /// Returns the digest of an e-mail and a secret: that of [`verification_key`](Self::verification_key) with an empty hash, which no user
    /// has.
    pub(super) fn attempt_digest(&self, email: &str, secret: &[u8]) -> Digest {
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
