//! The grammar of minted keys: `{prefix}_{environment}_{random}{checksum}`.

// Layer 1 of 10: words.

use std::fmt;
use std::str::FromStr;

use crate::ascii::all;
use crate::environment::Environment;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::text::{parsed_from_text, serialized_as_text};

/// The digits of base62 in ascending order.
pub(super) const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Length of the random part: 190 bits.
pub(super) const RANDOM_LEN: usize = 32;

/// Length of the checksum: 62^6 exceeds 2^32.
pub(super) const CHECKSUM_LEN: usize = 6;

/// A key format, identified by its prefix, which is its text.
///
/// The checksum rejects mistyped keys and random texts without a lookup, and lets a secret scanner confirm a match. It
/// is a CRC-32 and no secret: any client can make a text with a valid checksum.
///
/// ```
/// use tower_api_key::KeyFormat;
///
/// let format: KeyFormat = "demo".parse()?;
/// assert_eq!(format, KeyFormat::new("demo")?);
/// assert_eq!(format.to_string(), "demo");
/// # Ok::<(), tower_api_key::ConfigError>(())
/// ```
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
        let is_plain = prefix.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if is_plain && (1..=32).contains(&prefix.len()) && !prefix.ends_with('_') {
            return Ok(Self { prefix });
        }
        Err(ConfigError::new(
            ConfigErrorKind::KeyFormat,
            // A whole key may have been passed by mistake, so the text is not shown.
            "key prefix is invalid: must be 1 to 32 characters a-z, 0-9 and inner underscores",
        ))
    }

    /// Returns the prefix, without the underscore behind it.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns whether `text` has the prefix of this format, whether or not the rest is valid.
    pub fn claims(&self, text: &[u8]) -> bool {
        self.strip_prefix(text).is_some()
    }

    /// Checks the grammar and the checksum of a text, and returns its environment.
    ///
    /// # Errors
    ///
    /// When the text is not a key of this format. The error names the invalid part and never shows the text.
    pub fn parse(&self, text: &[u8]) -> Result<Environment, ParseKeyError> {
        use ParseKeyErrorKind::{Alphabet, Checksum, Length, Prefix};

        let rest = self.strip_prefix(text).ok_or(ParseKeyError(Prefix))?;
        let (environment, rest) =
            split_environment(rest).ok_or(ParseKeyError(ParseKeyErrorKind::Environment))?;
        let (random, found_checksum) = rest.split_first_chunk::<RANDOM_LEN>().ok_or(ParseKeyError(Length))?;
        if found_checksum.len() != CHECKSUM_LEN {
            return Err(ParseKeyError(Length));
        }
        if !all(random, |byte| byte.is_ascii_alphanumeric()) {
            return Err(ParseKeyError(Alphabet));
        }
        let body = &text[..text.len() - CHECKSUM_LEN];
        // Decoded, as to encode takes six divisions.
        let matches = decode(found_checksum) == Some(crc32fast::hash(body).into());
        if matches { Ok(environment) } else { Err(ParseKeyError(Checksum)) }
    }

    fn strip_prefix<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        text.strip_prefix(self.prefix.as_bytes())?.strip_prefix(b"_")
    }
}

impl fmt::Display for KeyFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.prefix)
    }
}

impl AsRef<str> for KeyFormat {
    fn as_ref(&self) -> &str {
        &self.prefix
    }
}

impl FromStr for KeyFormat {
    type Err = ConfigError;

    fn from_str(prefix: &str) -> Result<Self, ConfigError> {
        Self::new(prefix)
    }
}

parsed_from_text!(KeyFormat, "the prefix of a key format");
serialized_as_text!(KeyFormat);

fn split_environment(text: &[u8]) -> Option<(Environment, &[u8])> {
    [Environment::Live, Environment::Test].into_iter().find_map(|environment| {
        let rest = text.strip_prefix(environment.label().as_bytes())?.strip_prefix(b"_")?;
        Some((environment, rest))
    })
}

/// Returns the CRC-32 (ISO-HDLC) of `body` in base62, most significant digit first.
pub(super) fn checksum(body: &[u8]) -> [u8; CHECKSUM_LEN] {
    let mut value = crc32fast::hash(body) as usize;
    let mut digits = [0; CHECKSUM_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[value % BASE62.len()];
        value /= BASE62.len();
    }
    digits
}

/// The value of each base62 digit, and `NO_DIGIT` for all other bytes.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < BASE62.len() {
        values[BASE62[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// A bit that no value of a digit has.
const NO_DIGIT: u8 = 0x80;

/// Returns the number that base62 digits stand for, most significant digit first. Texts of the same length stand for different numbers.
fn decode(digits: &[u8]) -> Option<u64> {
    let (mut number, mut seen) = (0, 0);
    for &digit in digits {
        let value = VALUES[usize::from(digit)];
        seen |= value;
        number = number * BASE62.len() as u64 + u64::from(value);
    }
    (seen & NO_DIGIT == 0).then_some(number)
}

/// A text that is not a key of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseKeyError(ParseKeyErrorKind);

/// The first invalid part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParseKeyErrorKind {
    /// The text does not start with the prefix.
    Prefix,
    /// The environment behind the prefix is neither `live` nor `test`.
    Environment,
    /// The part behind the environment is too long or too short.
    Length,
    /// The random part has a character that is not base62.
    Alphabet,
    /// The checksum does not match.
    Checksum,
}

impl ParseKeyError {
    /// The error of a text with another prefix.
    pub(crate) const PREFIX: Self = Self(ParseKeyErrorKind::Prefix);

    /// Returns the invalid part.
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
    fn a_checksum_is_decoded_to_what_it_was_encoded_from() {
        for body in (0..10_000_u32).map(u32::to_le_bytes) {
            assert_eq!(decode(&checksum(&body)), Some(crc32fast::hash(&body).into()));
        }
        assert_eq!(decode(b"4gfFC3"), Some(u32::MAX.into()));
        assert_eq!(decode(b"zzzzzz"), Some(62_u64.pow(6) - 1));
        for byte in (0..=u8::MAX).filter(|byte| !byte.is_ascii_alphanumeric()) {
            assert_eq!(decode(&[b'0', b'0', b'0', byte, b'0', b'0']), None, "{byte:#04x}");
            assert_eq!(decode(&[b'0', byte, b'0', byte, b'0', b'0']), None, "{byte:#04x} twice");
        }
    }

    #[test]
    fn only_one_checksum_is_accepted() {
        let format = KeyFormat::new("demo").unwrap();
        let body = b"demo_live_0123456789abcdefghijABCDEFGHIJ01";
        let right = checksum(body);
        assert!(format.parse(&[&body[..], &right].concat()).is_ok());
        for place in 0..CHECKSUM_LEN {
            for byte in (0..=u8::MAX).filter(|byte| *byte != right[place]) {
                let mut wrong = right;
                wrong[place] = byte;
                let error = format.parse(&[&body[..], &wrong].concat()).unwrap_err();
                assert_eq!(error.kind(), ParseKeyErrorKind::Checksum, "{byte:#04x} at {place}");
            }
        }
    }

    #[test]
    fn a_format_claims_texts_with_its_prefix() {
        let format = KeyFormat::new("demo").unwrap();
        assert!(format.claims(b"demo_live_x") && format.claims(b"demo_"));
        assert!(!format.claims(b"demo") && !format.claims(b"demolive_x") && !format.claims(b"other_live_x"));
    }

    #[test]
    fn each_error_names_the_expected_part() {
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
    fn an_invalid_prefix_is_rejected() {
        for prefix in ["", "Demo", "de mo", "demo_", "dé", &"a".repeat(33)] {
            assert_eq!(KeyFormat::new(prefix).unwrap_err().kind(), ConfigErrorKind::KeyFormat, "{prefix:?}");
        }
    }
}
