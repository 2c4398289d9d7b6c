//! Password hashes, as a store keeps them.

// Layer 1 of 10: words.

use std::fmt;

use crate::error::{InvalidValue, InvalidValueKind};

/// Characters of the longest hash that is accepted.
const LONGEST: usize = 255;

/// The hash of a user's password: a text in the PHC string format, such as `$argon2id$v=19$m=19456,t=2,p=1$…`, which holds its
/// parameters and its salt. Its `Debug` text does not show it.
///
/// ```
/// use tower_api_key::owner::PasswordHash;
///
/// assert!(PasswordHash::new("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo").is_ok());
/// assert!(PasswordHash::new("a password by mistake").is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Box<str>);

impl PasswordHash {
    /// Creates a hash from its text.
    ///
    /// # Errors
    ///
    /// When `text` is not a hash by Argon2id in the PHC string format, of at most 255 characters.
    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        let is_hash = text.starts_with("$argon2id$") && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_hash && text.len() <= LONGEST {
            return Ok(Self(text.into()));
        }
        // It may be a password, so it is not shown.
        let message = "password hash is invalid: must be an Argon2id hash in the PHC string format";
        Err(InvalidValue::new(InvalidValueKind::PasswordHash, message))
    }

    /// Returns the text of the hash, for a store to keep.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}
