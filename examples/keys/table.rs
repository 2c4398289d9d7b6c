//! Keys, as a table or as JSON.

use serde_json::{Value, json};
use tower_api_key::clock::Day;
use tower_api_key::limit::{Limit, Plan};
use tower_api_key::{KeyId, Record, Scope, Timestamp};

/// Formats keys.
pub(crate) fn of_keys(records: &[Record], as_json: bool, now: Timestamp) -> String {
    if as_json {
        let values: Vec<Value> = records.iter().map(|record| value(record, now)).collect();
        return Value::Array(values).to_string();
    }
    let heads = [
        "ID",
        "NAME",
        "OWNER",
        "ENVIRONMENT",
        "STATE",
        "CREATED",
        "EXPIRES",
        "LAST USED",
        "SCOPES",
        "KEY",
        "PLAN",
        "LIMITS",
    ]
    .map(str::to_owned);
    let rows: Vec<_> = [heads].into_iter().chain(records.iter().map(|record| row(record, now))).collect();
    of_rows(&rows)
}

/// Aligns the cells of rows in columns.
pub(crate) fn of_rows<const N: usize>(rows: &[[String; N]]) -> String {
    let line = |row: &[String; N]| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
            format!("{cell:width$}")
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn row(record: &Record, now: Timestamp) -> [String; 12] {
    let day = |time: Option<Timestamp>| time.map_or("-".to_owned(), |time| Day::from(time).to_string());
    [
        record.id.to_string(),
        record.name.to_string(),
        record.owner.to_string(),
        record.environment.label().to_owned(),
        record.state(now).label().to_owned(),
        day(record.created_at),
        day(record.expires_at),
        day(record.last_used_at),
        record.scopes.to_string(),
        record.hint.to_string(),
        record.plan_in_force().map(Plan::name).unwrap_or_default().to_owned(),
        record.all_limits().map(Limit::to_string).collect::<Vec<_>>().join(" "),
    ]
}

fn value(record: &Record, now: Timestamp) -> Value {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    json!({
        "id": record.id.as_str(),
        "name": record.name,
        "owner": record.owner.to_string(),
        "environment": record.environment.label(),
        "state": record.state(now).label(),
        "scopes": record.scopes.iter().map(Scope::as_str).collect::<Vec<_>>(),
        "hint": record.hint,
        "limits": record.all_limits().map(Limit::to_string).collect::<Vec<_>>(),
        "plan": record.plan_in_force().map(Plan::name),
        "created_at": time(record.created_at),
        "expires_at": time(record.expires_at),
        "last_used_at": time(record.last_used_at),
        "revoked_at": time(record.revoked.as_ref().map(|revoked| revoked.at)),
        "rotated_from": record.rotated_from.as_ref().map(KeyId::as_str),
        "rotated_to": record.rotated_to.as_ref().map(KeyId::as_str),
    })
}
