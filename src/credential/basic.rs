//! `Basic base64(user:KEY)` (RFC 7617 §2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::MAX_CREDENTIAL_BYTES;

/// Bytes that base64 of the greatest length decodes to.
const CAPACITY: usize = MAX_CREDENTIAL_BYTES / 4 * 3;

/// A decoded pair of user and secret, on the stack. Wiped when dropped.
pub(super) struct Pair {
    bytes: Zeroizing<[u8; CAPACITY]>,
    colon: usize,
    end: usize,
}

impl Pair {
    pub(super) fn user(&self) -> &str {
        // OK because `parse` accepted nothing but UTF-8, and a colon ends no character but itself.
        std::str::from_utf8(&self.bytes[..self.colon]).unwrap_or_default()
    }

    pub(super) fn secret(&self) -> &[u8] {
        &self.bytes[self.colon + 1..self.end]
    }
}

/// Decodes what follows the scheme: canonical base64 with padding, of UTF-8 without control characters, whose first
/// colon ends the user and leaves a secret behind it.
///
/// One pair has one encoding: missing padding and stray bits are refused, as they would be other names for one key.
pub(super) fn parse(rest: &[u8]) -> Option<Pair> {
    if rest.len() > MAX_CREDENTIAL_BYTES {
        return None;
    }
    let mut bytes = Zeroizing::new([0; CAPACITY]);
    let end = STANDARD.decode_slice(rest, &mut *bytes).ok()?;
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    let colon = text.find(':')?;
    let complete = colon + 1 < end && !text.contains(char::is_control);
    complete.then_some(Pair { bytes, colon, end })
}

const _: fn() = || {
    // A `Zeroizing` array is wiped by its own drop; this keeps a later change of its type honest.
    fn wiped<T: Zeroize + ZeroizeOnDrop>() {}
    wiped::<Zeroizing<[u8; CAPACITY]>>();
};
