//! The usage of the keys of an organization: live keys, which are billed, separate from test keys.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tower_api_key::backend::{UsageLine, UsageQuery};
use tower_api_key::clock::{Clock, Day, SystemClock};
use tower_api_key::{Environment, Principal};

use crate::api_error::{ApiError, WrongField, success};
use crate::api_keys::Manager;

/// Days of a history: default and maximum.
const DAYS: (i64, i64) = (30, 90);

/// The names of the environments' calls. Only calls with live keys are billed.
const CALLS: [(Environment, &str); 2] =
    [(Environment::Live, "api_calls"), (Environment::Test, "test_api_calls")];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Span {
    days: Option<i64>,
}

/// Returns the calls of the current month.
pub(crate) async fn current(
    State(manager): State<Manager>,
    caller: Principal,
) -> Result<Json<Value>, ApiError> {
    let today = today();
    let day = today.to_string();
    let month = day.rsplit_once('-').map_or(&*day, |(month, _)| month);
    let first = format!("{month}-01").parse().unwrap_or(today);
    let delegate = manager.on_behalf_of(&caller).across_environments();
    let lines = delegate.query_usage(UsageQuery::new(first, today)).await?;
    let mut current = calls(&caller, &lines);
    current.insert("period".to_owned(), month.into());
    Ok(success(json!({ "current": current })))
}

/// Returns the calls of the last days, without days that have none.
pub(crate) async fn history(
    State(manager): State<Manager>,
    caller: Principal,
    span: Result<Query<Span>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let (usual, most) = DAYS;
    let days = span.map_or(None, |Query(span)| Some(span.days.unwrap_or(usual)));
    let Some(days) = days.filter(|days| (1..=most).contains(days)) else {
        let wrong = format!("expected a whole number from 1 to {most}, found something else");
        return Err(ApiError::invalid(vec![WrongField::new("days", wrong)]));
    };
    let (start, end) = (today().plus(-days), today());
    let delegate = manager.on_behalf_of(&caller).across_environments();
    let lines = delegate.query_usage(UsageQuery::new(start, end)).await?;
    let by_day = lines.chunk_by(|line, next| line.day == next.day).map(|of_day| {
        let mut entry = calls(&caller, of_day);
        entry.extend(of_day.first().map(|line| ("date".to_owned(), line.day.to_string().into())));
        entry
    });
    let history: Vec<_> = by_day.collect();
    Ok(success(json!({
        "period_start": start.to_string(),
        "period_end": end.to_string(),
        "history": history,
    })))
}

/// Adds lines up by environment. A test key gets no field for live calls.
fn calls(caller: &Principal, lines: &[UsageLine]) -> Map<String, Value> {
    let is_told =
        |environment| caller.environment() == Environment::Live || caller.environment() == environment;
    let told = CALLS.into_iter().filter(|(environment, _)| is_told(*environment));
    told.map(|(environment, name)| {
        let of_environment = lines.iter().filter(|line| line.environment == environment);
        (name.to_owned(), of_environment.map(|line| line.requests).sum::<u64>().into())
    })
    .collect()
}

fn today() -> Day {
    SystemClock::new().wall().into()
}
