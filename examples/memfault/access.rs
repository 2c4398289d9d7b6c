//! Accepted credentials and their scopes: three kinds of key, each in a header of its own, passwords, and roles.

use tower_api_key::key::OpaqueFormat;
use tower_api_key::manage::{KeyManager, NewKey};
use tower_api_key::owner::Organization;
use tower_api_key::password::Passwords;
use tower_api_key::reject::{Forbidden, Payload, Reason, Rejection};
use tower_api_key::{AuthenticateLayer, Authenticator, ConfigError, Owner, Scopes, Source, SqliteStore};

use crate::errors;

/// The scopes of a project manager, and of an organization token in each project.
pub(crate) const OF_PROJECT_MANAGERS: &str = "project.*";

/// The scopes of a member, by role.
pub(crate) const ROLES: [(&str, &str); 3] = [
    ("admin", "project.* organization.*"),
    ("project_manager", OF_PROJECT_MANAGERS),
    ("developer", "project.read project.upload"),
];

/// The scopes of every user, whatever the roles: to list the own organizations, and to change the own key and password.
const OF_USERS: &str = "project.read account.*";

/// The scopes of a user's key, limited by the user's roles. Only the password can change the password.
pub(crate) const OF_USER_KEYS: &str = "project.* organization.* account.key";

/// Admits people and automation. Two credentials in one request are rejected with 400, even if one is valid.
pub(crate) fn authenticator(store: SqliteStore, passwords: Passwords) -> Result<Authenticator, ConfigError> {
    let sources = [Source::bearer(), Source::basic().empty_user(), Source::memfault_project_key()];
    let authenticator = Authenticator::builder(store).sources(sources).passwords(passwords);
    let authenticator = authenticator.user_scopes(Scopes::parse(OF_USERS)?);
    authenticator.realm("memfault").respond(payload).build()
}

/// Admits devices. Only the project key is read: a client that finds the host in `~/.netrc` adds a Basic header to the project key unasked.
/// Here that header has no effect, so it may be present.
pub(crate) fn device_layer(store: SqliteStore) -> Result<AuthenticateLayer, ConfigError> {
    let authenticator = Authenticator::builder(store).sources([Source::memfault_project_key()]);
    Ok(AuthenticateLayer::new(authenticator.realm("memfault").respond(payload).build()?))
}

fn payload(rejection: &Rejection) -> Payload {
    let message = match rejection.reason() {
        Reason::Forbidden(Forbidden::SsoRequired) => "This organization requires single sign-on",
        other => other.detail(),
    };
    Payload::json(errors::body(rejection.reason().status(), message).to_string())
}

/// The formats of the keys, as the clients know them.
#[derive(Clone)]
pub(crate) struct Managers {
    pub(crate) tokens: KeyManager<SqliteStore>,
    pub(crate) user_keys: KeyManager<SqliteStore>,
    pub(crate) project_keys: KeyManager<SqliteStore>,
}

pub(crate) fn managers(store: SqliteStore) -> Result<Managers, ConfigError> {
    let tokens = KeyManager::new(store, OpaqueFormat::base62(32)?.prefix("oat_")?);
    let user_keys = tokens.clone().with_format(OpaqueFormat::hex(32)?);
    Ok(Managers { project_keys: tokens.clone().with_format(OpaqueFormat::base62(32)?), tokens, user_keys })
}

pub(crate) fn new_token(organization: &str) -> Result<NewKey, ConfigError> {
    let token = NewKey::new(Owner::organization(organization)).scopes(Scopes::parse(OF_PROJECT_MANAGERS)?);
    Ok(token.sources([Source::bearer(), Source::basic()]))
}

pub(crate) fn new_user_key(email: &str) -> Result<NewKey, ConfigError> {
    let key = NewKey::new(Owner::user(email, [])).scopes(Scopes::parse(OF_USER_KEYS)?);
    Ok(key.sources([Source::basic()]))
}

pub(crate) fn new_project_key(organization: &str, project: &str) -> NewKey {
    let owner = Owner::project(Organization::new(organization), project);
    NewKey::new(owner).sources([Source::memfault_project_key()]).retrievable()
}
