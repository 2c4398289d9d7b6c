//! Passwords beside keys: `Basic base64(email:password)`, by Argon2id (RFC 9106).
//!
//! A password is weak, so its hash is slow on purpose. To protect the server from overload, hashing runs off the async threads, with limited
//! concurrency and a separate queue; when the queue is full, the response is 503. A key is the better credential: fast, revocable by itself,
//! and with its own scopes.
//!
//! Under a pepper ([`Digester::hmac_sha256`](crate::digest::Digester::hmac_sha256)), no lookup reveals a password to the store. Without one,
//! the SHA-256 of the password is looked up in the store, as the password may be the text of a key.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use http::HeaderMap;
//! use tower_api_key::backend::{OwnerChange, OwnerStore};
//! use tower_api_key::password::Passwords;
//! use tower_api_key::{Authenticator, MemoryStore, Source};
//!
//! let passwords = Passwords::new()?;
//! let store = MemoryStore::new();
//! store.change_owner(OwnerChange::put_user("aladdin@example.com")).await?;
//! let hash = passwords.hash("open sesame").await?;
//! store.change_owner(OwnerChange::set_password("aladdin@example.com", Some(hash))).await?;
//!
//! let authenticator = Authenticator::builder(store).sources([Source::basic()]).passwords(passwords).build()?;
//! let mut headers = HeaderMap::new();
//! headers.insert("authorization", "Basic YWxhZGRpbkBleGFtcGxlLmNvbTpvcGVuIHNlc2FtZQ==".parse()?);
//! let principal = authenticator.authenticate(&headers).await?;
//! assert_eq!(principal.owner().email(), Some("aladdin@example.com"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

// Layer 3 of 10: storage.
// Above `password_hash`; below `authenticator`. Bottom to top, a file importing only those before it:
// `error`, `hasher`, `queue`, `verification_cache`, `self`.

mod error;
mod hasher;
mod queue;
mod verification_cache;

pub use error::{PasswordError, PasswordErrorKind};

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::digest::Digest;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::password_hash::PasswordHash;
use hasher::Hasher;
use queue::Queue;
use verification_cache::{VerificationCache, VerificationKey};

/// Hashes and verifies passwords. A clone shares the queue and the cache of verified passwords.
///
/// A verified password is recognized without hashing it again, by a digest under a random key of this process. The hash of the user is
/// looked up each time, as a key is.
#[derive(Clone)]
pub struct Passwords(Arc<Inner>);

struct Inner {
    hasher: Hasher,
    queue: Queue,
    verification_cache: VerificationCache,
    /// A hash that matches no password. It is verified for users who do not exist, so that they take as long as users who do.
    dummy: PasswordHash,
}

/// The work of a hash, and the limits of the queue.
///
/// The default is the recommendation of OWASP for Argon2id (19 MiB, 2 passes), two hashes at a time, and 64 that wait for up to 2 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PasswordLimits {
    /// Memory of one hash, in KiB: 8 to 1,048,576.
    pub memory: u32,
    /// Passes over the memory: 1 to 100.
    pub passes: u32,
    /// Hashes that are created or verified at a time: 1 to 1,000.
    pub concurrent: usize,
    /// Capacity of the queue. When it is full, the response is 503 at once.
    pub waiting: usize,
    /// The time that a password waits in the queue, up to 60 s. After that, the response is 503.
    pub patience: Duration,
}

impl Default for PasswordLimits {
    fn default() -> Self {
        Self { memory: 19 * 1024, passes: 2, concurrent: 2, waiting: 64, patience: Duration::from_secs(2) }
    }
}

impl PasswordLimits {
    /// Creates the default limits.
    ///
    /// ```
    /// use tower_api_key::password::PasswordLimits;
    ///
    /// let limits = PasswordLimits::new().memory(64 * 1024).passes(3);
    /// assert_eq!((limits.memory, limits.passes, limits.concurrent), (65_536, 3, 2));
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the memory of one hash, in KiB.
    #[must_use]
    pub fn memory(self, kibibytes: u32) -> Self {
        Self { memory: kibibytes, ..self }
    }

    /// Sets the passes over the memory.
    #[must_use]
    pub fn passes(self, passes: u32) -> Self {
        Self { passes, ..self }
    }

    /// Sets the number of hashes that are created or verified at a time.
    #[must_use]
    pub fn concurrent(self, hashes: usize) -> Self {
        Self { concurrent: hashes, ..self }
    }

    /// Sets the capacity of the queue.
    #[must_use]
    pub fn waiting(self, passwords: usize) -> Self {
        Self { waiting: passwords, ..self }
    }

    /// Sets the time that a password waits in the queue.
    #[must_use]
    pub fn patience(self, time: Duration) -> Self {
        Self { patience: time, ..self }
    }
}

impl Passwords {
    /// Creates a verifier with the default limits. This computes a hash, and takes as long.
    ///
    /// # Errors
    ///
    /// When the operating system's generator fails.
    pub fn new() -> Result<Self, ConfigError> {
        Self::with_limits(PasswordLimits::default())
    }

    /// Creates a verifier. Hashes that were made with less memory or fewer passes are verified as they are, and replaced.
    ///
    /// # Errors
    ///
    /// When a limit is out of its range, or the operating system's generator fails.
    pub fn with_limits(limits: PasswordLimits) -> Result<Self, ConfigError> {
        limits.check()?;
        let wrong = |error| ConfigError::new(ConfigErrorKind::PasswordHash, format!("{error}"));
        let hasher = Hasher::new(limits.memory, limits.passes).map_err(wrong)?;
        let dummy = hasher.hash(b"").map_err(wrong)?;
        let queue = Queue::new(limits.concurrent, limits.waiting, limits.patience);
        Ok(Self(Arc::new(Inner {
            hasher,
            queue,
            verification_cache: VerificationCache::new().map_err(wrong)?,
            dummy,
        })))
    }

    /// Hashes a new password, for an [`OwnerStore`](crate::backend::OwnerStore) to keep.
    ///
    /// # Errors
    ///
    /// [`Empty`](PasswordErrorKind::Empty) for an empty password, which no credential can have;
    /// [`Busy`](PasswordErrorKind::Busy) if the queue is full; [`Failed`](PasswordErrorKind::Failed) if the operating system's
    /// generator fails.
    ///
    /// # Panics
    ///
    /// When called outside a Tokio runtime.
    pub async fn hash(&self, password: &str) -> Result<PasswordHash, PasswordError> {
        if password.is_empty() {
            return Err(PasswordError::new(PasswordErrorKind::Empty));
        }
        let (passwords, secret) = (self.clone(), Zeroizing::new(password.as_bytes().to_vec()));
        self.0.queue.run(move || passwords.0.hasher.hash(&secret)).await?
    }

    /// Returns how often Argon2 has run, for a metric of the cost of passwords.
    pub fn hashes(&self) -> u64 {
        self.0.hasher.runs()
    }

    /// Returns whether a password was verified before, without hashing it.
    pub(crate) fn was_verified(&self, email: &str, hash: Option<&PasswordHash>, secret: &[u8]) -> bool {
        let against = hash.unwrap_or(&self.0.dummy);
        self.0
            .verification_cache
            .is_right(&self.0.verification_cache.verification_key(email, against, secret))
    }

    /// Returns the digest of an attempt to sign in, which does not depend on whether the user exists.
    pub(crate) fn attempt_digest(&self, email: &str, secret: &[u8]) -> Digest {
        self.0.verification_cache.attempt_digest(email, secret)
    }

    /// Returns whether a password is that of a user with this hash. Without a hash, it is wrong, and verifying it takes as long. Remembers
    /// a right one.
    pub(crate) async fn verify(
        &self,
        email: &str,
        hash: Option<&PasswordHash>,
        secret: Zeroizing<Vec<u8>>,
    ) -> Result<bool, PasswordError> {
        let against = hash.unwrap_or(&self.0.dummy).clone();
        let verification_key = self.0.verification_cache.verification_key(email, &against, &secret);
        if self.0.verification_cache.is_right(&verification_key) {
            return Ok(true);
        }
        let passwords = self.clone();
        let exists = hash.is_some();
        self.0.queue.run(move || passwords.verify_in_queue(verification_key, &against, &secret, exists)).await
    }

    /// Verifies a password once it has a permit of the queue. Of several requests with the same right password, one hashes.
    fn verify_in_queue(
        &self,
        verification_key: VerificationKey,
        against: &PasswordHash,
        secret: &[u8],
        exists: bool,
    ) -> bool {
        if self.0.verification_cache.is_right(&verification_key) {
            return true;
        }
        let hasher = &self.0.hasher;
        // A hash that cannot be parsed takes no time, which would reveal that the user exists.
        let is_right =
            hasher.verify(against, secret).or_else(|| hasher.verify(&self.0.dummy, secret).and(None));
        let verdict = is_right.unwrap_or(false) && exists;
        if verdict {
            self.0.verification_cache.insert_right(verification_key);
        }
        verdict
    }

    /// Returns whether a hash was made with less work than is configured now.
    pub(crate) fn is_outdated(&self, hash: &PasswordHash) -> bool {
        self.0.hasher.is_outdated(hash)
    }

    /// Hashes a verified password again.
    pub(crate) async fn rehash(&self, secret: Zeroizing<Vec<u8>>) -> Option<PasswordHash> {
        let passwords = self.clone();
        self.0.queue.run(move || passwords.0.hasher.hash(&secret)).await.ok()?.ok()
    }
}

impl PasswordLimits {
    fn check(&self) -> Result<(), ConfigError> {
        let ranges = [
            ("memory of a hash in KiB", u64::from(self.memory), 8..=1_048_576),
            ("passes of a hash", u64::from(self.passes), 1..=100),
            ("hashes at a time", self.concurrent as u64, 1..=1_000),
            ("patience in milliseconds", self.patience.as_millis() as u64, 1..=60_000),
        ];
        match ranges.into_iter().find(|(_, found, range)| !range.contains(found)) {
            Some((what, found, range)) => {
                let message = format!("{what} must be {} to {}, got {found}", range.start(), range.end());
                Err(ConfigError::new(ConfigErrorKind::Limit, message))
            }
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}
