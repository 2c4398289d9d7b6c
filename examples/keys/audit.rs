//! The audit log, as a table or as JSON.

use serde_json::{Value, json};
use tower_api_key::KeyId;
use tower_api_key::audit::Action;
use tower_api_key::backend::{AuditEntry, AuditQuery};

use crate::arguments::AuditArguments;
use crate::filter;
use crate::table;

/// Converts the arguments to a query.
pub(crate) fn query(wanted: AuditArguments) -> AuditQuery {
    let owner = filter(wanted.owner);
    let mut query = AuditQuery::all().limit(wanted.limit);
    query.key = wanted.key;
    query.actor = wanted.actor.map(Into::into);
    query.action = wanted.action;
    (query.from, query.to) = (wanted.from, wanted.to);
    (query.organization, query.project, query.user) = (owner.organization, owner.project, owner.user);
    query.oldest_first = wanted.oldest_first;
    query
}

/// Formats entries.
pub(crate) fn table(entries: &[AuditEntry], as_json: bool) -> String {
    if as_json {
        return entries.iter().map(value).collect::<Value>().to_string();
    }
    let heads = ["TIME", "ACTION", "ID", "ACTOR", "OWNER", "SUCCESSOR"].map(str::to_owned);
    let rows: Vec<_> = [heads].into_iter().chain(entries.iter().map(row)).collect();
    table::of_rows(&rows)
}

fn row(entry: &AuditEntry) -> [String; 6] {
    let AuditEntry { event, owner, .. } = entry;
    [
        event.at.to_string(),
        event.action.label().to_owned(),
        event.key.as_ref().map_or("-", KeyId::as_str).to_owned(),
        // A name is chosen by an application, and must not control the terminal.
        event.by.as_deref().unwrap_or("-").escape_debug().to_string(),
        owner.as_ref().map_or("-".to_owned(), ToString::to_string),
        successor(entry).unwrap_or_default().to_owned(),
    ]
}

fn value(entry: &AuditEntry) -> Value {
    let AuditEntry { event, owner, .. } = entry;
    json!({
        "seq": entry.seq,
        "at": event.at.to_string(),
        "action": event.action.label(),
        "key": event.key.as_ref().map(KeyId::as_str),
        "actor": event.by,
        "delegated": entry.delegated,
        "rotated_to": successor(entry),
        "owner": owner.as_ref().map(ToString::to_string),
        "environment": entry.environment.label(),
    })
}

fn successor(entry: &AuditEntry) -> Option<&str> {
    match &entry.event.action {
        Action::Rotated { to } => Some(to.as_str()),
        _ => None,
    }
}
