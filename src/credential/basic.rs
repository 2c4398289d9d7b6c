//! `Basic base64(user:KEY)` (RFC 7617 §2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroize;

use super::MAX_CREDENTIAL_BYTES;
use crate::ascii::all;

/// Bytes that base64 of the greatest length decodes to.
const CAPACITY: usize = MAX_CREDENTIAL_BYTES / 4 * 3;

/// Room on the stack for a decoded pair. What was decoded is wiped when it is dropped.
pub(crate) struct Buffer {
    bytes: [u8; CAPACITY],
    used: usize,
}

impl Buffer {
    pub(super) fn new() -> Self {
        Self { bytes: [0; CAPACITY], used: 0 }
    }

    /// Decodes what follows the scheme into a user and a secret: canonical base64 with padding, of UTF-8 without control
    /// characters (CTL of RFC 5234, Appendix B.1), whose first colon ends the user and leaves a secret behind it.
    ///
    /// One pair has one encoding: missing padding and stray bits are refused, as they would be other names for one key.
    pub(super) fn parse(&mut self, rest: &[u8]) -> Option<(&str, &[u8])> {
        if rest.len() > MAX_CREDENTIAL_BYTES {
            return None;
        }
        // Decoding may fail half-way, and leave something to wipe.
        self.used = CAPACITY;
        self.used = STANDARD.decode_slice(rest, &mut self.bytes).ok()?;
        let text = std::str::from_utf8(&self.bytes[..self.used]).ok()?;
        let (user, secret) = text.split_once(':')?;
        let complete = !secret.is_empty() && all(text.as_bytes(), |byte| !byte.is_ascii_control());
        complete.then_some((user, secret.as_bytes()))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.bytes[..self.used].zeroize();
    }
}
