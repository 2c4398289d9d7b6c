//! Writes the responses of the routes, which caches must not store.

// Layer 9 of 10: management.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::super::CreatedKey;
use crate::backend::Propagation;
use crate::clock::Timestamp;
use crate::credential::Scheme;
use crate::key::KeyId;
use crate::limit::{Limit, Per, Plan, Span};
use crate::owner::Owner;
use crate::record::Record;
use crate::scope::Scope;

/// Returns a JSON response that caches must not store.
pub(super) fn json_response(status: StatusCode, body: &Value) -> Response {
    from_json_bytes(status, body.to_string().into_bytes())
}

fn from_json_bytes(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns an empty response.
pub(super) fn no_content() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Adds the propagation of a revocation or a disabling to a response, and, if `shows_nodes`, the missing nodes.
pub(super) fn reached(mut response: Response, propagation: &Propagation, shows_nodes: bool) -> Response {
    let reached = match propagation {
        Propagation::EveryNode => "every-node",
        Propagation::LeaseEnd { .. } => "lease-end",
        Propagation::ThisProcess { .. } => "this-process",
    };
    let headers = response.headers_mut();
    headers.insert("revocation-reached", HeaderValue::from_static(reached));
    // A name that no header can carry is omitted: the log has it.
    let shown = propagation.missing().iter().filter(|_| shows_nodes);
    for node in shown.filter_map(|node| HeaderValue::from_str(node).ok()) {
        headers.append("revocation-missing", node);
    }
    response
}

/// Returns a new key with its text, which is written once, into the body.
pub(super) fn created(created: CreatedKey, now: Timestamp) -> Response {
    let (text, record) = created.into_parts();
    let rest = Value::Object(fields(&record, now).collect()).to_string();
    // Each character takes at most six bytes, so the body does not reallocate, which would leave a copy of the text.
    let mut body = Vec::with_capacity(rest.len() + 6 * text.as_str().len() + r#"{"key":"","#.len());
    body.extend_from_slice(br#"{"key":"#);
    // OK because writing to memory does not fail.
    serde_json::to_writer(&mut body, text.as_str()).expect("a text in memory");
    body.push(b',');
    body.extend_from_slice(&rest.as_bytes()[1..]);
    from_json_bytes(StatusCode::CREATED, body)
}

pub(super) fn key(record: &Record, now: Timestamp) -> Value {
    Value::Object(fields(record, now).collect())
}

fn fields(record: &Record, now: Timestamp) -> impl Iterator<Item = (String, Value)> {
    let fields = [
        ("id", json!(record.id.as_str())),
        ("hint", json!(record.hint)),
        ("name", json!(record.name)),
        ("owner", owner(&record.owner)),
        ("environment", json!(record.environment.label())),
        ("scopes", record.scopes.iter().map(Scope::as_str).collect()),
        ("sources", record.sources.iter().map(Scheme::to_string).collect()),
        ("state", json!(record.state(now).label())),
        ("created_at", time(record.created_at)),
        ("created_by", json!(record.created_by)),
        ("expires_at", time(record.expires_at)),
        ("revoked_at", time(record.revoked.as_ref().map(|revoked| revoked.at))),
        ("revoked_reason", json!(record.revoked.as_ref().map(|revoked| &revoked.reason))),
        ("disabled_at", time(record.disabled.as_ref().map(|disabled| disabled.at))),
        ("disabled_reason", json!(record.disabled.as_ref().map(|disabled| &disabled.reason))),
        ("rotated_from", json!(record.rotated_from.as_ref().map(KeyId::as_str))),
        ("rotated_to", json!(record.rotated_to.as_ref().map(KeyId::as_str))),
        ("last_used_at", time(record.last_used_at)),
        ("labels", json!(record.labels)),
        ("limits", record.all_limits().map(limit).collect()),
        ("plan", json!(record.plan_in_force().map(Plan::name))),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value))
}

fn limit(limit: &Limit) -> Value {
    let mut value = json!({ "name": limit.name(), "requests": limit.requests() });
    match limit.span() {
        Span::Window(window) => value["window_seconds"] = window.as_secs().into(),
        Span::Period(period) => value["period"] = period.label().into(),
    }
    if limit.per() != Per::Key {
        value["per"] = limit.per().label().into();
    }
    value
}

pub(super) fn owner(owner: &Owner) -> Value {
    match owner {
        Owner::Organization(own) => json!({ "organization": own.id }),
        Owner::Project(own) => json!({ "organization": own.organization.id, "project": own.id }),
        Owner::User(own) => json!({ "user": own.email }),
    }
}

/// Formats a time as RFC 3339. A time outside its range of years is `null`.
pub(super) fn time(time: Option<Timestamp>) -> Value {
    time.filter(|time| time.is_rfc3339()).map_or(Value::Null, |time| time.to_string().into())
}
