//! `Basic base64(user:KEY)` (RFC 7617 §2).

// Layer 1 of 10: words.

use zeroize::{Zeroizing, optimization_barrier};

use super::base64::decode;
use super::grammar::{MAX_CREDENTIAL_BYTES, has_word};
use crate::ascii::all;

/// The size of the longest decoded credential.
const CAPACITY: usize = MAX_CREDENTIAL_BYTES / 4 * 3;

/// A buffer on the stack for the decoded pair, wiped when dropped.
pub(crate) struct Buffer {
    bytes: [u8; CAPACITY],
    used: usize,
    /// The pair in UTF-8, if it was sent in Latin-1. Otherwise nothing is allocated.
    latin1: Zeroizing<String>,
}

impl Buffer {
    pub(super) fn new() -> Self {
        Self { bytes: [0; CAPACITY], used: 0, latin1: Zeroizing::default() }
    }

    /// Decodes the text behind the scheme into a user and a secret: canonical base64 with padding, of a text without control
    /// characters (CTL of RFC 5234, Appendix B.1), whose first colon ends the user. The secret must not be empty.
    ///
    /// The text is UTF-8, or else Latin-1: RFC 7617 §2.1 prescribes neither, and some clients send Latin-1 whatever the challenge
    /// asks for. The secret is returned in UTF-8, so that both encodings yield the same secret.
    ///
    /// A pair has one encoding: missing padding and stray bits are rejected, as they would be aliases of one key.
    pub(super) fn parse(&mut self, rest: &[u8]) -> Option<(&str, &[u8])> {
        if rest.len() > MAX_CREDENTIAL_BYTES {
            return None;
        }
        // Decoding may fail half-way and leave bytes to wipe.
        self.used = CAPACITY;
        self.used = decode(rest, &mut self.bytes)?;
        let bytes = &self.bytes[..self.used];
        let pair = if all(bytes, |byte| matches!(byte, b' '..=b'~')) {
            bytes
        } else {
            let text = std::str::from_utf8(bytes).ok().or_else(|| decode_latin1(bytes, &mut self.latin1))?;
            is_printable(text).then_some(text.as_bytes())?
        };
        let colon = pair.iter().position(|&byte| byte == b':')?;
        let (user, secret) = (std::str::from_utf8(&pair[..colon]).ok()?, &pair[colon + 1..]);
        (!secret.is_empty()).then_some((user, secret))
    }
}

/// Returns whether the secret of the pair behind the scheme may [hold](has_word) one of `prefixes`. A pair that is too long for a credential is
/// decoded as far as one goes; of a pair that cannot be decoded, some reader might make any secret.
pub(super) fn may_hold(rest: &[u8], prefixes: &[Box<str>]) -> bool {
    let start = &rest[..rest.len().min(MAX_CREDENTIAL_BYTES)];
    let mut bytes = Zeroizing::new([0; CAPACITY]);
    let Some(length) = decode(start, &mut bytes[..]) else { return true };
    let Some(colon) = bytes[..length].iter().position(|&byte| byte == b':') else { return true };
    let secret = &bytes[colon + 1..length];
    let is_cut = start.len() < rest.len();
    has_word(secret, prefixes)
        || is_cut && prefixes.iter().any(|prefix| prefix.as_bytes().starts_with(secret))
}

/// Returns whether a request can present this pair: in UTF-8 and within the size limit.
pub(super) fn carries(user: &str, secret: &str) -> bool {
    !secret.is_empty() && is_printable(secret) && user.len() + 1 + secret.len() <= CAPACITY
}

/// Returns whether a text can be the user of a pair, which ends at the first colon.
pub(super) fn is_user(user: &str) -> bool {
    !user.contains(':') && is_printable(user)
}

fn is_printable(text: &str) -> bool {
    all(text.as_bytes(), |byte| !byte.is_ascii_control())
}

/// Decodes Latin-1. Bytes from 0x80 to 0x9F are rejected, as they are control characters.
fn decode_latin1<'t>(bytes: &[u8], text: &'t mut Zeroizing<String>) -> Option<&'t str> {
    if !all(bytes, |byte| !matches!(byte, 0x80..=0x9f)) {
        return None;
    }
    // The capacity is enough: a string that grows leaves unwiped copies behind.
    **text = String::with_capacity(2 * bytes.len());
    text.extend(bytes.iter().copied().map(char::from));
    Some(text)
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // By wide stores, which the barrier keeps. `Zeroize` stores each byte separately.
        self.bytes[..self.used].fill(0);
        optimization_barrier(&self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn the_longest_pair_that_may_be_kept_is_the_longest_that_a_request_presents() {
        for (length, is_carried) in [(CAPACITY - 1, true), (CAPACITY, true), (CAPACITY + 1, false)] {
            let secret = "k".repeat(length - "user:".len());
            let presented = STANDARD.encode(format!("user:{secret}"));
            assert_eq!(carries("user", &secret), is_carried, "{length}");
            assert_eq!(Buffer::new().parse(presented.as_bytes()).is_some(), is_carried, "{length}");
        }
    }
}
