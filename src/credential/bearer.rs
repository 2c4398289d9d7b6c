//! `Bearer KEY` (RFC 6750 §2.1).

use super::{MAX_CREDENTIAL_BYTES, is_token68};

/// Takes what follows the scheme as one token, all of it.
pub(super) fn parse(rest: &[u8]) -> Option<&[u8]> {
    (rest.len() <= MAX_CREDENTIAL_BYTES && is_token68(rest)).then_some(rest)
}
