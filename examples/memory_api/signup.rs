//! Signing up, which needs no key: an organization, the person who is responsible for it, and a first key.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use tower_api_key::backend::OwnerStore;
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::manage::{KeyManager, ManageError, NewKey};
use tower_api_key::{KeyId, Membership, Organization, Owner, Scopes, SqliteStore};

use crate::api_keys::shown_once;
use crate::fields::{A_NAME, Fields, name};
use crate::refusal::Refusal;

/// What is needed to sign someone up.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) owners: SqliteStore,
    pub(crate) keys: KeyManager<SqliteStore>,
    /// What the first key may do, and the person.
    pub(crate) everything: Scopes,
}

pub(crate) async fn sign_up(State(desk): State<Desk>, mut fields: Fields) -> Result<Response, Refusal> {
    let name = fields.required("name", A_NAME, name);
    let email = fields.required("email", "an e-mail such as ann@example.com", email);
    fields.finish()?;

    let organization = Organization::new(new_id()?);
    let membership = Membership::new(organization.clone(), "admin", desk.everything.clone());
    let mut first =
        NewKey::new(Owner::organization(organization.id.clone())).name("Default Key").scopes(desk.everything);
    // What people call an organization has no place with the owners of keys.
    first.metadata.insert("organization".to_owned(), name);
    // The key comes last: whoever has it has all the rest. What is left by a failure on the way is of no use to anyone.
    desk.owners.put_user(&email).await?;
    desk.owners.put_organization(organization).await?;
    desk.owners.put_membership(&email, membership).await?;
    Ok(shown_once(desk.keys.create(first).await?, json!({})))
}

/// Makes the id of an organization from the random part of one of a key.
fn new_id() -> Result<String, ManageError> {
    let id = KeyId::generate(SystemClock::new().wall())?;
    Ok(id.as_str().replacen("key_", "org_", 1))
}

/// Whether it exists is only known once someone answers a message to it.
fn email(value: &Value) -> Option<String> {
    let email = name(value)?;
    let (user, host) = email.rsplit_once('@')?;
    let is_one = !user.is_empty() && !host.is_empty() && !email.contains(char::is_whitespace);
    is_one.then_some(email)
}
