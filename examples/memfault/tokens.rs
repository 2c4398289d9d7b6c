//! The tokens of an organization, for its admins.

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
use tower_api_key::record::KeyState;
use tower_api_key::{KeyId, Owner, Principal, Record};

use crate::access;
use crate::again::of_organization;
use crate::api_error::{ApiError, At, Body};
use crate::app::App;
use crate::text::Text;

/// Tokens of a page.
const PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    description: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    after: Option<String>,
}

pub(crate) async fn create(
    State(app): State<App>,
    caller: Principal,
    At(organization): At<String>,
    Body(Wanted { description }): Body<Wanted>,
) -> Result<Response, ApiError> {
    let new = access::new_token(&organization)?.name(description.as_ref());
    let manager = app.managers.tokens.acting_for(of_organization(&caller, &organization));
    let (text, record) = manager.create(new).await?.into_parts();
    let mut shown = shown(&record);
    shown["token"] = text.as_str().into();
    // Caches must not store the text.
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(json!({ "data": shown }))).into_response())
}

pub(crate) async fn list(
    State(app): State<App>,
    At(organization): At<String>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let invalid = || ApiError::bad("Only the parameter after is permitted, an id");
    let Query(page) = page.map_err(|_| invalid())?;
    let after = page.after.map(|id| KeyId::new(&id)).transpose().map_err(|_| invalid())?;
    let mut tokens =
        KeyFilter::of_organization(organization).state(KeyState::Active, SystemClock::new().wall());
    tokens.outside_projects = true;
    let records = app.managers.tokens.list(&tokens, after.as_ref(), PAGE).await?;
    Ok(Json(json!({ "data": records.iter().map(shown).collect::<Vec<_>>() })))
}

pub(crate) async fn delete(
    State(app): State<App>,
    caller: Principal,
    At((organization, id)): At<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let id = KeyId::new(&id).map_err(|_| ApiError::not_found())?;
    let manager = app.managers.tokens.acting_for(of_organization(&caller, &organization));
    // This check may precede the change, because the owner of a key never changes.
    match manager.get(&id).await?.owner {
        Owner::Organization(own) if *own.id == *organization => {}
        // Keys of other owners are reported as not found.
        _ => return Err(ApiError::not_found()),
    }
    manager.revoke(&id, "deleted").await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(record: &Record) -> Value {
    json!({ "id": record.id.as_str(), "description": record.name, "hint": record.hint })
}
