//! How often keys were used, as a table for people, or as JSON for scripts.

use serde_json::{Value, json};
use tower_api_key::backend::{UsageBy, UsageLine, UsageQuery};
use tower_api_key::{KeyId, Timestamp};

use crate::arguments::{OwnerArguments, UsageArguments};
use crate::failure::Failure;
use crate::table::print_rows;

/// Reads what is wanted.
pub(crate) fn query(wanted: UsageArguments, now: Timestamp) -> Result<UsageQuery, Failure> {
    let UsageArguments { owner: OwnerArguments { organization, project, user }, key, from, to, by_key } =
        wanted;
    let to = to.unwrap_or_else(|| now.into());
    let from = from.unwrap_or_else(|| to.plus(-29));
    if from > to {
        return Err(Failure::value("expected a day as --from that is not after --to, found a later one"));
    }
    let mut query = UsageQuery::new(from, to).by(if by_key { UsageBy::Key } else { UsageBy::Total });
    query.key = key;
    query.organization = organization.map(Into::into);
    query.project = project.map(Into::into);
    query.user = user.map(Into::into);
    Ok(query)
}

/// Prints usage.
pub(crate) fn print(lines: &[UsageLine], as_json: bool) {
    if as_json {
        println!("{}", lines.iter().map(value).collect::<Value>());
        return;
    }
    let heads = ["DAY", "ENVIRONMENT", "REQUESTS", "ID"].map(str::to_owned);
    let rows: Vec<_> = [heads].into_iter().chain(lines.iter().map(row)).collect();
    print_rows(&rows);
}

fn row(line: &UsageLine) -> [String; 4] {
    [
        line.day.to_string(),
        line.environment.label().to_owned(),
        line.requests.to_string(),
        line.key.as_ref().map_or("all", KeyId::as_str).to_owned(),
    ]
}

fn value(line: &UsageLine) -> Value {
    json!({
        "day": line.day.to_string(),
        "environment": line.environment.label(),
        "requests": line.requests,
        "key": line.key.as_ref().map(KeyId::as_str),
    })
}
