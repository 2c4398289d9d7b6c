//! Listing, creating and revoking keys: for callers with the scope `admin`.

use std::sync::LazyLock;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_api_key::backend::KeyFilter;
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::manage::{CreatedKey, KeyManager};
use tower_api_key::record::KeyState;
use tower_api_key::{Environment, KeyId, Principal, Record, Scope, Scopes, SqliteStore};

use crate::again::{Needed, scope};
use crate::api_error::{ApiError, WrongField, success};
use crate::fields::{A_NAME, Fields, name};
use crate::time::written;

/// Keys of a page.
const PAGE: usize = 1000;
/// A hundred years.
const MOST_DAYS: u64 = 36_500;
/// The manager checks that they are listed.
const SOME_SCOPES: &str = "a list of at least one scope";

/// The requirement to manage keys, which the store checks again with each change.
pub(crate) static MANAGE: Needed = LazyLock::new(|| scope("admin"));

pub(crate) type Manager = KeyManager<SqliteStore>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    after: Option<String>,
}

pub(crate) async fn list(
    State(manager): State<Manager>,
    caller: Principal,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let unreadable =
        || ApiError::invalid(vec![WrongField::new("after", "expected an id, found something else")]);
    let Query(page) = page.map_err(|_| unreadable())?;
    let after = page.after.map(|id| KeyId::new(&id)).transpose().map_err(|_| unreadable())?;
    let delegate = manager.on_behalf_of(&caller).across_environments();
    let records = delegate.list(KeyFilter::all(), after.as_ref(), PAGE).await?;
    Ok(success(records.iter().map(listed).collect::<Vec<_>>()))
}

pub(crate) async fn create(
    State(manager): State<Manager>,
    caller: Principal,
    mut fields: Fields,
) -> Result<Response, ApiError> {
    let name = fields.or("name", "Default Key").required("name", A_NAME, name);
    let scopes = fields.or("scopes", ["read", "write"]).required("scopes", SOME_SCOPES, scopes);
    let environment = fields.optional("environment", "live or test", environment);
    let lifetime = fields.optional("expires_in_days", "a whole number from 1 to 36500, or null", days);
    fields.finish()?;

    let delegate = manager.on_behalf_of(&caller).across_environments().requiring(MANAGE.clone());
    // As documented, for each caller. A test key must request test, as it cannot create live keys.
    let environment = environment.unwrap_or(Environment::Live);
    let mut new = delegate.new_key().name(name).environment(environment).scopes(scopes);
    new.expires_at = lifetime.map(|lifetime| SystemClock::new().wall().saturating_add(lifetime));
    let key = delegate.create(new).await?;
    let end = key.record().expires_at.and_then(written);
    let shown = json!({ "scopes": labels(key.record()), "expires_at": end });
    Ok(shown_once(key, shown))
}

pub(crate) async fn revoke(
    State(manager): State<Manager>,
    caller: Principal,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, ApiError> {
    let Path(id) = id.map_err(|_| ApiError::no_such_key())?;
    let id = KeyId::new(&id).map_err(|_| ApiError::no_such_key())?;
    let delegate = manager.on_behalf_of(&caller).across_environments().requiring(MANAGE.clone());
    delegate.revoke(&id, "").await?;
    Ok(success(json!({ "id": id.as_str(), "is_active": false })))
}

/// Returns the text of a key, which only this response contains, and further fields.
pub(crate) fn shown_once(key: CreatedKey, mut shown: Value) -> Response {
    let (text, record) = key.into_parts();
    shown["id"] = record.id.as_str().into();
    shown["name"] = (*record.name).into();
    shown["key"] = text.as_str().into();
    // Caches must not store it.
    (StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], success(shown)).into_response()
}

fn listed(record: &Record) -> Value {
    json!({
        "id": record.id.as_str(),
        "name": record.name,
        "key_prefix": record.hint,
        "environment": record.environment.label(),
        "scopes": labels(record),
        "is_active": record.state(SystemClock::new().wall()) == KeyState::Active,
        "created_at": record.created_at.and_then(written),
        "last_used_at": record.last_used_at.and_then(written),
    })
}

fn labels(record: &Record) -> Vec<&str> {
    record.scopes.iter().map(Scope::as_str).collect()
}

fn environment(value: &Value) -> Option<Environment> {
    value.as_str()?.parse().ok()
}

fn scopes(value: &Value) -> Option<Scopes> {
    let scopes: Option<Vec<_>> = value.as_array()?.iter().map(Value::as_str).collect();
    Scopes::new(scopes?).ok().filter(|scopes| !scopes.is_empty())
}

fn days(value: &Value) -> Option<Duration> {
    let days = value.as_u64().filter(|days| (1..=MOST_DAYS).contains(days))?;
    Some(Duration::from_secs(days * 24 * 60 * 60))
}
