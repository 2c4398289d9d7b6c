//! The routes of the usage of a caller's keys, by day, which only read.

// Layer 9 of 10: management.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{self, Response};
use serde_json::{Map, Value, json};

use super::caller::Caller;
use super::cursor;
use super::error::RouteError;
use super::input::{Id, key_id};
use super::output::json_response;
use super::query::{Known, Parameters, invalid, known, optional};
use super::shared::SharedState;
use crate::backend::{KeyStore, UsageBy, UsageLine, UsageQuery, UsageStore};
use crate::clock::{Day, Timestamp};

/// Days of a response: default and maximum.
const DAYS: (i64, i64) = (30, 366);
/// Most lines of a response.
const MAX_LINES: usize = 10_000;
const TOO_MANY: &str = "must give at most 10000 lines of usage, got more";

pub(super) async fn of_all<S: KeyStore + UsageStore>(
    State(shared): SharedState<S>,
    caller: Caller,
    parameters: Parameters,
) -> response::Result<Response> {
    let delegate = shared.to_read(&caller)?;
    let parameters = known(parameters, &["from", "to", "by", "limit", "cursor"])?;
    let limit = limit(&parameters)?;
    let query = days(&parameters, shared.now())?.by(by(&parameters)?).limit(limit + 1);
    let after = after(&parameters, query.by)?;
    let mut lines = delegate.query_usage(UsageQuery { after, ..query }).await?;
    let next = cursor::cut(&mut lines, limit, cursor::encode_line);
    if next.is_some() && !["limit", "cursor"].iter().any(|name| parameters.contains_key(name)) {
        // A client that does not request pages would take the first page for the whole usage.
        return Err(invalid("from", &format!("{TOO_MANY}; a limit gives them in pages")).into());
    }
    Ok(respond(&lines, next.as_deref()))
}

pub(super) async fn of_key<S: KeyStore + UsageStore>(
    State(shared): SharedState<S>,
    caller: Caller,
    id: Id,
    parameters: Parameters,
) -> response::Result<Response> {
    let delegate = shared.to_read(&caller)?;
    let parameters = known(parameters, &["from", "to", "by"])?;
    let by = optional(&parameters, "by", "key or route", |text| match text {
        "key" => Some(UsageBy::Key),
        "route" => Some(UsageBy::Route),
        _ => None,
    })?;
    let query = days(&parameters, shared.now())?.by(by.unwrap_or(UsageBy::Key)).limit(MAX_LINES + 1);
    let lines = delegate.query_usage(query.of_key(key_id(id)?)).await?;
    if lines.len() > MAX_LINES {
        return Err(invalid("from", TOO_MANY).into());
    }
    Ok(respond(&lines, None))
}

/// Reads the first and the last day.
fn days(parameters: &Known, now: Timestamp) -> Result<UsageQuery, RouteError> {
    let (default, max) = DAYS;
    let day = |name| optional(parameters, name, "a day such as 2030-01-31", |text| text.parse::<Day>().ok());
    let to = day("to")?.unwrap_or_else(|| now.into());
    let from = day("from")?.unwrap_or_else(|| to.plus(1 - default));
    match to.unix_days() - from.unix_days() {
        ..0 => Err(invalid("from", &format!("must not be after {to}, got {from}"))),
        between if between >= max => {
            Err(invalid("from", &format!("must give at most {max} days up to {to}, got {}", between + 1)))
        }
        _ => Ok(UsageQuery::new(from, to)),
    }
}

/// Reads the grouping of the lines.
fn by(parameters: &Known) -> Result<UsageBy, RouteError> {
    let by = |text: &str| match text {
        "key" => Some(UsageBy::Key),
        "total" => Some(UsageBy::Total),
        "route" => Some(UsageBy::Route),
        _ => None,
    };
    Ok(optional(parameters, "by", "key, route or total", by)?.unwrap_or(UsageBy::Total))
}

fn limit(parameters: &Known) -> Result<usize, RouteError> {
    let limit = |text: &str| text.parse().ok().filter(|limit| (1..=MAX_LINES).contains(limit));
    Ok(optional(parameters, "limit", "a number from 1 to 10000", limit)?.unwrap_or(MAX_LINES))
}

/// Reads the cursor of a page.
fn after(parameters: &Known, by: UsageBy) -> Result<Option<UsageLine>, RouteError> {
    let is_of_query = |line: &UsageLine| {
        let groups = [line.key.is_some(), line.route.is_some()];
        groups == [by == UsageBy::Key, by == UsageBy::Route]
    };
    let line = |text: &str| cursor::decode_line(text).filter(is_of_query);
    optional(parameters, "cursor", "the next_cursor of a page of the same usage", line)
}

fn respond(lines: &[UsageLine], next: Option<&str>) -> Response {
    let line = |line: &UsageLine| {
        let mut fields = Map::new();
        if let Some(key) = &line.key {
            fields.insert("key".to_owned(), json!(key.as_str()));
        }
        if let Some(route) = &line.route {
            fields.insert("route".to_owned(), json!(route));
        }
        fields.insert("day".to_owned(), json!(line.day.to_string()));
        fields.insert("environment".to_owned(), json!(line.environment.label()));
        fields.insert("requests".to_owned(), json!(line.requests));
        if line.route.is_none() {
            fields.insert("limited".to_owned(), json!(line.limited));
            fields.insert("forbidden".to_owned(), json!(line.forbidden));
        }
        Value::Object(fields)
    };
    let lines: Vec<_> = lines.iter().map(line).collect();
    json_response(StatusCode::OK, &json!({ "usage": lines, "next_cursor": next }))
}
