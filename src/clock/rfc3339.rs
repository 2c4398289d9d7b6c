//! Times as texts (RFC 3339).

// Layer 1 of 10: words.

use std::fmt;
use std::str::FromStr;

use super::day::MILLIS as MILLIS_OF_DAY;
use super::{Day, Timestamp};
use crate::error::{InvalidValue, InvalidValueKind};
use crate::text::parsed_from_text;

impl Timestamp {
    /// Returns whether RFC 3339 can express the time: it is in the years 0000 to 9999.
    pub(crate) fn is_rfc3339(self) -> bool {
        Day::from(self).is_rfc3339()
    }
}

impl fmt::Display for Timestamp {
    /// Writes the time in UTC, as RFC 3339: `2027-01-15T08:00:00Z`, with a fraction only if it is not a whole second. A year after 9999,
    /// which RFC 3339 cannot express, has more digits; an earlier one than 0000 has a sign.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_day = self.0.rem_euclid(MILLIS_OF_DAY);
        let (seconds, millis) = (of_day / 1_000, of_day % 1_000);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(f, "{}T{hour:02}:{minute:02}:{second:02}", Day::from(*self))?;
        match millis {
            0 => {}
            _ if millis % 100 == 0 => write!(f, ".{}", millis / 100)?,
            _ if millis % 10 == 0 => write!(f, ".{:02}", millis / 10)?,
            _ => write!(f, ".{millis:03}")?,
        }
        f.write_str("Z")
    }
}

impl FromStr for Timestamp {
    type Err = InvalidValue;

    /// Parses a time of RFC 3339, such as `2027-01-15T08:00:00Z` or `2027-01-15T09:30:00.25+01:30`. Digits beyond milliseconds are cut off.
    /// A leap second counts as the millisecond before its end.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        parse(text).ok_or_else(|| {
            let message = "time is invalid: must be a time of RFC 3339, such as `2030-01-31T12:00:00Z`";
            InvalidValue::new(InvalidValueKind::Timestamp, message)
        })
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let day: Day = date.parse().ok()?;
    let [b'T' | b't', h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = rest.as_bytes() else { return None };
    let (hour, minute, second) = (below(24, *h1, *h2)?, below(60, *m1, *m2)?, below(61, *s1, *s2)?);
    let (millis, offset) = match rest {
        [b'.', fraction @ ..] => split_millis(fraction)?,
        _ => (0, rest),
    };
    let offset = match offset {
        [b'Z' | b'z'] => 0,
        [b'+', h1, h2, b':', m1, m2] => below(24, *h1, *h2)? * 60 + below(60, *m1, *m2)?,
        [b'-', h1, h2, b':', m1, m2] => -(below(24, *h1, *h2)? * 60 + below(60, *m1, *m2)?),
        _ => return None,
    };
    let is_leap = second == 60;
    let (second, millis) = if is_leap { (59, 999) } else { (second, millis) };
    let seconds = (hour * 60 + minute - offset) * 60 + second;
    let time = Timestamp(day.unix_days() * MILLIS_OF_DAY + seconds * 1_000 + millis);
    // A leap second is the last one of a month in UTC.
    let is_possible = !is_leap || begins_month(Timestamp(time.0 + 1));
    (is_possible && time.is_rfc3339()).then_some(time)
}

/// Returns the number of two digits, if it is below `end`.
fn below(end: i64, tens: u8, ones: u8) -> Option<i64> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    Some(digit(tens)? * 10 + digit(ones)?).filter(|number| *number < end)
}

/// Splits the digits of a fraction of a second from the text behind them, and returns its milliseconds.
fn split_millis(text: &[u8]) -> Option<(i64, &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = text.split_at(end);
    let digit = |place: usize| i64::from(digits.get(place).map_or(0, |byte| byte - b'0'));
    (end > 0).then(|| (digit(0) * 100 + digit(1) * 10 + digit(2), rest))
}

fn begins_month(time: Timestamp) -> bool {
    let day = Day::from(time);
    day.start() == time && day.is_first_of_month()
}

parsed_from_text!(Timestamp, "a time of RFC 3339, such as `2030-01-31T12:00:00Z`");

#[cfg(feature = "serde")]
mod serialize {
    use serde::ser::{Error, Serialize, Serializer};

    use super::{Day, Timestamp};

    const OUT_OF_RANGE: &str = "a time must be in the years 0000 to 9999, which RFC 3339 can express";

    impl Serialize for Timestamp {
        /// Serializes the text of RFC 3339.
        ///
        /// # Errors
        ///
        /// When the time is not in the years 0000 to 9999.
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.is_rfc3339() { serializer.collect_str(self) } else { Err(S::Error::custom(OUT_OF_RANGE)) }
        }
    }

    impl Serialize for Day {
        /// Serializes the text `YYYY-MM-DD`.
        ///
        /// # Errors
        ///
        /// When the day is not in the years 0000 to 9999.
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.is_rfc3339() { serializer.collect_str(self) } else { Err(S::Error::custom(OUT_OF_RANGE)) }
        }
    }
}
