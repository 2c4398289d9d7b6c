//! Keys, as a table or as JSON.

use serde_json::{Value, json};
use tower_api_key::{KeyId, Record, Scope, Timestamp};

/// Formats keys.
pub(crate) fn of_keys(records: &[Record], as_json: bool, now: Timestamp) -> String {
    if as_json {
        let values: Vec<Value> = records.iter().map(|record| value(record, now)).collect();
        return Value::Array(values).to_string();
    }
    let heads = ["ID", "NAME", "OWNER", "ENVIRONMENT", "STATE", "SCOPES", "KEY"].map(str::to_owned);
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

fn row(record: &Record, now: Timestamp) -> [String; 7] {
    [
        record.id.to_string(),
        record.name.to_string(),
        record.owner.to_string(),
        record.environment.label().to_owned(),
        record.state(now).label().to_owned(),
        record.scopes.to_string(),
        record.hint.to_string(),
    ]
}

fn value(record: &Record, now: Timestamp) -> Value {
    json!({
        "id": record.id.as_str(),
        "name": record.name,
        "owner": record.owner.to_string(),
        "environment": record.environment.label(),
        "state": record.state(now).label(),
        "scopes": record.scopes.iter().map(Scope::as_str).collect::<Vec<_>>(),
        "hint": record.hint,
        "created_at_ms": record.created_at.map(Timestamp::unix_millis),
        "expires_at_ms": record.expires_at.map(Timestamp::unix_millis),
        "revoked_at_ms": record.revoked.as_ref().map(|revoked| revoked.at.unix_millis()),
        "rotated_from": record.rotated_from.as_ref().map(KeyId::as_str),
        "rotated_to": record.rotated_to.as_ref().map(KeyId::as_str),
    })
}
