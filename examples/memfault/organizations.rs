//! Organizations and their members.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_api_key::backend::{OwnerChange, OwnerStore};
use tower_api_key::owner::{Membership, Organization};
use tower_api_key::{ConfigError, Principal, Scopes};

use crate::access::ROLES;
use crate::again::of_organization;
use crate::api_error::{ApiError, At, Body};
use crate::app::App;
use crate::words::Email;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    requires_sso: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    role: String,
}

/// Lists the organizations of the caller, for a person without those that require single sign-on.
pub(crate) async fn list(caller: Principal) -> Json<Value> {
    Json(json!({ "data": caller.organizations().map(shown).collect::<Vec<_>>() }))
}

pub(crate) async fn show(State(app): State<App>, At(id): At<String>) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({ "data": shown(&organization(&app, &id).await?) })))
}

pub(crate) async fn update(
    State(app): State<App>,
    caller: Principal,
    At(id): At<String>,
    Body(Change { requires_sso }): Body<Change>,
) -> Result<Json<Value>, ApiError> {
    let mut changed = organization(&app, &id).await?;
    changed.requires_sso = requires_sso;
    let shown = shown(&changed);
    let change = OwnerChange::put_organization(changed);
    app.store.change_owner(change.by(of_organization(&caller, &id))).await?;
    Ok(Json(json!({ "data": shown })))
}

/// Adds a member, or changes its role.
pub(crate) async fn put_member(
    State(app): State<App>,
    caller: Principal,
    At((id, email)): At<(String, Email)>,
    Body(Wanted { role }): Body<Wanted>,
) -> Result<StatusCode, ApiError> {
    let known = ROLES.iter().find(|(name, _)| *name == role);
    let (name, scopes) = known.ok_or_else(|| ApiError::bad("Unknown role"))?;
    let scopes = Scopes::parse(scopes).map_err(ConfigError::from)?;
    let membership = Membership::new(organization(&app, &id).await?, *name, scopes);
    let (person, email) = (OwnerChange::put_user(email.as_ref()), email.as_ref());
    app.store.change_owner(person.by(of_organization(&caller, &id))).await?;
    let member = OwnerChange::put_membership(email, membership);
    app.store.change_owner(member.by(of_organization(&caller, &id))).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn delete_member(
    State(app): State<App>,
    caller: Principal,
    At((id, email)): At<(String, Email)>,
) -> Result<StatusCode, ApiError> {
    let change = OwnerChange::delete_membership(email.as_ref(), &id);
    app.store.change_owner(change.by(of_organization(&caller, &id))).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn organization(app: &App, id: &str) -> Result<Organization, ApiError> {
    app.store.organization(id).await?.ok_or_else(ApiError::not_found)
}

fn shown(organization: &Organization) -> Value {
    json!({ "slug": organization.id, "requires_sso": organization.requires_sso })
}
