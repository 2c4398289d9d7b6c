//! The text of a key and its public id.
//!
//! A minted key reads `{prefix}_{environment}_{32 base62 characters}{6 characters of checksum}`. It is shown once, by
//! [`ApiKey::reveal`]; what remains is a [`Digest`], a [`KeyId`] and a hint of a few characters.
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

/// A key that was just minted: wiped when dropped, without a `Debug` text, shown once.
pub struct ApiKey {
    text: Zeroizing<String>,
    environment: Environment,
    hint: Box<str>,
}

impl ApiKey {
    /// Gives up the text. This is the only way to it, so it can be shown once.
    #[must_use = "the text cannot be had again"]
    pub fn reveal(self) -> RevealedKey {
        RevealedKey(self.text)
    }

    /// Returns the digest to store.
    pub fn digest(&self, digester: &Digester) -> Digest {
        digester.digest(self.text.as_bytes())
    }

    /// Returns a copy of the text to keep, for a key that is no secret.
    #[cfg(feature = "manage")]
    pub(crate) fn retrievable(&self) -> RetrievableKey {
        RetrievableKey::new(self.text.as_str())
    }

    /// Returns the environment in the text.
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// Returns the part that may be shown later, so that people recognise the key: `demo_live_a1b2c3...`.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("hint", &self.hint).finish_non_exhaustive()
    }
}

/// The text of a key that is no secret, such as one that devices carry to say which project they belong to. It is kept
/// beside its digest, so that it can be read back, and has no `Debug` text all the same.
#[derive(Clone, PartialEq, Eq)]
pub struct RetrievableKey(Box<str>);

impl RetrievableKey {
    /// Takes the text of a key for one that is no secret.
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

/// The text of a key on its way to its owner. Wiped when dropped.
pub struct RevealedKey(Zeroizing<String>);

impl RevealedKey {
    /// Returns the text, a secret.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RevealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RevealedKey(..)")
    }
}
