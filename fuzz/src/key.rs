//! The text of keys: `{prefix}_{environment}_{32 base62 characters}{checksum}`.

use tower_api_key::Environment;
use tower_api_key::key::ParseKeyErrorKind;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Returns the environment of a key of the format with this prefix, or the first invalid part of a text.
pub fn judge(prefix: &str, text: &[u8]) -> Result<Environment, ParseKeyErrorKind> {
    let start = format!("{prefix}_");
    let Some(rest) = text.strip_prefix(start.as_bytes()) else { return Err(ParseKeyErrorKind::Prefix) };
    let environment = match rest.get(..5) {
        Some(b"live_") => Environment::Live,
        Some(b"test_") => Environment::Test,
        _ => return Err(ParseKeyErrorKind::Environment),
    };
    if rest.len() != 5 + 32 + 6 {
        return Err(ParseKeyErrorKind::Length);
    }
    if rest[5..][..32].iter().any(|byte| !BASE62.contains(byte)) {
        return Err(ParseKeyErrorKind::Alphabet);
    }
    let body = &text[..text.len() - 6];
    if text[body.len()..] == checksum(body) { Ok(environment) } else { Err(ParseKeyErrorKind::Checksum) }
}

/// Returns whether a text starts like a key of the format with this prefix.
pub fn claims(prefix: &str, text: &[u8]) -> bool {
    judge(prefix, text) != Err(ParseKeyErrorKind::Prefix)
}

/// Creates a key whose random part comes from `noise`.
pub fn make(prefix: &str, environment: Environment, noise: &[u8]) -> Vec<u8> {
    let random: Vec<u8> =
        noise.iter().chain([&0; 32]).take(32).map(|&byte| BASE62[usize::from(byte) % 62]).collect();
    let body = [prefix.as_bytes(), b"_", environment.label().as_bytes(), b"_", &random].concat();
    [&body[..], &checksum(&body)].concat()
}

/// Returns the CRC-32 of the body as six digits.
fn checksum(body: &[u8]) -> [u8; 6] {
    let value = u64::from(crc32fast::hash(body));
    [5, 4, 3, 2, 1, 0].map(|place| BASE62[(value / 62_u64.pow(place) % 62) as usize])
}
