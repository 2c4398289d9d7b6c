//! Reads query parameters. Unknown and repeated ones are errors.

// Layer 9 of 10: management.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;

use super::super::Wait;
use super::cursor;
use super::error::RouteError;
use crate::backend::SearchPosition;
use crate::key::KeyId;
use crate::quote::{quote, unknown};
use crate::record::KeyState;

/// Most seconds that a change may wait.
const MAX_WAIT: u64 = 60;

/// Keys, or entries of the audit log, of a page: default and maximum.
const PAGE: (usize, usize) = (20, 100);

/// The extractor of all parameters.
pub(super) type Parameters = Result<Query<Vec<(String, String)>>, QueryRejection>;
/// Parameters by name, each of which the route knows.
pub(super) type Known = BTreeMap<&'static str, String>;

/// The order of a list, and the key after which the page starts.
pub(super) enum Order {
    ById(Option<KeyId>),
    /// Of the keys whose names start with a text.
    ByName(Box<str>, Option<SearchPosition>),
}

/// The parameters of a list.
pub(super) struct Page {
    pub(super) order: Order,
    pub(super) limit: usize,
    pub(super) state: Option<KeyState>,
}

impl Page {
    pub(super) fn read(parameters: Parameters) -> Result<Self, RouteError> {
        let parameters = known(parameters, &["cursor", "limit", "name", "state"])?;
        let cursor = "the next_cursor of a page";
        Ok(Self {
            order: match optional(&parameters, "name", "a text without U+0000", stored_text)? {
                None => Order::ById(optional(&parameters, "cursor", cursor, cursor::decode)?),
                Some(start) => {
                    Order::ByName(start, optional(&parameters, "cursor", cursor, cursor::decode_position)?)
                }
            },
            limit: page_limit(&parameters)?,
            state: optional(&parameters, "state", "active, disabled, expired or revoked", |text| {
                text.parse().ok()
            })?,
        })
    }
}

/// Reads a text that each store can compare: PostgreSQL keeps no zero byte.
pub(super) fn stored_text(text: &str) -> Option<Box<str>> {
    (!text.contains('\0')).then(|| text.into())
}

/// Reads whether a change may end the last manager of an owner.
pub(super) fn force(parameters: &Known) -> Result<bool, RouteError> {
    Ok(optional(parameters, "force", "true or false", |text| text.parse().ok())?.unwrap_or(false))
}

/// Reads the limit of a page.
pub(super) fn page_limit(parameters: &Known) -> Result<usize, RouteError> {
    let (default, max) = PAGE;
    let limit = |text: &str| text.parse().ok().filter(|limit| (1..=max).contains(limit));
    Ok(optional(parameters, "limit", "a number from 1 to 100", limit)?.unwrap_or(default))
}

/// Reads how long a change waits for other processes; `None` if it does not wait.
pub(super) fn wait(parameters: &Known) -> Result<Option<Wait>, RouteError> {
    const NAMES: [&str; 3] = ["wait", "until", "wait_seconds"];
    let only = |name, value| optional(parameters, name, value, |text| (text == value).then_some(()));
    only("wait", "fleet")?;
    let mut wait = Wait::new();
    if only("until", "lease")?.is_some() {
        wait = wait.until_lease();
    }
    let seconds = |text: &str| text.parse().ok().filter(|seconds| *seconds <= MAX_WAIT);
    if let Some(seconds) = optional(parameters, "wait_seconds", "a number from 0 to 60", seconds)? {
        wait = wait.at_most(Duration::from_secs(seconds));
    }
    Ok(NAMES.iter().any(|name| parameters.contains_key(name)).then_some(wait))
}

/// Returns the parameters by name. Unknown and repeated ones are errors.
pub(super) fn known(parameters: Parameters, names: &[&'static str]) -> Result<Known, RouteError> {
    let Ok(Query(parameters)) = parameters else {
        return Err(RouteError::bad_request("The query is not valid"));
    };
    let mut found = Known::new();
    for (name, text) in parameters {
        let Some(name) = names.iter().find(|known| **known == name) else {
            return Err(RouteError::bad_request(unknown("parameter", &name, names)));
        };
        if found.insert(*name, text).is_some() {
            return Err(invalid(name, "must be given once"));
        }
    }
    Ok(found)
}

/// Reads an optional parameter. An error says what it must be.
pub(super) fn optional<T>(
    parameters: &Known,
    name: &str,
    expected: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, RouteError> {
    let Some(text) = parameters.get(name) else { return Ok(None) };
    let error = || invalid(name, &format!("must be {expected}, got {}", quote(text)));
    read(text).map(Some).ok_or_else(error)
}

/// Creates the error of an invalid parameter.
pub(super) fn invalid(name: &str, rule: &str) -> RouteError {
    RouteError::bad_request(format!("{name}: {rule}"))
}
