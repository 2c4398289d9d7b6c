//! Cursors: an id and its CRC-32, in Base64 for URLs without padding (RFC 4648 §5).

use crate::base64;

/// Returns the cursor after an id.
pub fn encode(id: &[u8]) -> Vec<u8> {
    let standard = base64::encode(&[id, &crc32(id).to_be_bytes()].concat());
    let symbols = standard.into_iter().filter(|&symbol| symbol != b'=');
    symbols.map(|symbol| exchange(symbol, [b'+', b'/'], [b'-', b'_'])).collect()
}

/// Returns the id of a cursor.
pub fn decode(cursor: &[u8]) -> Option<Vec<u8>> {
    if cursor.iter().any(|symbol| matches!(symbol, b'+' | b'/' | b'=')) {
        return None;
    }
    let mut standard: Vec<u8> =
        cursor.iter().map(|&symbol| exchange(symbol, [b'-', b'_'], [b'+', b'/'])).collect();
    while !standard.len().is_multiple_of(4) {
        standard.push(b'=');
    }
    let mut id = base64::decode(&standard)?;
    id.truncate(id.len().checked_sub(4)?);
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    // A URL takes these two for a way up.
    let is_path = matches!(&*id, b"." | b"..");
    let is_id = (1..=64).contains(&id.len()) && id.iter().all(is_plain) && !is_path;
    (is_id && encode(&id) == cursor).then_some(id)
}

fn exchange(symbol: u8, these: [u8; 2], those: [u8; 2]) -> u8 {
    these.iter().position(|&this| this == symbol).map_or(symbol, |position| those[position])
}

/// Computes the CRC-32 of ISO 3309, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(
            sum ^ u32::from(*byte),
            |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 },
        )
    })
}
