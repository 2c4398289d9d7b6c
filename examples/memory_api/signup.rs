//! Sign-up, which needs no key: creates an organization, its responsible person, and a first key.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use tower_api_key::backend::{OwnerChange, OwnerStore};
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::manage::{KeyManager, ManageError, NewKey};
use tower_api_key::owner::{Membership, Organization};
use tower_api_key::{KeyId, Owner, Scopes, SqliteStore};

use crate::api_error::ApiError;
use crate::api_keys::shown_once;
use crate::fields::{A_NAME, Fields, name};

/// The fields of a sign-up.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) owners: SqliteStore,
    pub(crate) keys: KeyManager<SqliteStore>,
    /// The scopes of the first key and of the person.
    pub(crate) everything: Scopes,
}

pub(crate) async fn sign_up(State(desk): State<Desk>, mut fields: Fields) -> Result<Response, ApiError> {
    let name = fields.required("name", A_NAME, name);
    let email = fields.required("email", "an e-mail such as ann@example.com", email);
    fields.finish()?;

    let organization = Organization::new(new_id()?);
    let membership = Membership::new(organization.clone(), "admin", desk.everything.clone());
    let mut first =
        NewKey::new(Owner::organization(organization.id.clone())).name("Default Key").scopes(desk.everything);
    // The store has no field for the display name of an organization.
    first.metadata.insert("organization".to_owned(), name);
    // The key is created last, when all else exists. Without it, the remains of a failed sign-up are useless.
    desk.owners.change_owner(OwnerChange::put_user(&email)).await?;
    desk.owners.change_owner(OwnerChange::put_organization(organization)).await?;
    desk.owners.change_owner(OwnerChange::put_membership(&email, membership)).await?;
    Ok(shown_once(desk.keys.create(first).await?, json!({})))
}

/// Creates the id of an organization from the random part of a key id.
fn new_id() -> Result<String, ManageError> {
    let id = KeyId::generate(SystemClock::new().wall())?;
    Ok(id.as_str().replacen("key_", "org_", 1))
}

/// An e-mail address; only a reply to a message would show that it exists.
fn email(value: &Value) -> Option<String> {
    let email = name(value)?;
    let (user, host) = email.rsplit_once('@')?;
    let is_one = !user.is_empty() && !host.is_empty() && !email.contains(char::is_whitespace);
    is_one.then_some(email)
}
