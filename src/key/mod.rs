//! Key formats, minting, and public ids of keys.
//!
//! The text of a minted key is `{prefix}_{environment}_{32 base62 characters}{6 characters of checksum}`. It is shown once, by
//! [`ApiKey::reveal`]; a store keeps a [`Digest`], a [`KeyId`] and a hint of a few characters.
//!
//! ```
//! use tower_api_key::Environment;
//! use tower_api_key::key::KeyFormat;
//!
//! let format = KeyFormat::new("demo")?;
//! let key = format.mint(Environment::Live)?;
//! assert!(key.hint().starts_with("demo_live_"));
//!
//! let text = key.reveal();
//! assert_eq!(format.parse(text.as_str().as_bytes())?, Environment::Live);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// Layer 1 of 10: words.
// Above `clock` and `environment`; below `credential` and `record`. Bottom to top, a file importing only those before it:
// `self`, `format`, `opaque`, `mint`, `id`.

mod format;
mod id;
mod mint;
mod opaque;

pub use format::{KeyFormat, ParseKeyError, ParseKeyErrorKind};
pub use id::KeyId;
pub use mint::{Mint, MintError};
pub use opaque::OpaqueFormat;

use std::fmt;

use zeroize::Zeroizing;

use crate::digest::{Digest, Digester};
use crate::environment::Environment;

/// A newly minted key. Its text is shown once, wiped when dropped, and absent from the `Debug` text.
pub struct ApiKey {
    text: Zeroizing<String>,
    environment: Environment,
    hint: Box<str>,
}

impl ApiKey {
    /// Returns the text. No other method returns it, so it can be shown only once.
    #[must_use = "the text cannot be retrieved again"]
    pub fn reveal(self) -> RevealedKey {
        RevealedKey(self.text)
    }

    /// Returns the digest to store.
    pub fn digest(&self, digester: &Digester) -> Digest {
        digester.digest(self.text.as_bytes())
    }

    /// Returns a copy of the text to store, for a key that is no secret.
    pub(crate) fn retrievable(&self) -> RetrievableKey {
        RetrievableKey::new(self.text.as_str())
    }

    /// Returns the environment of the key.
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// Returns the part of the text that identifies the key to people: `demo_live_a1b2c3...`.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("hint", &self.hint).finish_non_exhaustive()
    }
}

/// The text of a key that is no secret, such as one by which devices name their project. It is stored
/// beside the digest, so that it can be retrieved. Its `Debug` text does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct RetrievableKey(Box<str>);

impl RetrievableKey {
    /// Creates a retrievable key from its text.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RetrievableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RetrievableKey(..)")
    }
}

/// The text of a key to show to its owner. Wiped when dropped.
pub struct RevealedKey(Zeroizing<String>);

impl RevealedKey {
    /// Returns the text, which is a secret.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RevealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RevealedKey(..)")
    }
}
