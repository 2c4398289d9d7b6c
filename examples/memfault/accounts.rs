//! Routes about the caller itself.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_api_key::backend::{KeyFilter, OwnerChange, OwnerStore};
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::credential::MAX_CREDENTIAL_BYTES;
use tower_api_key::record::KeyState;
use tower_api_key::{Owner, Principal};

use crate::access;
use crate::again::{OWN_KEY, OWN_PASSWORD, of_own};
use crate::api_error::{ApiError, Body};
use crate::app::App;
use crate::text::Text;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    password: Text<255, 8>,
}

/// Returns the caller.
pub(crate) async fn me(caller: Principal) -> Json<Value> {
    let who = match caller.owner() {
        Owner::User(own) => json!({ "type": "user", "email": own.email }),
        Owner::Organization(own) => json!({ "type": "organization_token", "organization": own.id }),
        _ => json!({ "type": "project_key" }),
    };
    Json(json!({ "data": who }))
}

/// Returns the first characters of the caller's key. Its text was shown when it was created.
pub(crate) async fn show_key(State(app): State<App>, caller: Principal) -> Result<Json<Value>, ApiError> {
    let active = KeyFilter::of_user(email(&caller)?).state(KeyState::Active, SystemClock::new().wall());
    let keys = app.managers.user_keys.list(&active, None, 1).await?;
    let key = keys.first().ok_or_else(ApiError::not_found)?;
    Ok(Json(json!({ "data": { "id": key.id.as_str(), "hint": key.hint } })))
}

/// Replaces the caller's key.
pub(crate) async fn cycle_key(State(app): State<App>, caller: Principal) -> Result<Response, ApiError> {
    let (email, manager) = (email(&caller)?, app.managers.user_keys.acting_for(of_own(&caller, &OWN_KEY)));
    let new = access::new_user_key(email)?;
    let (text, record) = manager.create_exclusive(&KeyFilter::of_user(email), new).await?.into_parts();
    let shown = json!({ "data": { "id": record.id.as_str(), "api_key": text.as_str() } });
    // Caches must not store the text.
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(shown)).into_response())
}

pub(crate) async fn delete_key(State(app): State<App>, caller: Principal) -> Result<StatusCode, ApiError> {
    let manager = app.managers.user_keys.acting_for(of_own(&caller, &OWN_KEY));
    manager.revoke_all(&KeyFilter::of_user(email(&caller)?), "deleted").await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn change_password(
    State(app): State<App>,
    caller: Principal,
    Body(NewPassword { password }): Body<NewPassword>,
) -> Result<StatusCode, ApiError> {
    let (email, password) = (email(&caller)?, password.as_ref());
    // Both are presented as base64 of `email:password`.
    let most = (MAX_CREDENTIAL_BYTES / 4 * 3).saturating_sub(email.len() + 1);
    if password.len() > most {
        let found = password.len();
        return Err(ApiError::bad(format!("The password must have at most {most} bytes, got {found}")));
    }
    let hash = app.passwords.hash(password).await?;
    // Fails if another password was set since: a client with the former password cannot set one.
    let change = OwnerChange::set_password(email, Some(hash));
    app.store.change_owner(change.by(of_own(&caller, &OWN_PASSWORD))).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn email(caller: &Principal) -> Result<&str, ApiError> {
    caller.owner().email().ok_or_else(ApiError::not_found)
}
