//! The checksums of keys that were admitted: they decide whether a key is digested or checked first.

// Layer 8 of 10: decision.

use std::sync::atomic::{AtomicU64, Ordering};

/// Number of bits: with 10,000 keys, one in 26 texts with a bad checksum is digested; with 100,000, one in three. They take 32 KiB.
const BITS: usize = 1 << 18;

const WORD: usize = u64::BITS as usize;

/// A set of checksums, in which further ones may seem to be.
///
/// It decides nothing but the order of two checks, of which an admission needs both: so a key that is cached is not parsed again, and a mistyped
/// one is not digested. A checksum is no secret: any client can compute one.
pub(super) struct Checksums(Box<[AtomicU64]>);

impl Checksums {
    pub(super) fn new() -> Self {
        Self((0..BITS / WORD).map(|_| AtomicU64::new(0)).collect())
    }

    /// Returns whether a text ends with the checksum of a key that was admitted.
    pub(super) fn may_contain(&self, text: &[u8]) -> bool {
        place(text).is_some_and(|(word, bit)| self.0[word].load(Ordering::Relaxed) & bit != 0)
    }

    /// Adds the checksum of a key. Writes nothing if the set has it.
    pub(super) fn add(&self, text: &[u8]) {
        if let Some((word, bit)) = place(text)
            && self.0[word].load(Ordering::Relaxed) & bit == 0
        {
            self.0[word].fetch_or(bit, Ordering::Relaxed);
        }
    }
}

/// Returns the word and the bit of the checksum at the end of a text.
fn place(text: &[u8]) -> Option<(usize, u64)> {
    // The checksum has six of these bytes, the upper ones.
    let (_, end) = text.split_last_chunk::<8>()?;
    let checksum = u64::from_le_bytes(*end) >> 16;
    let place = (checksum.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BITS.ilog2())) as usize;
    Some((place / WORD, 1 << (place % WORD)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;
    use crate::key::KeyFormat;

    #[test]
    fn a_few_other_texts_seem_to_have_been_added() {
        let format = KeyFormat::new("demo").unwrap();
        let keys = || (0..10_000).map(|_| format.mint(Environment::Live).unwrap().reveal());
        let checksums = Checksums::new();
        let added: Vec<_> = keys().collect();
        for key in &added {
            checksums.add(key.as_str().as_bytes());
        }
        assert!(added.iter().all(|key| checksums.may_contain(key.as_str().as_bytes())));
        let others = keys().filter(|key| checksums.may_contain(key.as_str().as_bytes())).count();
        assert!((200..600).contains(&others), "{others} of 10,000");
    }

    #[test]
    fn a_text_is_found_by_its_checksum_alone() {
        let checksums = Checksums::new();
        checksums.add(b"demo_live_0123456789abcdefghijABCDEFGHIJ01aB3dE5");
        assert!(checksums.may_contain(b"other_test_0123456789abcdefghijABCDEFGHIJ99aB3dE5"));
        for place in 0..6 {
            let mut text = *b"01aB3dE5";
            text[2 + place] = b'z';
            assert!(!checksums.may_contain(&text), "{place}");
        }
        for text in [&b""[..], b"aB3dE5", b"1aB3dE5"] {
            checksums.add(text);
            assert!(!checksums.may_contain(text));
        }
    }
}
