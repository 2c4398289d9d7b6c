//! Times in words.

use std::time::Duration;

use askama::Template;
use askama::filters::HtmlSafe;

use crate::clock::Timestamp;

/// A time in words, such as `in 30 days`, and exactly.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(ext = "html", source = r#"<time datetime="{{ exact }}" title="{{ exact }}">{{ words }}</time>"#)]
pub(super) struct When {
    words: String,
    /// As RFC 3339.
    pub(super) exact: String,
}

/// Its template escapes its fields.
impl HtmlSafe for When {}

impl When {
    /// Returns a time that was given and that RFC 3339 can express.
    pub(super) fn of(at: Option<Timestamp>, now: Timestamp) -> Option<Self> {
        at.filter(|at| at.is_rfc3339()).map(|at| Self::new(at, now))
    }

    pub(super) fn new(at: Timestamp, now: Timestamp) -> Self {
        let words = match (at.saturating_since(now), now.saturating_since(at)) {
            (ahead, _) if ahead >= Duration::from_secs(60) => format!("in {}", length(ahead)),
            (_, since) if since >= Duration::from_secs(60) => format!("{} ago", length(since)),
            (ahead, _) if !ahead.is_zero() => "in less than a minute".to_owned(),
            _ => "just now".to_owned(),
        };
        Self { words, exact: at.to_string() }
    }
}

/// Returns a length of time in the largest unit of which it has two or more: 25 hours are not a day.
fn length(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    let units = [("day", 24 * 60), ("hour", 60), ("minute", 1)];
    let (unit, count) = units
        .into_iter()
        .map(|(unit, minutes_of_unit)| (unit, minutes / minutes_of_unit))
        .find(|(_, count)| *count > 1)
        .unwrap_or(("minute", minutes));
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_in_its_largest_unit() {
        let now = Timestamp::from_unix_millis(1_800_000_000_000);
        for (seconds, ahead, past) in [
            (1, "in less than a minute", "just now"),
            (60, "in 1 minute", "1 minute ago"),
            (119 * 60, "in 119 minutes", "119 minutes ago"),
            (120 * 60, "in 2 hours", "2 hours ago"),
            (47 * 60 * 60, "in 47 hours", "47 hours ago"),
            (30 * 24 * 60 * 60, "in 30 days", "30 days ago"),
        ] {
            let by = Duration::from_secs(seconds);
            assert_eq!(When::new(now.saturating_add(by), now).words, ahead);
            assert_eq!(When::new(now.saturating_sub(by), now).words, past);
        }
        assert_eq!(When::new(now, now).exact, "2027-01-15T08:00:00Z");
    }
}
