//! The public id of a key.

// Layer 1 of 10: words.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::MintError;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::error::{InvalidValue, InvalidValueKind};
use crate::text::{parsed_from_text, serialized_as_text};

/// The public id of a key, safe to log, to show and to put into URLs.
///
/// A generated id is `key_` and 26 characters of Crockford's base32, the 128 bits of a UUIDv7 (RFC 9562 §5.7), so ids
/// sort by the time of their creation. An application may use ids of its own.
///
/// ```
/// use tower_api_key::KeyId;
///
/// let id: KeyId = "key_1".parse()?;
/// assert_eq!(id.as_ref(), "key_1");
/// # Ok::<(), tower_api_key::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// Creates an id from its text.
    ///
    /// # Errors
    ///
    /// When `text` is not 1 to 64 letters, digits, `-`, `_`, `.` and `:`, or is `.` or `..`, which no URL can end with.
    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
        let is_segment = !matches!(text, "." | "..");
        if (1..=64).contains(&text.len()) && text.bytes().all(is_plain) && is_segment {
            return Ok(Self(text.into()));
        }
        // A whole key may have been passed by mistake, so the text is not shown.
        let message =
            "key id is invalid: must be 1 to 64 letters, digits, `-`, `_`, `.` and `:`, and not `.` or `..`";
        Err(InvalidValue::new(InvalidValueKind::KeyId, message))
    }

    /// Generates an id from the time and 74 random bits.
    ///
    /// # Errors
    ///
    /// When the operating system's generator fails.
    pub fn generate(now: Timestamp) -> Result<Self, MintError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(MintError::new)?;
        Ok(Self::of_bytes(now, bytes))
    }

    /// Derives the id of a key from the time and a digest: the same id for the same request to create a key, however often it arrives.
    #[cfg(feature = "console")]
    pub(crate) fn of_request(at: Timestamp, request: &Digest) -> Self {
        Self::of_bytes(at, std::array::from_fn(|byte| request.as_bytes()[byte]))
    }

    /// Returns the UUIDv7 of a time and of the bits behind it.
    fn of_bytes(at: Timestamp, mut bytes: [u8; 16]) -> Self {
        let millis = at.unix_millis().max(0).to_be_bytes();
        bytes[..6].copy_from_slice(&millis[2..]);
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Self(format!("key_{}", crockford(u128::from_be_bytes(bytes))).into())
    }

    /// Derives the id of a user who signs in with a password: constant for an e-mail, without revealing it.
    pub(crate) fn of_user(user: &Digest) -> Self {
        let half = std::array::from_fn(|byte| user.as_bytes()[byte]);
        Self(format!("user_{}", crockford(u128::from_be_bytes(half))).into())
    }

    /// Returns the text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn crockford(mut value: u128) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut digits = ['0'; 26];
    for digit in digits.iter_mut().rev() {
        *digit = char::from(ALPHABET[(value % 32) as usize]);
        value /= 32;
    }
    digits.iter().collect()
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({})", self.0)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// An id compares as its text does.
impl Borrow<str> for KeyId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for KeyId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::new(text)
    }
}

parsed_from_text!(KeyId, "a key id");
serialized_as_text!(KeyId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_sort_by_time_and_are_valid_ids() {
        let at = |millis| KeyId::generate(Timestamp::from_unix_millis(millis)).unwrap();
        let (early, late) = (at(1_700_000_000_000), at(1_700_000_000_001));
        assert!(early < late);
        assert_eq!(early.as_str().len(), 30);
        assert_eq!(KeyId::new(early.as_str()).unwrap(), early);
    }

    #[test]
    fn a_generated_id_is_a_uuid_of_version_7() {
        for _ in 0..64 {
            let id = KeyId::generate(Timestamp::from_unix_millis(0x0123_4567_89ab)).unwrap();
            let digits = id.as_str().strip_prefix("key_").unwrap().chars();
            let value = |digit| "0123456789abcdefghjkmnpqrstvwxyz".find(digit).unwrap() as u128;
            let uuid = digits.fold(0_u128, |uuid, digit| uuid * 32 + value(digit));
            assert_eq!(uuid >> 80, 0x0123_4567_89ab, "the time");
            assert_eq!(uuid >> 76 & 0xf, 7, "the version");
            assert_eq!(uuid >> 62 & 0b11, 0b10, "the variant");
        }
    }

    #[test]
    fn the_random_bits_of_an_id_are_all_random() {
        let ids = (0..64).map(|_| KeyId::generate(Timestamp::from_unix_millis(0)).unwrap());
        let value = |digit| "0123456789abcdefghjkmnpqrstvwxyz".find(digit).unwrap() as u128;
        let uuids =
            ids.map(|id| id.as_str()[4..].chars().fold(0_u128, |uuid, digit| uuid * 32 + value(digit)));
        let (ones, zeros) = uuids.fold((0, 0), |(ones, zeros), uuid| (ones | uuid, zeros | !uuid));
        // 12 bits behind the version, and 62 behind the variant.
        let random = (0xfff << 64) | ((1 << 62) - 1);
        assert_eq!((ones & random, zeros & random), (random, random));
    }

    #[test]
    fn an_id_that_could_break_a_log_line_or_a_url_is_rejected() {
        for text in ["", "a b", "a/b", "a\n", "é", &"x".repeat(65)] {
            assert!(KeyId::new(text).is_err(), "{text:?}");
        }
    }
}
