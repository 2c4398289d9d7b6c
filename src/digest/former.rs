//! Former digesters: keys that were stored under them are found until they have a digest of the current one.

// Layer 1 of 10: words.

use std::fmt;

use super::{Digest, Digester, Fingerprint};
use crate::error::ConfigError;

/// The most former digesters. A lookup of an unknown key computes a digest of each.
pub(crate) const MAX_FORMER: usize = 3;

/// A digester under which keys were stored before the current one.
///
/// ```
/// use tower_api_key::digest::{Digester, FormerDigester};
/// use tower_api_key::{Authenticator, MemoryStore};
///
/// let authenticator = Authenticator::builder(MemoryStore::new())
///     .digester(Digester::hmac_sha256(b"a pepper of 32 random bytes here")?)
///     .former_digester(Digester::sha256())
///     .former_digester(FormerDigester::hmac_sha256(b"a pepper of old!")?)
///     .build()?;
/// # Ok::<(), tower_api_key::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct FormerDigester {
    digester: Digester,
    /// Whether its fingerprint is no oracle for the pepper.
    has_fingerprint: bool,
}

impl FormerDigester {
    /// Creates a digester that applies HMAC-SHA-256 under a pepper of at least 16 bytes. A current one must have 32.
    ///
    /// # Errors
    ///
    /// When the pepper is shorter than 16 bytes.
    pub fn hmac_sha256(pepper: &[u8]) -> Result<Self, ConfigError> {
        let digester = Digester::with_pepper(pepper, 16)?;
        Ok(Self { digester, has_fingerprint: pepper.len() >= super::MIN_PEPPER })
    }

    /// Returns the digest of the text of a key.
    pub fn digest(&self, text: &[u8]) -> Digest {
        self.digester.digest(text)
    }

    /// Returns the fingerprint, or `None` for a pepper of less than 32 bytes: a store that is copied would let an attacker test guesses of it.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.has_fingerprint.then(|| self.digester.fingerprint())
    }
}

impl From<Digester> for FormerDigester {
    fn from(digester: Digester) -> Self {
        Self { digester, has_fingerprint: true }
    }
}

impl fmt::Debug for FormerDigester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.digester, f)
    }
}

/// The digesters of an authenticator or a manager.
#[derive(Debug, Clone, Default)]
pub(crate) struct Digesters {
    pub(crate) current: Digester,
    pub(crate) former: Vec<FormerDigester>,
}

impl Digesters {
    /// Returns the digests of a text under the former digesters.
    pub(crate) fn former_digests<'s>(&'s self, text: &'s [u8]) -> impl Iterator<Item = Digest> + 's {
        self.former.iter().map(|former| former.digest(text))
    }

    /// Returns whether two of the digesters are the same.
    pub(crate) fn has_repetition(&self) -> bool {
        let probe = Digests::new(self.current.digest(b""), self.former_digests(b""));
        let digests = probe.as_slice();
        digests.iter().enumerate().any(|(index, digest)| digests[..index].contains(digest))
    }

    /// Returns the fingerprints of all digesters; `None` if one has none.
    pub(crate) fn fingerprints(&self) -> Option<Box<[Fingerprint]>> {
        let former = self.former.iter().map(FormerDigester::fingerprint);
        former.chain([Some(self.current.fingerprint())]).collect()
    }
}

/// The digests of one text: that of the current digester first. A key is known under one of them at least.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digests {
    list: [Digest; 1 + MAX_FORMER],
    len: usize,
}

impl Digests {
    pub(crate) fn new(current: Digest, former: impl IntoIterator<Item = Digest>) -> Self {
        let mut digests = Self { list: [current; 1 + MAX_FORMER], len: 1 };
        former.into_iter().for_each(|digest| digests.push_former(digest));
        digests
    }

    pub(crate) fn push_former(&mut self, digest: Digest) {
        // OK because the builder accepts no more than `MAX_FORMER`.
        self.list[self.len] = digest;
        self.len += 1;
    }

    pub(crate) fn as_slice(&self) -> &[Digest] {
        &self.list[..self.len]
    }
}
