//! The grammar of minted keys: `{prefix}_{environment}_{random}{checksum}`.

use std::fmt;

use crate::ascii::all;
use crate::environment::Environment;
use crate::error::{ConfigError, ConfigErrorKind};

/// The alphabet of base62, in the order in which its characters count.
pub(super) const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Characters of the random part: 190 bits.
pub(super) const RANDOM: usize = 32;

/// Characters of the checksum: 62^6 exceeds 2^32.
pub(super) const CHECKSUM: usize = 6;

/// The format of the keys of one kind, told apart by its prefix.
///
/// The checksum refuses typing errors and random noise without a lookup, and lets a secret scanner confirm a find. It
/// is a CRC-32 and no secret: anyone can make a text that passes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyFormat {
    prefix: Box<str>,
}

impl KeyFormat {
    /// Creates the format of keys that start with `prefix` and an underscore.
    ///
    /// With up to 11 characters in the prefix, a whole key fits into one block of SHA-256.
    ///
    /// # Errors
    ///
    /// When the prefix is not 1 to 32 lower-case letters, digits and underscores, or ends with an underscore.
    pub fn new(prefix: impl Into<Box<str>>) -> Result<Self, ConfigError> {
        let prefix = prefix.into();
        let spelled = prefix.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if spelled && (1..=32).contains(&prefix.len()) && !prefix.ends_with('_') {
            return Ok(Self { prefix });
        }
        Err(ConfigError::new(
            ConfigErrorKind::KeyFormat,
            // A whole key may have been passed by mistake, so the text is not shown.
            "expected a key prefix of 1 to 32 characters a-z, 0-9 and inner underscores, found something else",
        ))
    }

    /// Returns the prefix, without the underscore behind it.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Tells whether `text` starts like a key of this format, whether or not the rest is right.
    pub fn claims(&self, text: &[u8]) -> bool {
        self.strip_prefix(text).is_some()
    }

    /// Checks a whole text against the grammar and its checksum, and returns the environment that it names.
    ///
    /// # Errors
    ///
    /// When the text is not a key of this format. The error names the part and never shows the text.
    pub fn parse(&self, text: &[u8]) -> Result<Environment, ParseKeyError> {
        use ParseKeyErrorKind::{Alphabet, Checksum, Length, Prefix};

        let rest = self.strip_prefix(text).ok_or(ParseKeyError(Prefix))?;
        let (environment, rest) =
            split_environment(rest).ok_or(ParseKeyError(ParseKeyErrorKind::Environment))?;
        let (random, found) = rest.split_first_chunk::<RANDOM>().ok_or(ParseKeyError(Length))?;
        if found.len() != CHECKSUM {
            return Err(ParseKeyError(Length));
        }
        if !all(random, |byte| byte.is_ascii_alphanumeric()) {
            return Err(ParseKeyError(Alphabet));
        }
        let body = &text[..text.len() - CHECKSUM];
        if *found == checksum(body) { Ok(environment) } else { Err(ParseKeyError(Checksum)) }
    }

    fn strip_prefix<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        text.strip_prefix(self.prefix.as_bytes())?.strip_prefix(b"_")
    }
}

fn split_environment(text: &[u8]) -> Option<(Environment, &[u8])> {
    [Environment::Live, Environment::Test].into_iter().find_map(|environment| {
        let rest = text.strip_prefix(environment.label().as_bytes())?.strip_prefix(b"_")?;
        Some((environment, rest))
    })
}

/// The CRC-32 (ISO-HDLC) of everything before it, in base62, most significant character first.
pub(super) fn checksum(body: &[u8]) -> [u8; CHECKSUM] {
    let mut value = crc32fast::hash(body) as usize;
    let mut digits = [0; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[value % BASE62.len()];
        value /= BASE62.len();
    }
    digits
}

/// A text that is not a key of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseKeyError(ParseKeyErrorKind);

/// The first part of a text that a [`KeyFormat`] did not accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParseKeyErrorKind {
    /// The prefix is another one.
    Prefix,
    /// Neither `live` nor `test` follows the prefix.
    Environment,
    /// The rest is too long or too short.
    Length,
    /// The random part has a character outside base62.
    Alphabet,
    /// The checksum does not fit.
    Checksum,
}

impl ParseKeyError {
    /// The text is of another format.
    pub(crate) const PREFIX: Self = Self(ParseKeyErrorKind::Prefix);

    /// Returns which part was not accepted.
    pub fn kind(&self) -> ParseKeyErrorKind {
        self.0
    }
}

impl fmt::Display for ParseKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            ParseKeyErrorKind::Prefix => "expected the prefix of this key format, found another one",
            ParseKeyErrorKind::Environment => "expected live or test behind the prefix, found something else",
            ParseKeyErrorKind::Length => {
                "expected 38 characters behind the environment, found another number"
            }
            ParseKeyErrorKind::Alphabet => {
                "expected 32 letters and digits behind the environment, found something else"
            }
            ParseKeyErrorKind::Checksum => "expected the checksum of the text, found another one",
        })
    }
}

impl std::error::Error for ParseKeyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc32_in_base62() {
        // CRC-32("123456789") is 0xCBF43926 = 3421780262, the check value of the CRC catalogue.
        assert_eq!(&checksum(b"123456789"), b"3jZRME");
    }

    #[test]
    fn a_format_claims_what_starts_like_it() {
        let format = KeyFormat::new("demo").unwrap();
        assert!(format.claims(b"demo_live_x") && format.claims(b"demo_"));
        assert!(!format.claims(b"demo") && !format.claims(b"demolive_x") && !format.claims(b"other_live_x"));
    }

    #[test]
    fn each_error_says_what_was_expected() {
        let format = KeyFormat::new("demo").unwrap();
        for (text, part) in [
            (&b"other"[..], "prefix"),
            (b"demo_prod_", "live or test"),
            (b"demo_live_x", "38 characters"),
            (&[b"demo_live_".as_slice(), &[b'!'; 38]].concat(), "letters and digits"),
            (&[b"demo_live_".as_slice(), &[b'x'; 38]].concat(), "checksum"),
        ] {
            let message = format.parse(text).unwrap_err().to_string();
            assert!(message.starts_with("expected") && message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_prefix_that_could_not_be_told_apart_is_refused() {
        for prefix in ["", "Demo", "de mo", "demo_", "dé", &"a".repeat(33)] {
            assert_eq!(KeyFormat::new(prefix).unwrap_err().kind(), ConfigErrorKind::KeyFormat, "{prefix:?}");
        }
    }
}
