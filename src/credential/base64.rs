//! Decoding of base64 (RFC 4648 §4), in canonical form only: with padding, and without stray bits.

// Layer 1 of 10: words.

/// The bits of each symbol in each place of a quad, in the order in which the three bytes are written.
static BITS: [[u32; 256]; 4] = [bits_in(0), bits_in(1), bits_in(2), bits_in(3)];

/// A bit beyond the three bytes, for bytes that are no symbol.
const INVALID: u32 = 1 << 31;

const fn bits_in(place: u32) -> [u32; 256] {
    let symbols = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = [INVALID; 256];
    let mut value = 0;
    while value < symbols.len() {
        // The first symbol has the upper bits of the first byte.
        bits[symbols[value] as usize] = ((value as u32) << (26 - 6 * place)).swap_bytes();
        value += 1;
    }
    bits
}

/// Decodes a text to the start of `bytes`, which have room for whole quads, and returns the length. Of a text that is not valid, parts may have
/// been written.
///
/// Searches for invalid symbols after the last one: an early exit would cost more than it saves.
pub(super) fn decode(text: &[u8], bytes: &mut [u8]) -> Option<usize> {
    let (quads, []) = text.as_chunks::<4>() else { return None };
    let (last, quads) = quads.split_last()?;
    // Instead of padding, symbols without bits.
    let (last, padding) = match *last {
        [first, second, b'=', b'='] => ([first, second, b'A', b'A'], 2),
        [first, second, third, b'='] => ([first, second, third, b'A'], 1),
        last => (last, 0),
    };
    let (pairs, odd) = quads.as_chunks::<2>();
    let (sextuples, rest) = bytes.get_mut(..3 * quads.len() + 3)?.split_at_mut(6 * pairs.len());

    let mut seen = 0;
    // By two, for wide stores.
    for ([first, second], bytes) in pairs.iter().zip(sextuples.as_chunks_mut::<6>().0) {
        let (first, second) = (bits_of(first), bits_of(second));
        seen |= first | second;
        let [decoded @ .., _, _] = (u64::from(first) | u64::from(second) << 24).to_le_bytes();
        *bytes = decoded;
    }
    let last = bits_of(&last);
    let rest_bits = odd.iter().map(bits_of).chain([last]);
    for (bits, bytes) in rest_bits.zip(rest.as_chunks_mut::<3>().0) {
        seen |= bits;
        let [decoded @ .., _] = bits.to_le_bytes();
        *bytes = decoded;
    }
    // In the bytes that padding replaces, no bit may be set.
    let is_canonical = last >> (8 * (3 - padding)) == 0;
    (seen & INVALID == 0 && is_canonical).then_some(3 * quads.len() + 3 - padding)
}

fn bits_of([first, second, third, fourth]: &[u8; 4]) -> u32 {
    let bits = |place: usize, symbol: &u8| BITS[place][usize::from(*symbol)];
    bits(0, first) | bits(1, second) | bits(2, third) | bits(3, fourth)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn assert_same(text: &[u8]) {
        let mut bytes = [0x55; 400];
        let decoded = decode(text, &mut bytes).map(|length| bytes[..length].to_vec());
        let expected = STANDARD.decode(text).ok().filter(|_| !text.is_empty());
        assert_eq!(decoded, expected, "{:?}", String::from_utf8_lossy(text));
    }

    #[test]
    fn every_byte_in_every_place_is_decoded_as_by_the_general_implementation() {
        for text in
            [&b"QUJDREVGR0hJ"[..], b"QUJDREVGR0g=", b"QUJDREVGRw==", b"QUJDREVGRw", b"A===", b"====", b""]
        {
            assert_same(text);
            for place in 0..text.len() {
                for byte in 0..=u8::MAX {
                    let mut changed = text.to_vec();
                    changed[place] = byte;
                    assert_same(&changed);
                }
            }
        }
    }

    #[test]
    fn texts_of_every_length_are_decoded_as_by_the_general_implementation() {
        let mut random = fastrand::Rng::with_seed(20);
        for length in 0..=300 {
            for _ in 0..20 {
                let bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
                let mut text = STANDARD.encode(&bytes).into_bytes();
                assert_same(&text);
                text.truncate(random.usize(..=text.len()));
                assert_same(&text);
                if !text.is_empty() {
                    let place = random.usize(..text.len());
                    text[place] = *random.choice(b"=A/+-_ \n").unwrap();
                    assert_same(&text);
                }
            }
        }
    }

    #[test]
    fn a_text_that_is_too_long_for_the_bytes_is_not_decoded() {
        assert_eq!(decode(b"QUJD", &mut [0; 3]), Some(3));
        assert_eq!(decode(b"QUI=", &mut [0; 3]), Some(2));
        assert_eq!(decode(b"QUJD", &mut [0; 2]), None);
        assert_eq!(decode(b"QUJDREVG", &mut [0; 5]), None);
    }
}
