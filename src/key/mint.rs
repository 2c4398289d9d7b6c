//! Minting of keys from the random generator of the operating system.

// Layer 1 of 10: words.

use std::fmt;

use zeroize::Zeroizing;

use super::format::{BASE62, CHECKSUM_LEN, KeyFormat, RANDOM_LEN, checksum};
use super::{ApiKey, OpaqueFormat};
use crate::digest::Fingerprint;
use crate::environment::Environment;

/// The most random characters in a hint.
const MAX_HINT_LEN: usize = 6;

/// The entropy that a hint leaves hidden (OWASP ASVS 5.0, 6.5.2). Hints are stored in the clear, and shown in lists and logs.
const HIDDEN_BITS: f64 = 112.0;

/// Trait for formats that can mint keys: [`KeyFormat`] and [`OpaqueFormat`].
pub trait Mint: fmt::Debug + Send + Sync + 'static {
    /// Mints a key.
    ///
    /// # Errors
    ///
    /// When the random generator of the operating system fails.
    fn mint(&self, environment: Environment) -> Result<ApiKey, MintError>;

    /// Returns the fingerprint by which a store recognizes the format. The default returns `None`: nodes do not check the format.
    fn fingerprint(&self) -> Option<Fingerprint> {
        None
    }
}

impl Mint for KeyFormat {
    fn mint(&self, environment: Environment) -> Result<ApiKey, MintError> {
        self.mint(environment)
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        Some(Fingerprint::of_format(self.prefix()))
    }
}

impl Mint for OpaqueFormat {
    fn mint(&self, environment: Environment) -> Result<ApiKey, MintError> {
        self.mint(environment)
    }
}

impl KeyFormat {
    /// Mints a key.
    ///
    /// # Errors
    ///
    /// When the random generator of the operating system fails.
    pub fn mint(&self, environment: Environment) -> Result<ApiKey, MintError> {
        let label = environment.label();
        // The capacity is exact: a string that grows leaves unwiped copies of itself behind.
        let capacity = self.prefix().len() + label.len() + 2 + RANDOM_LEN + CHECKSUM_LEN;
        let mut text = Zeroizing::new(String::with_capacity(capacity));
        for part in [self.prefix(), "_", label, "_"] {
            text.push_str(part);
        }
        let hint = push_random(&mut text, RANDOM_LEN, BASE62)?;
        for digit in checksum(text.as_bytes()) {
            text.push(char::from(digit));
        }
        Ok(ApiKey { text, environment, hint })
    }
}

impl OpaqueFormat {
    /// Mints a key for this environment. The text does not name the environment.
    ///
    /// # Errors
    ///
    /// When the random generator of the operating system fails.
    pub fn mint(&self, environment: Environment) -> Result<ApiKey, MintError> {
        let mut text = Zeroizing::new(String::with_capacity(self.prefix.len() + self.length));
        text.push_str(&self.prefix);
        let hint = push_random(&mut text, self.length, self.alphabet)?;
        Ok(ApiKey { text, environment, hint })
    }
}

/// Appends random characters, and returns the hint: the previous text and the first random characters. Bytes that would bias the
/// choice are discarded.
fn push_random(text: &mut String, length: usize, alphabet: &[u8]) -> Result<Box<str>, MintError> {
    let limit = 256 - 256 % alphabet.len();
    let (start, full) = (text.len(), text.len() + length);
    let mut pool = Zeroizing::new([0; 48]);
    while text.len() < full {
        getrandom::fill(&mut *pool).map_err(MintError::new)?;
        let unbiased = pool.iter().map(|&byte| usize::from(byte)).filter(|&value| value < limit);
        for value in unbiased.take(full - text.len()) {
            text.push(char::from(alphabet[value % alphabet.len()]));
        }
    }
    Ok([&text[..start + hint_len(length, alphabet)], "..."].concat().into())
}

/// Returns the number of random characters in a hint, so that the rest has [`HIDDEN_BITS`].
fn hint_len(length: usize, alphabet: &[u8]) -> usize {
    let needed = (HIDDEN_BITS / (alphabet.len() as f64).log2()).ceil() as usize;
    length.saturating_sub(needed).min(MAX_HINT_LEN)
}

/// A failure of the random generator of the operating system. No key was minted.
#[derive(Debug)]
pub struct MintError(getrandom::Error);

impl MintError {
    pub(super) fn new(cause: getrandom::Error) -> Self {
        Self(cause)
    }
}

impl fmt::Display for MintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot read random bytes from the operating system")
    }
}

impl std::error::Error for MintError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_the_generator_is_the_source_of_the_error() {
        use std::error::Error;

        let error = MintError::new(getrandom::Error::UNSUPPORTED);
        assert_eq!(error.to_string(), "cannot read random bytes from the operating system");
        assert_eq!(error.source().unwrap().to_string(), getrandom::Error::UNSUPPORTED.to_string());
    }

    #[test]
    fn a_hint_hides_112_bits() {
        let hex = b"0123456789abcdef";
        for (length, alphabet, expected) in [
            (32, &hex[..], 4),
            (34, hex, 6),
            (28, hex, 0),
            (22, BASE62, 3),
            (RANDOM_LEN, BASE62, 6),
            (1, hex, 0),
        ] {
            assert_eq!(hint_len(length, alphabet), expected, "{length} of {}", alphabet.len());
        }
    }

    #[test]
    fn the_text_of_a_key_never_grows() {
        for (prefix, environment) in [("m", Environment::Live), ("mem_pool", Environment::Test)] {
            let key = KeyFormat::new(prefix).unwrap().mint(environment).unwrap();
            assert_eq!(key.text.capacity(), key.text.len());
        }
        let key = OpaqueFormat::hex(32).unwrap().prefix("oat_").unwrap().mint(Environment::Live).unwrap();
        assert_eq!(key.text.capacity(), key.text.len());
    }
}
