//! A header of its own: `X-API-Key: KEY`.

use super::MAX_CREDENTIAL_BYTES;
use crate::ascii::all;

/// Takes the whole value as the key: visible ASCII, without the comma that would join two lines into one (RFC 9110 §5.3).
pub(super) fn parse(value: &[u8]) -> Option<&[u8]> {
    let is_symbol = |byte: u8| byte.is_ascii_graphic() && byte != b',';
    let fits = (1..=MAX_CREDENTIAL_BYTES).contains(&value.len());
    (fits && all(value, is_symbol)).then_some(value)
}
