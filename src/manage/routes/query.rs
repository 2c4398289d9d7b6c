//! Reads query parameters. Unknown and repeated ones are errors.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;

use super::super::Wait;
use super::cursor;
use super::error::RouteError;
use crate::key::KeyId;
use crate::record::KeyState;

/// Most seconds that a revocation may wait.
const MAX_WAIT: u64 = 60;

/// Keys of a page: default and maximum.
const PAGE: (usize, usize) = (20, 100);

/// The extractor of all parameters.
pub(super) type Parameters = Result<Query<Vec<(String, String)>>, QueryRejection>;
/// Parameters by name, each of which the route knows.
pub(super) type Known = BTreeMap<&'static str, String>;

/// The parameters of a list.
pub(super) struct Page {
    pub(super) after: Option<KeyId>,
    pub(super) limit: usize,
    pub(super) state: Option<KeyState>,
}

impl Page {
    pub(super) fn read(parameters: Parameters) -> Result<Self, RouteError> {
        let (default, max) = PAGE;
        let parameters = known(parameters, &["cursor", "limit", "state"])?;
        let limit = |text: &str| text.parse().ok().filter(|limit| (1..=max).contains(limit));
        Ok(Self {
            after: optional(&parameters, "cursor", cursor::decode)
                .ok_or_else(|| invalid("cursor", "the next_cursor of a page, found something else"))?,
            limit: optional(&parameters, "limit", limit)
                .ok_or_else(|| invalid("limit", "a number from 1 to 100, found something else"))?
                .unwrap_or(default),
            state: optional(&parameters, "state", |text| text.parse().ok())
                .ok_or_else(|| invalid("state", "active, expired or revoked, found something else"))?,
        })
    }
}

/// Reads how long a revocation waits for other processes; `None` if it does not wait.
pub(super) fn wait(parameters: &Known) -> Result<Option<Wait>, RouteError> {
    const NAMES: [&str; 3] = ["wait", "until", "wait_seconds"];
    let only = |name, value| {
        optional(parameters, name, |text| (text == value).then_some(()))
            .ok_or_else(|| invalid(name, &format!("{value}, found something else")))
    };
    only("wait", "fleet")?;
    let mut wait = Wait::new();
    if only("until", "lease")?.is_some() {
        wait = wait.until_lease();
    }
    let seconds = |text: &str| text.parse().ok().filter(|seconds| *seconds <= MAX_WAIT);
    let seconds = optional(parameters, "wait_seconds", seconds)
        .ok_or_else(|| invalid("wait_seconds", "a number from 0 to 60, found something else"))?;
    if let Some(seconds) = seconds {
        wait = wait.at_most(Duration::from_secs(seconds));
    }
    Ok(NAMES.iter().any(|name| parameters.contains_key(name)).then_some(wait))
}

/// Returns the parameters by name. Unknown and repeated ones are errors.
pub(super) fn known(parameters: Parameters, names: &[&'static str]) -> Result<Known, RouteError> {
    let unknown =
        || RouteError::bad_request(format!("Expected no parameters but {}, found others", names.join(", ")));
    let Ok(Query(parameters)) = parameters else { return Err(unknown()) };
    let mut found = Known::new();
    for (name, text) in parameters {
        let name = *names.iter().find(|known| **known == name).ok_or_else(unknown)?;
        if found.insert(name, text).is_some() {
            return Err(invalid(name, "one value, found several"));
        }
    }
    Ok(found)
}

/// Reads an optional parameter. Returns `None` if it is present and invalid.
pub(super) fn optional<T>(
    parameters: &Known,
    name: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Option<Option<T>> {
    match parameters.get(name) {
        Some(text) => read(text).map(Some),
        None => Some(None),
    }
}

/// Creates the error of an invalid parameter.
pub(super) fn invalid(name: &str, expected: &str) -> RouteError {
    RouteError::bad_request(format!("{name}: expected {expected}"))
}
