//! Comparisons of expiries. Without an expiry, a key never expires.

// Layer 3 of 10: storage.

use crate::clock::Timestamp;
use crate::record::Record;

/// Returns whether one expiry is later than another one.
pub(super) fn is_later(expiry: Option<Timestamp>, than: Option<Timestamp>) -> bool {
    expiry.unwrap_or(Timestamp::NEVER) > than.unwrap_or(Timestamp::NEVER)
}

/// Returns the earlier of two expiries.
pub(super) fn earlier(expiry: Option<Timestamp>, limit: Option<Timestamp>) -> Option<Timestamp> {
    if is_later(expiry, limit) { limit } else { expiry }
}

/// Sets the expiry of a key, unless it expires earlier.
pub(super) fn limit_expiry(record: &mut Record, expiry: Timestamp) {
    record.expires_at = Some(record.expires_at.map_or(expiry, |own| own.min(expiry)));
}
