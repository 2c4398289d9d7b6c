//! SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104) of a whole text, by the compression function of `sha2`.
//!
//! The types of `sha2` and `hmac` buffer texts that come in pieces. A key comes whole, and a usual one fits into one block with its padding,
//! so it is compressed at once.

// Layer 1 of 10: words.

use std::slice;

use sha2::block_api::compress256;
use zeroize::{Zeroizing, optimization_barrier};

const BLOCK_LEN: usize = 64;
const DIGEST_LEN: usize = 32;

/// The last bytes of a block are the length of the text in bits.
const LENGTH_LEN: usize = 8;

type State = [u32; 8];

/// The state before the first block (FIPS 180-4 §5.3.3).
const INITIAL: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Returns the SHA-256 of a text.
pub(super) fn sha256(text: &[u8]) -> [u8; DIGEST_LEN] {
    finish(INITIAL, 0, text)
}

/// HMAC-SHA-256 under a key, whose two blocks are compressed already.
#[derive(Clone)]
pub(super) struct HmacSha256 {
    inner: Zeroizing<State>,
    outer: Zeroizing<State>,
}

impl HmacSha256 {
    pub(super) fn new(key: &[u8]) -> Self {
        let mut padded = Block([0; BLOCK_LEN]);
        if key.len() > BLOCK_LEN {
            padded.0[..DIGEST_LEN].copy_from_slice(&*Zeroizing::new(sha256(key)));
        } else {
            padded.0[..key.len()].copy_from_slice(key);
        }
        let after = |pad: u8| {
            let mut block = Block([pad; BLOCK_LEN]);
            block.0.iter_mut().zip(&padded.0).for_each(|(byte, key)| *byte ^= key);
            let mut state = Zeroizing::new(INITIAL);
            block.compress_into(&mut state);
            state
        };
        Self { inner: after(0x36), outer: after(0x5c) }
    }

    /// Returns the HMAC of a text.
    pub(super) fn digest(&self, text: &[u8]) -> [u8; DIGEST_LEN] {
        let inner = finish(*self.inner, BLOCK_LEN, text);
        finish(*self.outer, BLOCK_LEN, &inner)
    }
}

/// Returns the digest of a text behind `before` bytes, which are compressed into `state`.
fn finish(mut state: State, before: usize, text: &[u8]) -> [u8; DIGEST_LEN] {
    let (blocks, rest) = text.as_chunks::<BLOCK_LEN>();
    if !blocks.is_empty() {
        compress256(&mut state, blocks);
    }
    let mut last = Block([0; BLOCK_LEN]);
    last.0[..rest.len()].copy_from_slice(rest);
    last.0[rest.len()] = 0x80;
    if rest.len() >= BLOCK_LEN - LENGTH_LEN {
        last.compress_into(&mut state);
        last.0 = [0; BLOCK_LEN];
    }
    let bits = 8 * (before + text.len()) as u64;
    last.0[BLOCK_LEN - LENGTH_LEN..].copy_from_slice(&bits.to_be_bytes());
    last.compress_into(&mut state);
    let mut digest = [0; DIGEST_LEN];
    for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

/// A block that holds a secret, wiped when dropped.
struct Block([u8; BLOCK_LEN]);

impl Block {
    fn compress_into(&self, state: &mut State) {
        compress256(state, slice::from_ref(&self.0));
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // By a few wide stores, which the barrier keeps. `Zeroize` stores each byte of an array separately.
        self.0 = [0; BLOCK_LEN];
        optimization_barrier(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::{Digest, Sha256};

    use super::*;

    fn drawn(random: &mut fastrand::Rng, length: usize) -> Vec<u8> {
        std::iter::repeat_with(|| random.u8(..)).take(length).collect()
    }

    #[test]
    fn texts_of_every_length_have_the_digests_of_the_general_implementations() {
        let mut random = fastrand::Rng::with_seed(20);
        for length in (0..=300).chain([4_095, 4_096]) {
            for _ in 0..4 {
                let text = drawn(&mut random, length);
                assert_eq!(sha256(&text)[..], Sha256::digest(&text)[..], "{length}");

                let key_length = random.usize(0..=200);
                let key = drawn(&mut random, key_length);
                let expected = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(&text).finalize();
                let digest = HmacSha256::new(&key).digest(&text);
                assert_eq!(digest[..], expected.into_bytes()[..], "{length} under {key_length}");
            }
        }
    }

    #[test]
    fn keys_of_every_length_have_the_digests_of_the_general_implementation() {
        let mut random = fastrand::Rng::with_seed(21);
        for length in 0..=300 {
            let (key, text) = (drawn(&mut random, length), drawn(&mut random, 51));
            let expected = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(&text).finalize();
            assert_eq!(HmacSha256::new(&key).digest(&text)[..], expected.into_bytes()[..], "{length}");
        }
    }
}
