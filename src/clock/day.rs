//! Days of the calendar.

// Layer 1 of 10: words.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::Timestamp;
use crate::error::{InvalidValue, InvalidValueKind};
use crate::text::parsed_from_text;

/// A day of the calendar in UTC, from one midnight to the next.
///
/// ```
/// use tower_api_key::clock::{Day, Timestamp};
///
/// let day = Day::from(Timestamp::from_unix_millis(1_800_000_000_000));
/// assert_eq!(day.to_string(), "2027-01-15");
/// assert_eq!("2027-01-15".parse(), Ok(day));
/// assert!("2027-02-29".parse::<Day>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

pub(super) const MILLIS: i64 = 24 * 60 * 60 * 1_000;
/// Days of four hundred years, after which the calendar repeats itself.
const CYCLE: i64 = 146_097;
/// Days from the first of March of the year 0 to the first of January 1970.
const EPOCH: i64 = 719_468;

impl Day {
    /// Creates the day `days` after 1970-01-01, or the nearest one in which a [`Timestamp`] can lie.
    pub const fn from_unix_days(days: i64) -> Self {
        let (first, last) = (i64::MIN.div_euclid(MILLIS), i64::MAX.div_euclid(MILLIS));
        if days < first {
            Self(first)
        } else if days > last {
            Self(last)
        } else {
            Self(days)
        }
    }

    /// Returns the number of days since 1970-01-01.
    pub const fn unix_days(self) -> i64 {
        self.0
    }

    /// Returns the day `days` later, or earlier if `days` is negative.
    #[must_use]
    pub const fn plus(self, days: i64) -> Self {
        Self::from_unix_days(self.0.saturating_add(days))
    }

    /// Returns the midnight at which it begins.
    pub const fn start(self) -> Timestamp {
        Timestamp::from_unix_millis(self.0.saturating_mul(MILLIS))
    }

    /// Returns the number of months from January 1970 to its own.
    pub(crate) fn unix_months(self) -> i64 {
        let (year, month, _) = self.date();
        (year - 1970) * 12 + month - 1
    }

    /// Returns the first day of the month `months` after January 1970.
    pub(crate) fn first_of_month(months: i64) -> Self {
        Self::of_date(1970 + months.div_euclid(12), months.rem_euclid(12) + 1, 1)
    }

    /// Returns whether RFC 3339 can express the day: it is in the years 0000 to 9999.
    pub(super) fn is_rfc3339(self) -> bool {
        (0..=9999).contains(&self.date().0)
    }

    pub(super) fn is_first_of_month(self) -> bool {
        self.date().2 == 1
    }

    fn parse(text: &str) -> Option<Self> {
        let number = |range: Range<usize>| text.get(range)?.parse::<u16>().ok().map(i64::from);
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let found = Self::of_date(year, month, day);
        // Formatted again, anything that is not a valid day in this form differs.
        (found.to_string() == text).then_some(found)
    }

    fn of_date(year: i64, month: i64, day: i64) -> Self {
        // The year begins in March, so that the leap day is its last.
        let year = year - i64::from(month <= 2);
        let (cycle, year) = (year.div_euclid(400), year.rem_euclid(400));
        let days_of_years = year * 365 + year / 4 - year / 100;
        Self(cycle * CYCLE + days_of_years + days_before(month_from_march(month)) + day - 1 - EPOCH)
    }

    /// Returns the year, the month and the day of the month.
    fn date(self) -> (i64, i64, i64) {
        let (cycle, day) = ((self.0 + EPOCH).div_euclid(CYCLE), (self.0 + EPOCH).rem_euclid(CYCLE));
        // The leap days before it.
        let leap_days = day / 1_460 - day / 36_524 + day / (CYCLE - 1);
        let year = (day - leap_days) / 365;
        let day = day - (year * 365 + year / 4 - year / 100);
        let from_march = (5 * day + 2) / 153;
        let month = (from_march + 2) % 12 + 1;
        (cycle * 400 + year + i64::from(month <= 2), month, day - days_before(from_march) + 1)
    }
}

/// Returns the month counted from March.
fn month_from_march(month: i64) -> i64 {
    (month + 9) % 12
}

/// Returns the days of the months before this one, counted from March: five consecutive months have 153.
fn days_before(month: i64) -> i64 {
    (153 * month + 2) / 5
}

impl From<Timestamp> for Day {
    fn from(time: Timestamp) -> Self {
        Self(time.unix_millis().div_euclid(MILLIS))
    }
}

impl FromStr for Day {
    type Err = InvalidValue;

    /// Parses a day of the form `YYYY-MM-DD`.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::parse(text).ok_or_else(|| {
            let message = "day is invalid: must be a day of the calendar, such as `2030-01-31`";
            InvalidValue::new(InvalidValueKind::Day, message)
        })
    }
}

parsed_from_text!(Day, "a day such as `2030-01-31`");

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Day({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn every_day_of_a_thousand_years_follows_the_one_before() {
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut expected = day("1600-01-01");
        for year in 1600..2600 {
            for (month, length) in (1..).zip(lengths) {
                let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
                for number in 1..=length + i64::from(month == 2 && is_leap) {
                    let text = format!("{year:04}-{month:02}-{number:02}");
                    assert_eq!((expected.to_string(), Day::parse(&text)), (text, Some(expected)));
                    let months = (year - 1970) * 12 + month - 1;
                    assert_eq!(
                        (expected.unix_months(), Day::first_of_month(months)),
                        (months, expected.plus(1 - number))
                    );
                    expected = expected.plus(1);
                }
            }
        }
    }

    #[test]
    fn known_days_have_their_numbers() {
        for (text, days) in
            [("1970-01-01", 0), ("1969-12-31", -1), ("2000-02-29", 11_016), ("0000-03-01", -EPOCH)]
        {
            assert_eq!(day(text).unix_days(), days, "{text}");
        }
    }

    #[test]
    fn a_day_goes_from_midnight_to_midnight() {
        let at = |millis| Day::from(Timestamp::from_unix_millis(millis));
        assert_eq!([at(-1), at(0), at(MILLIS - 1), at(MILLIS)].map(Day::unix_days), [-1, 0, 0, 1]);
        assert_eq!(at(MILLIS).start(), Timestamp::from_unix_millis(MILLIS));
    }

    #[test]
    fn invalid_days_are_not_parsed() {
        for text in [
            "",
            "2027",
            "2027-1-15",
            "2027-01-15T00",
            " 2027-01-15",
            "+027-01-15",
            "2027-13-01",
            "2027-00-10",
            "2027-01-00",
            "2027-04-31",
            "2027-02-29",
            "1900-02-29",
            "2027/01/15",
            "20270115",
            "２０２７-01-15",
        ] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_ends_of_time_are_days() {
        for millis in [i64::MIN, i64::MAX] {
            let day = Day::from(Timestamp::from_unix_millis(millis));
            assert_eq!(Day::from_unix_days(day.unix_days()), day);
            assert!(!day.to_string().is_empty());
        }
        assert_eq!(Day::from_unix_days(i64::MAX), Day::from(Timestamp::from_unix_millis(i64::MAX)));
        assert_eq!(Day::from_unix_days(0).plus(i64::MIN), Day::from(Timestamp::from_unix_millis(i64::MIN)));
    }
}
