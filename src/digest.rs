//! Digests of keys. With the digest, a request is decided without the text of its key.
//!
//! Stores keep digests and look keys up by all 32 bytes. A fast hash suffices for a secret of 190 random bits: it
//! cannot be guessed, so a slow hash adds nothing (OWASP ASVS 5.0, 6.5.2 asks for 112 bits).

// Layer 1 of 10: words.
// Above `error` and `text`; below `key`. Bottom to top, a file importing only those before it: `fingerprint`, `sha256`, `self`, `former`.

mod fingerprint;
mod former;
mod sha256;

pub use fingerprint::Fingerprint;
pub use former::FormerDigester;

pub(crate) use fingerprint::NodeSettings;
pub(crate) use former::{Digesters, Digests, MAX_FORMER};

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::error::{ConfigError, ConfigErrorKind, InvalidValue, InvalidValueKind};
use crate::text::try_from_text;
use sha256::{HmacSha256, sha256};

/// The digest of a key: 32 bytes, compared in constant time.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Creates a digest from its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes to store.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the digest by which a user is looked up by e-mail. No key has this digest: its text would hold a zero byte, and
    /// no credential does.
    pub(crate) fn of_user(email: &str) -> Self {
        Self(Sha256::new().chain_update(b"account\0").chain_update(email).finalize().into())
    }

    /// Returns the version of a password that was set with this hash. The hash cannot be derived from it.
    pub(crate) fn of_password_hash(hash: &str) -> Self {
        Self(Sha256::new().chain_update(b"password\0").chain_update(hash).finalize().into())
    }

    /// Returns eight of the bytes as a uniformly distributed number, from which a shard is chosen.
    pub(crate) fn shard(&self) -> u64 {
        self.words()[0]
    }

    fn words(&self) -> [u64; 4] {
        std::array::from_fn(|word| u64::from_le_bytes(std::array::from_fn(|byte| self.0[word * 8 + byte])))
    }
}

/// Parses 64 hexadecimal digits, as `sha256sum` writes them. A digest has no text of its own, so that none is logged.
///
/// ```
/// use tower_api_key::digest::{Digest, Digester};
///
/// let digest: Digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".parse()?;
/// assert_eq!(digest, Digester::sha256().digest(b"abc"));
/// # Ok::<(), tower_api_key::InvalidValue>(())
/// ```
impl FromStr for Digest {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        parse_hex(text).map(Self).ok_or_else(|| {
            InvalidValue::new(InvalidValueKind::Digest, "digest is invalid: must be 64 hexadecimal digits")
        })
    }
}

try_from_text!(Digest);

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; 32];
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        // By words, as comparing by bytes takes four times as long on every lookup.
        let differs = self.words().iter().zip(other.words()).fold(0, |differs, (a, b)| differs | (a ^ b));
        differs.ct_eq(&0).into()
    }
}

impl Eq for Digest {}

impl Hash for Digest {
    /// Hashes a quarter of the digest, which is as uniformly distributed as the whole.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.shard());
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

/// The algorithm that computes the digest of a key: SHA-256, or HMAC-SHA-256 under a pepper.
///
/// A copy of the store is useless to an attacker without the pepper, even if keys are weak. Keys that were stored under one digester are
/// unknown to a node with another, unless it has the first as a [former](FormerDigester) one:
/// [a new pepper](crate::_guide::operations#a-new-pepper).
///
/// ```
/// use tower_api_key::digest::Digester;
///
/// let plain = Digester::sha256();
/// let peppered = Digester::hmac_sha256(b"a pepper of 32 random bytes here")?;
/// assert_eq!(plain.digest(b"some key"), plain.digest(b"some key"));
/// assert_ne!(plain.digest(b"some key"), peppered.digest(b"some key"));
/// # Ok::<(), tower_api_key::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct Digester(Algorithm);

/// The length of a pepper, in bytes, from which its fingerprint is no oracle for it.
const MIN_PEPPER: usize = 32;

#[derive(Clone, Default)]
enum Algorithm {
    #[default]
    Sha256,
    HmacSha256(HmacSha256),
}

impl Digester {
    /// Creates a digester that applies SHA-256 (FIPS 180-4), the default.
    pub fn sha256() -> Self {
        Self(Algorithm::Sha256)
    }

    /// Creates a digester that applies HMAC-SHA-256 (RFC 2104) under `pepper`: 32 random bytes, such as those of `openssl rand 32`.
    ///
    /// # Errors
    ///
    /// When the pepper is shorter than 32 bytes: the [fingerprint](Self::fingerprint) in a copied store would let an attacker test guesses of
    /// it. A pepper of 16 bytes or more can be a [former](FormerDigester::hmac_sha256) one.
    pub fn hmac_sha256(pepper: &[u8]) -> Result<Self, ConfigError> {
        Self::with_pepper(pepper, MIN_PEPPER)
    }

    fn with_pepper(pepper: &[u8], min: usize) -> Result<Self, ConfigError> {
        if pepper.len() < min {
            let message = format!("pepper must be at least {min} bytes, got {}", pepper.len());
            return Err(ConfigError::new(ConfigErrorKind::Pepper, message));
        }
        Ok(Self(Algorithm::HmacSha256(HmacSha256::new(pepper))))
    }

    /// Returns the fingerprint by which a store recognizes this digester.
    pub fn fingerprint(&self) -> Fingerprint {
        match self.0 {
            Algorithm::Sha256 => Fingerprint::of_digester("sha256"),
            Algorithm::HmacSha256(_) => {
                // No key has this digest: its text would hold a zero byte, and no credential does.
                let digest = self.digest(b"tower-api-key\0fingerprint");
                let half =
                    digest.as_bytes()[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
                Fingerprint::of_digester(&format!("hmac-sha256 {half}"))
            }
        }
    }

    /// Returns the digest of the text of a key.
    #[inline]
    pub fn digest(&self, text: &[u8]) -> Digest {
        Digest(match &self.0 {
            Algorithm::Sha256 => sha256(text),
            Algorithm::HmacSha256(hmac) => hmac.digest(text),
        })
    }
}

impl fmt::Debug for Digester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Algorithm::Sha256 => "Digester(SHA-256)",
            Algorithm::HmacSha256(_) => "Digester(HMAC-SHA-256)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digest: &Digest) -> String {
        digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn sha256_gives_the_published_vector() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&Digester::sha256().digest(b"abc")), expected);
    }

    #[test]
    fn hmac_gives_the_vector_of_rfc_4231_case_6() {
        let pepper = [0xaa; 131];
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        let expected = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        assert_eq!(hex(&Digester::hmac_sha256(&pepper).unwrap().digest(text)), expected);
    }

    #[test]
    fn digests_are_equal_only_if_all_bits_are() {
        let digest = Digest::from_bytes(std::array::from_fn(|byte| byte as u8));
        assert_eq!(digest, Digest::from_bytes(*digest.as_bytes()));
        for bit in 0..256 {
            let flipped = |bits: &[usize]| {
                let mut bytes = *digest.as_bytes();
                bits.iter().for_each(|bit| bytes[bit / 8] ^= 1 << (bit % 8));
                Digest::from_bytes(bytes)
            };
            assert_ne!(flipped(&[bit]), digest, "bit {bit}");
            // A difference in the same bit of another word does not cancel it.
            assert_ne!(flipped(&[bit, (bit + 64) % 256]), digest, "bit {bit} and its neighbour");
        }
    }

    #[test]
    fn a_digest_is_parsed_from_its_digits_in_either_case() {
        let digest = Digester::sha256().digest(b"abc");
        for text in [hex(&digest), hex(&digest).to_uppercase()] {
            assert_eq!(text.parse::<Digest>().unwrap(), digest);
        }
        let digits = hex(&digest);
        let (longer, foreign) = (format!("{digits}0"), format!("{}g", &digits[1..]));
        let (signed, wide) = (format!("+{}", &digits[1..]), format!("{}\u{e9}", &digits[2..]));
        for text in ["", &digits[1..], &digits[2..], &longer, &format!("{digits} "), &foreign, &signed, &wide]
        {
            let error = text.parse::<Digest>().unwrap_err();
            assert_eq!(error.to_string(), "digest is invalid: must be 64 hexadecimal digits", "{text}");
        }
    }

    #[test]
    fn different_digests_have_different_hashes_and_shards() {
        use std::collections::HashSet;
        use std::hash::BuildHasher;

        let digests = (0..1_000_u32).map(|number| Digester::sha256().digest(&number.to_be_bytes()));
        let hasher = std::hash::RandomState::new();
        let different: HashSet<_> = digests.map(|digest| (digest.shard(), hasher.hash_one(digest))).collect();
        let shards: HashSet<_> = different.iter().map(|(shard, _)| shard).collect();
        let hashes: HashSet<_> = different.iter().map(|(_, hash)| hash).collect();
        assert_eq!((shards.len(), hashes.len()), (1_000, 1_000));
    }

    #[test]
    fn a_pepper_has_32_bytes_and_a_former_one_16() {
        for (length, is_current, is_former, has_fingerprint) in [
            (15, false, false, false),
            (16, false, true, false),
            (31, false, true, false),
            (32, true, true, true),
        ] {
            let pepper = vec![7; length];
            assert_eq!(Digester::hmac_sha256(&pepper).is_ok(), is_current, "{length}");
            let former = FormerDigester::hmac_sha256(&pepper);
            assert_eq!(former.is_ok(), is_former, "{length}");
            assert_eq!(
                former.is_ok_and(|former| former.fingerprint().is_some()),
                has_fingerprint,
                "{length}"
            );
        }
    }

    #[test]
    fn a_short_pepper_is_rejected_without_showing_it() {
        let error = Digester::hmac_sha256(b"thirty-one bytes that are short").unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Pepper);
        assert_eq!(error.to_string(), "pepper must be at least 32 bytes, got 31");
        let error = FormerDigester::hmac_sha256(b"fifteen bytes!!").unwrap_err();
        assert_eq!(error.to_string(), "pepper must be at least 16 bytes, got 15");
    }

    #[test]
    fn a_fingerprint_depends_on_the_pepper_and_shows_nothing_of_its_digests() {
        let [one, other] = [[1; 32], [2; 32]].map(|pepper| Digester::hmac_sha256(&pepper).unwrap());
        assert_eq!(one.fingerprint(), Digester::hmac_sha256(&[1; 32]).unwrap().fingerprint());
        assert_ne!(one.fingerprint(), other.fingerprint());
        assert_eq!(one.fingerprint().as_str().len(), "digester hmac-sha256 ".len() + 32);
        assert_eq!(one.fingerprint().as_str().parse(), Ok(one.fingerprint()));
    }
}
