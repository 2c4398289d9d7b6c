//! Base64 with padding (RFC 4648 §4), in which each sequence of bytes has exactly one spelling.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Returns the spelling of `bytes`.
pub fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0, |group, index| group << 8 | u32::from(*chunk.get(index).unwrap_or(&0)));
        for place in 0..4 {
            let symbol = ALPHABET[(group >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { symbol } else { b'=' });
        }
    }
    text
}

/// Returns the bytes with this spelling.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bits = Vec::new();
    for symbol in text.iter().filter(|&&symbol| symbol != b'=') {
        let value = ALPHABET.iter().position(|letter| letter == symbol)?;
        bits.extend((0..6).rev().map(|bit| value >> bit & 1));
    }
    let bytes: Vec<u8> =
        bits.chunks_exact(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | *bit as u8)).collect();
    // Other padding, missing padding and stray bits all give other spellings.
    (encode(&bytes) == text).then_some(bytes)
}

/// Returns the variants of a spelling that differ in the bits left unused by its padding.
pub fn with_stray_bits(spelling: &[u8]) -> Vec<Vec<u8>> {
    let padding = spelling.iter().filter(|&&symbol| symbol == b'=').count();
    let (body, padding) = spelling.split_at(spelling.len() - padding);
    let Some((last, start)) = body.split_last() else { return Vec::new() };
    let unused = [0, 0b11, 0b1111][padding.len()];
    let value = ALPHABET.iter().position(|letter| letter == last).unwrap_or_default();
    (1..=unused).map(|stray| [start, &[ALPHABET[value | stray]], padding].concat()).collect()
}
