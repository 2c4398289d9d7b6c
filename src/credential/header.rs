//! A header of its own: `X-API-Key: KEY`.

use super::grammar::MAX_CREDENTIAL_BYTES;
use crate::ascii::all;

/// Returns whether the whole value can be a key: visible ASCII, without the comma that would join two lines into one
/// (RFC 9110 §5.3).
pub(super) fn is_well_formed(value: &[u8]) -> bool {
    let is_symbol = |byte: u8| byte.is_ascii_graphic() && byte != b',';
    (1..=MAX_CREDENTIAL_BYTES).contains(&value.len()) && all(value, is_symbol)
}
