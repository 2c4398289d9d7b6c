//! The projects of an organization, and the key of each.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_api_key::Principal;
use tower_api_key::backend::{Actor, KeyFilter, OwnerChange, OwnerStore};
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::key::RetrievableKey;
use tower_api_key::record::KeyState;

use crate::access::{self, Managers};
use crate::again::{CYCLE_KEY, of_organization, of_project};
use crate::api_error::{ApiError, At, Body};
use crate::app::App;
use crate::place::{OfPath, Place};
use crate::words::Slug;

/// Most projects of a response.
const MOST: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    slug: Slug,
}

pub(crate) async fn list(State(app): State<App>, At(id): At<String>) -> Result<Json<Value>, ApiError> {
    let projects = app.store.projects(&id, None, MOST).await?;
    Ok(Json(json!({ "data": projects.iter().map(|project| shown(&project.id)).collect::<Vec<_>>() })))
}

/// Creates a project with a key.
pub(crate) async fn create(
    State(app): State<App>,
    caller: Principal,
    At(organization): At<String>,
    Body(Wanted { slug }): Body<Wanted>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let place = Place { organization, project: slug.as_ref().to_owned() };
    if app.store.project(&place.organization, &place.project).await?.is_some() {
        return Err(ApiError::new(StatusCode::CONFLICT, "A project with this slug exists"));
    }
    let actor = of_organization(&caller, &place.organization);
    let change = OwnerChange::put_project(&place.organization, &place.project);
    app.store.change_owner(change.by(actor.clone())).await?;
    new_key(&app.managers, actor, &place).await?;
    Ok((StatusCode::CREATED, Json(json!({ "data": shown(&place.project) }))))
}

/// Further attributes that the client reads are missing: it sends files in one piece then.
pub(crate) async fn show(OfPath(place): OfPath) -> Json<Value> {
    Json(json!({ "data": shown(&place.project) }))
}

/// Returns the key of a project to its members. It is no secret.
pub(crate) async fn show_key(State(app): State<App>, OfPath(place): OfPath) -> Result<Json<Value>, ApiError> {
    let of_project = KeyFilter::of_project(place.organization, place.project);
    let active = of_project.state(KeyState::Active, SystemClock::new().wall());
    let keys = app.managers.project_keys.list(&active, None, 1).await?;
    let text = keys.first().and_then(|key| key.retrievable.as_ref()).ok_or_else(ApiError::not_found)?;
    Ok(Json(json!({ "data": { "api_key": text.as_str() } })))
}

/// Replaces the key of a project.
pub(crate) async fn cycle_key(
    State(app): State<App>,
    caller: Principal,
    OfPath(place): OfPath,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let text = new_key(&app.managers, of_project(&caller, &CYCLE_KEY, &place), &place).await?;
    Ok((StatusCode::CREATED, Json(json!({ "data": { "api_key": text.as_str() } }))))
}

async fn new_key(managers: &Managers, actor: Actor, place: &Place) -> Result<RetrievableKey, ApiError> {
    let manager = managers.project_keys.clone().acting_for(actor);
    let Place { organization, project } = place;
    let new = access::new_project_key(organization, project);
    let created = manager.create_exclusive(&KeyFilter::of_project(&**organization, &**project), new).await?;
    created.record().retrievable.clone().ok_or_else(ApiError::not_found)
}

fn shown(id: &str) -> Value {
    json!({ "slug": id })
}
