//! The format of times.

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use tower_api_key::Timestamp;

/// Formats a time as RFC 3339, in whole seconds. A time outside its range of years is `None`.
pub(crate) fn written(time: Timestamp) -> Option<String> {
    let seconds = time.unix_millis().div_euclid(1000);
    OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(&Rfc3339).ok()
}
