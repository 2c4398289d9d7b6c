//! Days and times of the calendar (RFC 3339), by simple counting.

/// The milliseconds of a day.
pub const DAY: i64 = 24 * 60 * 60 * 1_000;

/// Parses `YYYY-MM-DD` into the number of days since 1970-01-01.
pub fn day(text: &str) -> Option<i64> {
    let [year, month, day] = numbers(text, "####-##-##")?[..] else { return None };
    let before = (1..month).map(|month| length(year, month)).sum::<i64>();
    ((1..=12).contains(&month) && (1..=length(year, month)).contains(&day))
        .then(|| days_before(year) - days_before(1970) + before + day - 1)
}

/// Parses a time like `2030-01-31T12:00:00.5+01:00` into milliseconds since 1970, if it lies in the years 0 to 9999 by UTC. A leap
/// second is read as the end of the second before it.
pub fn time(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let (clock, rest) = rest.strip_prefix(['T', 't'])?.split_at_checked(8)?;
    let [hour, minute, second] = numbers(clock, "##:##:##")?[..] else { return None };
    let (millis, offset) = match rest.strip_prefix('.') {
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let written = format!("{}000", &rest[..digits]);
            ((digits > 0).then(|| written[..3].parse::<i64>().ok())??, &rest[digits..])
        }
        None => (0, rest),
    };
    let offset = match (offset.strip_prefix('+'), offset.strip_prefix('-')) {
        _ if offset.eq_ignore_ascii_case("z") => 0,
        (Some(east), _) => minutes(east)?,
        (_, Some(west)) => -minutes(west)?,
        _ => return None,
    };
    let minutes = day(date)? * 24 * 60 + hour * 60 + minute - offset;
    let is_leap_second = second == 60 && is_last_of_a_month(minutes);
    let within = match second {
        0..60 => second * 1_000 + millis,
        _ => 59_999,
    };
    let is_time = hour < 24 && minute < 60 && (second < 60 || is_leap_second);
    let years = day("0000-01-01")? * DAY..(day("9999-12-31")? + 1) * DAY;
    Some(minutes * 60_000 + within).filter(|time| is_time && years.contains(time))
}

/// Parses the numbers at the `#`s of a pattern, one digit for each. All other characters must be those of the pattern.
fn numbers(text: &str, pattern: &str) -> Option<Vec<i64>> {
    let fits = |(byte, sign): (u8, u8)| if sign == b'#' { byte.is_ascii_digit() } else { byte == sign };
    let is_written = text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(fits);
    is_written.then(|| text.split(['-', ':']).map(|digits| digits.parse().ok()).collect())?
}

fn minutes(offset: &str) -> Option<i64> {
    let [hours, minutes] = numbers(offset, "##:##")?[..] else { return None };
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// Returns whether a minute, counted from 1970, is the last of a month by UTC.
fn is_last_of_a_month(minutes: i64) -> bool {
    let next = (minutes + 1).div_euclid(24 * 60);
    let first_of_a_month = |year: i64| {
        (1..=12).any(|month| {
            days_before(year) - days_before(1970) + (1..month).map(|month| length(year, month)).sum::<i64>()
                == next
        })
    };
    (minutes + 1).rem_euclid(24 * 60) == 0 && (0..=10_000).any(first_of_a_month)
}

fn days_before(year: i64) -> i64 {
    // The rules of leap years apply to all years before as well.
    let leaps = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps(year - 1)
}

fn length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
