//! Cursors of pages: the last line of a page with a checksum.

// Layer 9 of 10: management.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::super::audit_cursor::AuditCursor;
use crate::backend::{SearchPosition, UsageLine};
use crate::key::KeyId;

/// Bytes of the checksum. It is no secret: a client that forges a cursor sees no other keys by it.
const CHECKSUM: usize = 4;

/// Encodes the id of the last key of a page.
pub(super) fn encode(id: &KeyId) -> String {
    seal(id.as_str())
}

pub(super) fn decode(cursor: &str) -> Option<KeyId> {
    KeyId::new(&open(cursor)?).ok()
}

/// Encodes where the last key of a page of a search is. A space separates the id, which contains none, and the text.
pub(crate) fn encode_position(position: &SearchPosition) -> String {
    seal(&format!("{} {}", position.id(), position.text()))
}

pub(crate) fn decode_position(cursor: &str) -> Option<SearchPosition> {
    let text = open(cursor)?;
    let (id, text) = text.split_once(' ')?;
    Some(SearchPosition::new(text, KeyId::new(id).ok()?))
}

/// Encodes the day, environment and key or route of the last line of usage, separated by spaces. A slash, which no key id contains, precedes a
/// route.
pub(super) fn encode_line(line: &UsageLine) -> String {
    let (slash, group) = match (&line.key, &line.route) {
        (Some(key), _) => ("", key.as_str()),
        (None, Some(route)) => ("/", &**route),
        (None, None) => ("", ""),
    };
    seal(&format!("{} {} {slash}{group}", line.day, line.environment.label()))
}

pub(super) fn decode_line(cursor: &str) -> Option<UsageLine> {
    let text = open(cursor)?;
    let mut parts = text.splitn(3, ' ');
    let (day, environment) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let group = parts.next()?;
    if let Some(route) = group.strip_prefix('/') {
        return Some(UsageLine::new(None, day, environment, 0).of_route(route));
    }
    let key = Some(group).filter(|key| !key.is_empty()).map(KeyId::new).transpose().ok()?;
    Some(UsageLine::new(key, day, environment, 0))
}

/// Cuts items to a page, of which one more was read than it may have. Returns where the next page begins if more follow.
pub(super) fn cut<T>(items: &mut Vec<T>, limit: usize, encode: impl Fn(&T) -> String) -> Option<String> {
    let more = items.len() > limit;
    items.truncate(limit);
    items.last().filter(|_| more).map(encode)
}

/// Encodes the last entry of a page of the audit log.
pub(crate) fn encode_entry(entry: &AuditCursor) -> String {
    seal(&entry.to_text())
}

pub(crate) fn decode_entry(cursor: &str) -> Option<AuditCursor> {
    AuditCursor::from_text(&open(cursor)?)
}

fn seal(text: &str) -> String {
    let text = text.as_bytes();
    URL_SAFE_NO_PAD.encode([text, &crc32fast::hash(text).to_be_bytes()].concat())
}

/// Rejects a forged text that no store can compare: PostgreSQL keeps no zero byte.
fn open(cursor: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (text, checksum) = bytes.split_last_chunk::<CHECKSUM>()?;
    let is_intact = crc32fast::hash(text).to_be_bytes() == *checksum;
    std::str::from_utf8(text).ok().filter(|text| is_intact && !text.contains('\0')).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Day;
    use crate::environment::Environment;

    #[test]
    fn a_cursor_decodes_to_its_id_and_an_altered_one_to_none() {
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

    #[test]
    fn a_cursor_of_usage_decodes_to_its_line_and_is_no_cursor_of_keys() {
        let key = KeyId::new("key_01hzy8m4q2").unwrap();
        let line = |key| UsageLine::new(key, Day::from_unix_days(20_000), Environment::Test, 0);
        for line in
            [line(None), line(Some(key.clone())), line(None).of_route("other"), line(None).of_route("/a b")]
        {
            let cursor = encode_line(&line);
            assert_eq!(decode_line(&cursor), Some(line));
            assert_eq!(decode(&cursor), None);
        }
        assert_eq!(decode_line(&encode(&key)), None);
    }

    #[test]
    fn a_forged_cursor_with_a_zero_byte_decodes_to_none() {
        let key = KeyId::new("key_01hzy8m4q2").unwrap();
        for (text, is_valid) in [("a", true), ("a\0", false), ("\0", false)] {
            let line = UsageLine::new(None, Day::from_unix_days(20_000), Environment::Live, 0).of_route(text);
            assert_eq!(decode_line(&encode_line(&line)).is_some(), is_valid, "{text:?}");
            let position = SearchPosition::new(text, key.clone());
            assert_eq!(decode_position(&encode_position(&position)).is_some(), is_valid, "{text:?}");
        }
    }
}
