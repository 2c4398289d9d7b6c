//! The query of usage: its days and its grouping.

use crate::calendar;

/// The range in days since 1970, and whether the answer lists keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    pub from: i64,
    pub to: i64,
    pub by_key: bool,
}

/// Parses the parameters `from`, `to` and `by`, or returns the name of the invalid one.
pub fn read([from, to, by]: [Option<&str>; 3], today: i64) -> Result<Question, &'static str> {
    let day = |text: Option<&str>, usual| text.map_or(Some(usual), calendar::day);
    let to = day(to, today).ok_or("to")?;
    let from = day(from, to - 29).filter(|from| (to - 365..=to).contains(from)).ok_or("from")?;
    match by {
        None | Some("total") => Ok(Question { from, to, by_key: false }),
        Some("route") => Ok(Question { from, to, by_key: false }),
        Some("key") => Ok(Question { from, to, by_key: true }),
        Some(_) => Err("by"),
    }
}
