//! Times in words, and texts cut for lists.

// Layer 10 of 10: rim.

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
        let (ahead, since) = (at.saturating_since(now).as_secs(), now.saturating_since(at).as_secs());
        let words = match (ahead, since) {
            (1.., _) => count(ahead, |unit| unit / 24)
                .map_or("in less than a minute".to_owned(), |count| format!("in {count}")),
            _ => count(since, |_| 0).map_or("just now".to_owned(), |count| format!("{count} ago")),
        };
        Self { words, exact: at.to_string() }
    }
}

/// Returns a bound of time in whole seconds or minutes, such as `30 seconds`.
pub(super) fn bound(time: Duration) -> String {
    let seconds = time.as_millis().div_ceil(1_000);
    let (count, unit) = if seconds >= 120 && seconds.is_multiple_of(60) {
        (seconds / 60, "minute")
    } else {
        (seconds, "second")
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Characters of a text in a list.
const MOST_SHOWN: usize = 60;

/// Returns the start of a text, for a list: the page of its own has the whole text.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns how often the largest unit fits into some seconds: twice at least, or once for a minute. A time that is short of a full unit by the
/// tolerance is said in full: a key of 90 days expires in 90 days a minute later as well.
fn count(seconds: u64, tolerance: impl Fn(u64) -> u64) -> Option<String> {
    let units = [("day", 24 * 60 * 60), ("hour", 60 * 60), ("minute", 60)];
    units.into_iter().find_map(|(name, unit)| match (seconds + tolerance(unit)) / unit {
        0 => None,
        1 => (name == "minute").then(|| "1 minute".to_owned()),
        count => Some(format!("{count} {name}s")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let keys = "\u{1f511}".repeat(60);
        assert_eq!(short(&keys), keys);
        assert_eq!(short(&format!("{keys}{keys}")), format!("{keys}…"));
        assert_eq!(short("CI"), "CI");
    }

    #[test]
    fn a_bound_is_no_shorter_than_the_time() {
        for (millis, words) in [
            (1, "1 second"),
            (5_000, "5 seconds"),
            (5_001, "6 seconds"),
            (90_000, "90 seconds"),
            (300_000, "5 minutes"),
        ] {
            assert_eq!(bound(Duration::from_millis(millis)), words);
        }
    }

    #[test]
    fn a_time_is_said_in_its_largest_unit() {
        let now = Timestamp::from_unix_millis(1_800_000_000_000);
        for (seconds, ahead, past) in [
            (1, "in less than a minute", "just now"),
            (60, "in 1 minute", "1 minute ago"),
            (30 * 24 * 60 * 60 - 60, "in 30 days", "29 days ago"),
            (119 * 60, "in 2 hours", "119 minutes ago"),
            (120 * 60, "in 2 hours", "2 hours ago"),
            (47 * 60 * 60, "in 2 days", "47 hours ago"),
            (30 * 24 * 60 * 60, "in 30 days", "30 days ago"),
        ] {
            let by = Duration::from_secs(seconds);
            assert_eq!(When::new(now.saturating_add(by), now).words, ahead);
            assert_eq!(When::new(now.saturating_sub(by), now).words, past);
        }
        assert_eq!(When::new(now, now).exact, "2027-01-15T08:00:00Z");
    }
}
