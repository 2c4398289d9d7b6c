//! `Bearer KEY` (RFC 6750 §2.1).

use super::grammar::{MAX_CREDENTIAL_BYTES, is_token68};

/// Returns whether the whole text behind the scheme is one token.
pub(super) fn is_well_formed(rest: &[u8]) -> bool {
    rest.len() <= MAX_CREDENTIAL_BYTES && is_token68(rest)
}
