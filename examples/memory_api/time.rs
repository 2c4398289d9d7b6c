//! Times as clients read them.

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use tower_api_key::Timestamp;

/// Writes a time in the form of RFC 3339, in whole seconds. A time beyond its years is none.
pub(crate) fn written(time: Timestamp) -> Option<String> {
    let seconds = time.unix_millis().div_euclid(1000);
    OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(&Rfc3339).ok()
}
