//! Where a list goes on: the id of the last key, in a form that shows whether it was tampered with.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::key::KeyId;

/// Bytes of the checksum behind the id. It is no secret: whoever makes a cursor sees no other keys by it.
const CHECKSUM: usize = 4;

pub(super) fn encode(id: &KeyId) -> String {
    let id = id.as_str().as_bytes();
    URL_SAFE_NO_PAD.encode([id, &crc32fast::hash(id).to_be_bytes()].concat())
}

pub(super) fn decode(cursor: &str) -> Option<KeyId> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (id, checksum) = bytes.split_last_chunk::<CHECKSUM>()?;
    let is_whole = crc32fast::hash(id).to_be_bytes() == *checksum;
    KeyId::new(std::str::from_utf8(id).ok()?).ok().filter(|_| is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_id_and_any_change_of_it_to_nothing() {
        let id = KeyId::new("key_01hzy8m4q2").unwrap();
        let cursor = encode(&id);
        assert_eq!(decode(&cursor), Some(id));
        for position in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            assert_eq!(decode(std::str::from_utf8(&changed).unwrap()), None, "position {position}");
        }
        assert_eq!(decode(&cursor[1..]), None);
        assert_eq!(decode("';DROP TABLE api_key;--"), None);
        assert_eq!(decode(""), None);
    }
}
