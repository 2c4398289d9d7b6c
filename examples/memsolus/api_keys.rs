//! Creating, listing and revoking keys as the dashboard does: for callers with all permissions.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{ErrorResponse, IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_api_key::backend::KeyFilter;
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::manage::{Delegate, KeyManager, NewKey};
use tower_api_key::{Environment, KeyId, Principal, Record, Scope, Scopes, SqliteStore};

use crate::access::{self, PERMISSIONS};
use crate::detail::{Body, Id, Refusal, Text};

/// How many keys are on a page.
const PAGE: usize = 100;

type Manager = KeyManager<SqliteStore>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    name: Text<255>,
    permissions: Vec<String>,
    environment: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    after: Option<String>,
}

/// Lists the permissions by group.
pub(crate) async fn permissions() -> Json<Value> {
    let groups = PERMISSIONS.map(|(group, actions)| {
        let permissions: Vec<_> = actions.iter().map(|action| format!("{group}.{action}")).collect();
        json!({ "group": group, "permissions": permissions })
    });
    Json(json!({ "groups": groups }))
}

pub(crate) async fn create(
    State(manager): State<Manager>,
    caller: Principal,
    Body(wanted): Body<Wanted>,
) -> Result<Response, ErrorResponse> {
    let new = NewKey::new(caller.owner().clone())
        .name(wanted.name)
        .scopes(permitted(wanted.permissions)?)
        .environment(environment(wanted.environment, &caller)?);
    let (text, record) = on_behalf_of(&caller, &manager).create(new).await?.into_parts();
    let mut shown = shown(&record);
    shown["key"] = text.as_str().into();
    // Nobody on the way may keep the text.
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(shown)).into_response())
}

pub(crate) async fn list(
    State(manager): State<Manager>,
    caller: Principal,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, ErrorResponse> {
    let unreadable = || Refusal::new(StatusCode::BAD_REQUEST, "Expected no parameter but after, an id");
    let Query(page) = page.map_err(|_| unreadable())?;
    let after = page.after.map(|id| KeyId::new(&id)).transpose().map_err(|_| unreadable())?;
    let records = on_behalf_of(&caller, &manager).list(KeyFilter::all(), after.as_ref(), PAGE).await?;
    Ok(Json(json!({ "api_keys": records.iter().map(shown).collect::<Vec<_>>() })))
}

pub(crate) async fn revoke(
    State(manager): State<Manager>,
    caller: Principal,
    Id(id): Id,
) -> Result<StatusCode, ErrorResponse> {
    let id = KeyId::new(&id).map_err(|_| Refusal::not_found())?;
    on_behalf_of(&caller, &manager).revoke(&id, "").await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a caller may do to keys. A test key knows nothing of live ones.
fn on_behalf_of<'m>(caller: &'m Principal, manager: &'m Manager) -> Delegate<'m, SqliteStore> {
    let delegate = manager.on_behalf_of(caller);
    match caller.environment() {
        Environment::Live => delegate.across_environments(),
        _ => delegate,
    }
}

/// Reads permissions. A key has at least one, and none that there is not.
fn permitted(permissions: Vec<String>) -> Result<Scopes, Refusal> {
    let invalid = |detail: String| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    if permissions.is_empty() {
        return Err(invalid("permissions: expected at least one, found none".to_owned()));
    }
    let scopes = Scopes::new(permissions).map_err(|error| invalid(format!("permissions: {error}")))?;
    if scopes.iter().all(access::exists) {
        Ok(scopes)
    } else {
        Err(invalid("permissions: expected only those that are listed, found others".to_owned()))
    }
}

fn environment(label: Option<String>, caller: &Principal) -> Result<Environment, Refusal> {
    let Some(label) = label else { return Ok(caller.environment()) };
    let expected = || Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "environment: expected live or test");
    let environment = Environment::from_label(&label).ok_or_else(expected)?;
    // A test key knows nothing of live ones, and makes none.
    if environment == caller.environment() || caller.environment() == Environment::Live {
        Ok(environment)
    } else {
        Err(Refusal::new(StatusCode::FORBIDDEN, "Forbidden"))
    }
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
