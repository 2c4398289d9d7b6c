//! A key format of random characters with an optional prefix.

// Layer 1 of 10: words.

use super::format::BASE62;
use crate::ascii::all;
use crate::error::{ConfigError, ConfigErrorKind};

/// Lower-case hexadecimal digits.
const HEX: &[u8] = b"0123456789abcdef";

/// The most random characters of a key.
const MAX_LENGTH: usize = 128;

/// A key format without environment and checksum.
///
/// For clients that expect the keys of another service. A mistyped key costs a lookup, so prefer
/// [`KeyFormat`](super::KeyFormat) for new keys. A [`Source`](crate::Source) without a format accepts opaque keys.
///
/// ```
/// use tower_api_key::Environment;
/// use tower_api_key::key::OpaqueFormat;
///
/// let token = OpaqueFormat::base62(32)?.prefix("oat_")?.mint(Environment::Live)?;
/// assert!(token.hint().starts_with("oat_"));
/// assert_eq!(OpaqueFormat::hex(32)?.mint(Environment::Live)?.reveal().as_str().len(), 32);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OpaqueFormat {
    pub(super) prefix: Box<str>,
    pub(super) alphabet: &'static [u8],
    /// The number of random characters.
    pub(super) length: usize,
}

impl OpaqueFormat {
    /// Creates a format of `length` lower-case hexadecimal digits, of 4 bits each.
    ///
    /// # Errors
    ///
    /// When `length` is not 32 to 128.
    pub fn hex(length: usize) -> Result<Self, ConfigError> {
        Self::new(HEX, 32, length)
    }

    /// Creates a format of `length` letters and digits, of almost 6 bits each.
    ///
    /// # Errors
    ///
    /// When `length` is not 22 to 128.
    pub fn base62(length: usize) -> Result<Self, ConfigError> {
        Self::new(BASE62, 22, length)
    }

    /// Sets the text before the random characters.
    ///
    /// # Errors
    ///
    /// When the prefix is not 1 to 32 letters, digits, `-`, `_` and `.`.
    pub fn prefix(self, prefix: impl Into<Box<str>>) -> Result<Self, ConfigError> {
        let prefix = prefix.into();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if (1..=32).contains(&prefix.len()) && all(prefix.as_bytes(), is_plain) {
            return Ok(Self { prefix, ..self });
        }
        // A whole key may have been passed by mistake, so the text is not shown.
        let message = "key prefix is invalid: must be 1 to 32 letters, digits, `-`, `_` and `.`";
        Err(ConfigError::new(ConfigErrorKind::KeyFormat, message))
    }

    /// Creates a format of at least `min_length` characters, which hold 128 bits.
    fn new(alphabet: &'static [u8], min_length: usize, length: usize) -> Result<Self, ConfigError> {
        if (min_length..=MAX_LENGTH).contains(&length) {
            return Ok(Self { prefix: Box::default(), alphabet, length });
        }
        let message = format!("length of an opaque key must be {min_length} to {MAX_LENGTH}, got {length}");
        Err(ConfigError::new(ConfigErrorKind::KeyFormat, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;
    use crate::key::RevealedKey;

    #[test]
    fn a_key_is_its_prefix_and_random_characters_of_the_alphabet() {
        for (format, prefix, length, shown) in [
            (OpaqueFormat::hex(32).unwrap(), "", 32, 4),
            (OpaqueFormat::hex(128).unwrap().prefix("a.b-c_").unwrap(), "a.b-c_", 128, 6),
            (OpaqueFormat::base62(22).unwrap().prefix("oat_").unwrap(), "oat_", 22, 3),
        ] {
            let key = format.mint(Environment::Test).unwrap();
            assert_eq!(key.environment(), Environment::Test);
            let hint = key.hint().to_owned();
            let text = key.reveal();
            let random = text.as_str().strip_prefix(prefix).unwrap();
            assert_eq!(random.len(), length);
            assert!(random.bytes().all(|byte| format.alphabet.contains(&byte)), "{random}");
            assert_eq!(hint, format!("{prefix}{}...", &random[..shown]));
        }
    }

    #[test]
    fn every_character_of_the_alphabet_is_used_and_no_key_repeats() {
        let format = OpaqueFormat::hex(32).unwrap();
        let keys: Vec<_> = (0..64).map(|_| format.mint(Environment::Live).unwrap().reveal()).collect();
        let used = |symbol: &u8| keys.iter().any(|key| key.as_str().as_bytes().contains(symbol));
        assert!(HEX.iter().all(used));
        let different: std::collections::BTreeSet<_> = keys.iter().map(RevealedKey::as_str).collect();
        assert_eq!(different.len(), keys.len());
    }

    #[test]
    fn a_format_of_guessable_or_malformed_keys_is_rejected() {
        for wrong in [
            OpaqueFormat::hex(31),
            OpaqueFormat::hex(129),
            OpaqueFormat::base62(21),
            OpaqueFormat::hex(32).unwrap().prefix(""),
            OpaqueFormat::hex(32).unwrap().prefix("a b"),
            OpaqueFormat::hex(32).unwrap().prefix("a,b"),
            OpaqueFormat::hex(32).unwrap().prefix("x".repeat(33)),
        ] {
            let error = wrong.unwrap_err();
            assert_eq!(error.kind(), ConfigErrorKind::KeyFormat);
            assert!(error.to_string().contains(" must be "), "{error}");
        }
    }
}
