//! Creating, listing and revoking keys, like the dashboard: for callers with all permissions.

use std::sync::LazyLock;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_api_key::backend::KeyFilter;
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::manage::{KeyManager, Permissions};
use tower_api_key::{Environment, KeyId, Principal, Record, Scope, Scopes, SqliteStore};

use crate::again::{Needed, scope};
use crate::api_error::{ApiError, At, Body};
use crate::text::Text;

/// Keys of a page.
const PAGE: usize = 100;

/// The requirement to manage keys, which the store checks again with each change.
pub(crate) static MANAGE: Needed = LazyLock::new(|| scope("*"));

type Manager = KeyManager<SqliteStore>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    name: Text,
    permissions: Vec<String>,
    environment: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    after: Option<String>,
}

/// Lists the permissions by group. Those that include others are accepted, but not documented.
pub(crate) async fn permissions(State(manager): State<Manager>) -> Json<Value> {
    let groups = manager.permissions().into_iter().flat_map(Permissions::groups).map(|group| {
        let scopes = group.permissions.iter().map(|permission| permission.scope.as_str());
        (&group.name, scopes.filter(|scope| !scope.ends_with('*')).collect::<Vec<_>>())
    });
    let documented = groups.filter(|(_, permissions)| !permissions.is_empty());
    let documented =
        documented.map(|(group, permissions)| json!({ "group": group, "permissions": permissions }));
    Json(json!({ "groups": documented.collect::<Vec<_>>() }))
}

pub(crate) async fn create(
    State(manager): State<Manager>,
    caller: Principal,
    Body(wanted): Body<Wanted>,
) -> Result<Response, ApiError> {
    let delegate = manager.on_behalf_of(&caller).across_environments().requiring(MANAGE.clone());
    let mut new = delegate.new_key().name(wanted.name.as_ref()).scopes(permitted(wanted.permissions)?);
    new.environment = wanted.environment.as_deref().map_or(Ok(new.environment), environment)?;
    let (text, record) = delegate.create(new).await?.into_parts();
    let mut shown = shown(&record);
    shown["key"] = text.as_str().into();
    // Caches must not store the text.
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(shown)).into_response())
}

pub(crate) async fn list(
    State(manager): State<Manager>,
    caller: Principal,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let invalid = || ApiError::new(StatusCode::BAD_REQUEST, "Only the parameter after is permitted, an id");
    let Query(page) = page.map_err(|_| invalid())?;
    let after = page.after.map(|id| KeyId::new(&id)).transpose().map_err(|_| invalid())?;
    let delegate = manager.on_behalf_of(&caller).across_environments();
    let records = delegate.list(KeyFilter::all(), after.as_ref(), PAGE).await?;
    Ok(Json(json!({ "api_keys": records.iter().map(shown).collect::<Vec<_>>() })))
}

pub(crate) async fn revoke(
    State(manager): State<Manager>,
    caller: Principal,
    At(id): At<String>,
) -> Result<StatusCode, ApiError> {
    let id = KeyId::new(&id).map_err(|_| ApiError::not_found())?;
    let delegate = manager.on_behalf_of(&caller).across_environments().requiring(MANAGE.clone());
    delegate.revoke(&id, "").await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads permissions. The manager checks that there are some, and that they are listed.
fn permitted(permissions: Vec<String>) -> Result<Scopes, ApiError> {
    let invalid = |error| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, format!("permissions: {error}"));
    Scopes::new(permissions).map_err(invalid)
}

fn environment(label: &str) -> Result<Environment, ApiError> {
    let expected = || ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "environment: must be live or test");
    label.parse().map_err(|_| expected())
}

fn shown(record: &Record) -> Value {
    json!({
        "id": record.id.as_str(),
        "name": record.name,
        "hint": record.hint,
        "environment": record.environment.label(),
        "permissions": record.scopes.iter().map(Scope::as_str).collect::<Vec<_>>(),
        "state": record.state(SystemClock::new().wall()).label(),
    })
}
