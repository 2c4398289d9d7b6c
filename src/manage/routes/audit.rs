//! The routes of the audit log of a caller's keys, which only read.

// Layer 9 of 10: management.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{self, Response};
use serde_json::{Value, json};

use super::super::Delegate;
use super::super::audit_cursor::AuditCursor;
use super::caller::Caller;
use super::cursor;
use super::error::{RouteError, not_found};
use super::input::{Id, key_id};
use super::output::{json_response, owner, time};
use super::query::{Known, Parameters, known, optional, page_limit, stored_text};
use super::shared::{Shared, SharedState};
use crate::audit::Action;
use crate::backend::{AuditEntry, AuditQuery, KeyStore, LoggedAction};
use crate::key::KeyId;

/// The parameters of both routes.
const PARAMETERS: [&str; 6] = ["actor", "action", "from", "to", "limit", "cursor"];

pub(super) async fn of_all<S: KeyStore>(
    State(shared): SharedState<S>,
    caller: Caller,
    parameters: Parameters,
) -> response::Result<Response> {
    let delegate = shared.to_read(&caller)?;
    let [actor, action, from, to, limit, cursor] = PARAMETERS;
    let parameters = known(parameters, &["key", actor, action, from, to, limit, cursor])?;
    let key = optional(&parameters, "key", "the id of a key", |text| KeyId::new(text).ok())?;
    page(&shared, delegate, &parameters, key).await
}

pub(super) async fn of_key<S: KeyStore>(
    State(shared): SharedState<S>,
    caller: Caller,
    id: Id,
    parameters: Parameters,
) -> response::Result<Response> {
    let delegate = shared.to_read(&caller)?;
    page(&shared, delegate, &known(parameters, &PARAMETERS)?, Some(key_id(id)?)).await
}

async fn page<S: KeyStore>(
    shared: &Shared<S>,
    delegate: Delegate<'_, S>,
    parameters: &Known,
    key: Option<KeyId>,
) -> response::Result<Response> {
    let Some(log) = &shared.settings.audit_log else { return Err(not_found().await.into()) };
    let (query, limit) = (query(parameters)?, page_limit(parameters)?);
    let read = |query| delegate.query_audit_by(query, |query| log(query));
    let cursor = "the next_cursor of a page of the log";
    let after = match optional(parameters, "cursor", cursor, cursor::decode_entry)? {
        Some(entry) => Some(entry.position(read).await?),
        None => None,
    };
    let mut entries = read(AuditQuery { key, after, ..query.limit(limit + 1) }).await?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next = match entries.last().filter(|_| more) {
        Some(last) => AuditCursor::of(last, read).await?.as_ref().map(cursor::encode_entry),
        None => None,
    };
    let entries: Vec<_> = entries.iter().map(entry).collect();
    Ok(json_response(StatusCode::OK, &json!({ "entries": entries, "next_cursor": next })))
}

fn query(parameters: &Known) -> Result<AuditQuery, RouteError> {
    let time =
        |name| optional(parameters, name, "a time such as 2030-01-31T12:00:00Z", |text| text.parse().ok());
    let actions = format!("one of {}", LoggedAction::ALL.map(LoggedAction::label).join(", "));
    let mut query = AuditQuery::all();
    query.actor = optional(parameters, "actor", "a text without U+0000", stored_text)?;
    query.action = optional(parameters, "action", &actions, |text| text.parse().ok())?;
    (query.from, query.to) = (time("from")?, time("to")?);
    Ok(query)
}

fn entry(entry: &AuditEntry) -> Value {
    let AuditEntry { event, environment, .. } = entry;
    let rotated_to = match &event.action {
        Action::Rotated { to } => Some(to.as_str()),
        _ => None,
    };
    json!({
        "at": time(Some(event.at)),
        "action": event.action.label(),
        "key": event.key.as_ref().map(KeyId::as_str),
        "actor": event.by,
        "rotated_to": rotated_to,
        "owner": entry.owner.as_ref().map(owner),
        "environment": environment.label(),
    })
}
