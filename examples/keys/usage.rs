//! The usage of keys, as a table or as JSON.

use serde_json::{Value, json};
use tower_api_key::backend::{UsageBy, UsageLine, UsageQuery};
use tower_api_key::clock::Day;
use tower_api_key::{KeyId, Timestamp};

use crate::arguments::UsageArguments;
use crate::failure::Failure;
use crate::filter;
use crate::table;

/// Returns the first and the last day.
pub(crate) fn days(wanted: &UsageArguments, now: Timestamp) -> Result<(Day, Day), Failure> {
    let to = wanted.to.unwrap_or_else(|| now.into());
    let from = wanted.from.unwrap_or_else(|| to.plus(-29));
    if from > to {
        return Err(Failure::value(format!("--from must not be after --to, got {from} and {to}")));
    }
    Ok((from, to))
}

/// Converts the arguments to a query.
pub(crate) fn query(wanted: UsageArguments, now: Timestamp) -> Result<UsageQuery, Failure> {
    let (from, to) = days(&wanted, now)?;
    let owner = filter(wanted.owner);
    let by = match (wanted.by_key, wanted.by_route) {
        (false, false) => UsageBy::Total,
        (true, _) => UsageBy::Key,
        (false, true) => UsageBy::Route,
    };
    let mut query = UsageQuery::new(from, to).by(by);
    query.key = wanted.key;
    query.organization = owner.organization;
    query.project = owner.project;
    query.user = owner.user;
    Ok(query)
}

/// Formats usage.
pub(crate) fn table(lines: &[UsageLine], as_json: bool) -> String {
    if as_json {
        return lines.iter().map(value).collect::<Value>().to_string();
    }
    let heads = ["DAY", "ENVIRONMENT", "REQUESTS", "LIMITED", "FORBIDDEN", "OF"].map(str::to_owned);
    let rows: Vec<_> = [heads].into_iter().chain(lines.iter().map(row)).collect();
    table::of_rows(&rows)
}

fn row(line: &UsageLine) -> [String; 6] {
    [
        line.day.to_string(),
        line.environment.label().to_owned(),
        line.requests.to_string(),
        rejected(line, line.limited),
        rejected(line, line.forbidden),
        line.key.as_ref().map(KeyId::as_str).or(line.route.as_deref()).unwrap_or("all").to_owned(),
    ]
}

/// Formats a number of rejected requests. By route, it is unknown.
fn rejected(line: &UsageLine, number: u64) -> String {
    if line.route.is_some() { "-".to_owned() } else { number.to_string() }
}

fn value(line: &UsageLine) -> Value {
    let mut value = json!({
        "day": line.day.to_string(),
        "environment": line.environment.label(),
        "requests": line.requests,
        "key": line.key.as_ref().map(KeyId::as_str),
        "route": line.route,
    });
    if line.route.is_none() {
        value["limited"] = line.limited.into();
        value["forbidden"] = line.forbidden.into();
    }
    value
}
