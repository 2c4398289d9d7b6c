//! `Basic base64(user:KEY)` (RFC 7617 §2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, Zeroizing};

use super::grammar::MAX_CREDENTIAL_BYTES;
use crate::ascii::all;

/// Bytes that base64 of the greatest length decodes to.
const CAPACITY: usize = MAX_CREDENTIAL_BYTES / 4 * 3;

/// Room on the stack for a decoded pair. What was decoded is wiped when it is dropped.
pub(crate) struct Buffer {
    bytes: [u8; CAPACITY],
    used: usize,
    /// What was decoded, if it had to be read as Latin-1. Otherwise nothing is allocated.
    latin1: Zeroizing<String>,
}

impl Buffer {
    pub(super) fn new() -> Self {
        Self { bytes: [0; CAPACITY], used: 0, latin1: Zeroizing::default() }
    }

    /// Decodes what follows the scheme into a user and a secret: canonical base64 with padding, of a text without control
    /// characters (CTL of RFC 5234, Appendix B.1), whose first colon ends the user and leaves a secret behind it.
    ///
    /// The text is UTF-8, or else Latin-1: which of them clients send is not laid down (RFC 7617 §2.1), and some take the
    /// second whatever the challenge asks for. A secret is returned in UTF-8, so that it is the same one in both.
    ///
    /// One pair has one encoding: missing padding and stray bits are refused, as they would be other names for one key.
    pub(super) fn parse(&mut self, rest: &[u8]) -> Option<(&str, &[u8])> {
        if rest.len() > MAX_CREDENTIAL_BYTES {
            return None;
        }
        // Decoding may fail half-way, and leave something to wipe.
        self.used = CAPACITY;
        self.used = STANDARD.decode_slice(rest, &mut self.bytes).ok()?;
        let bytes = &self.bytes[..self.used];
        let text = std::str::from_utf8(bytes).ok().or_else(|| read_latin1(bytes, &mut self.latin1))?;
        let (user, secret) = text.split_once(':')?;
        (!secret.is_empty() && is_printable(text)).then_some((user, secret.as_bytes()))
    }
}

/// Returns whether a pair with this secret can be presented: as UTF-8, of a length that is looked at.
#[cfg(feature = "manage")]
pub(super) fn carries(user: &str, secret: &str) -> bool {
    !secret.is_empty() && is_printable(secret) && user.len() + 1 + secret.len() <= CAPACITY
}

fn is_printable(text: &str) -> bool {
    all(text.as_bytes(), |byte| !byte.is_ascii_control())
}

/// Reads each byte as the character that it stands for in Latin-1, where those from 0x80 to 0x9F are control characters.
fn read_latin1<'t>(bytes: &[u8], text: &'t mut Zeroizing<String>) -> Option<&'t str> {
    if !all(bytes, |byte| !matches!(byte, 0x80..=0x9f)) {
        return None;
    }
    // With room for the whole, as a text that has to move leaves a copy behind.
    **text = String::with_capacity(2 * bytes.len());
    text.extend(bytes.iter().copied().map(char::from));
    Some(text)
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.bytes[..self.used].zeroize();
    }
}
