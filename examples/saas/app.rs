//! The routes: the login, the keys of an organization for its members, and the API for keys.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tower_api_key::manage::{ExternalCaller, KeyManager, ManageSettings, Permissions, routes};
use tower_api_key::{
    AuthenticateLayer, Authenticator, ConfigError, InvalidValue, KeyFormat, Owner, Principal,
    RequireScopeLayer, Scopes, SqliteStore,
};
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

use crate::login::{Member, Members, Role, log_in, log_out};

pub(crate) fn app(store: SqliteStore, members: Members) -> Result<Router, ConfigError> {
    let authenticator = Authenticator::builder(store.clone()).build()?;
    // Members have scopes to manage keys, which no key gets: they are no permissions.
    let permissions =
        Permissions::new().group("Notes", [("notes.read", "Read notes"), ("notes.write", "Write notes")])?;
    let manager = KeyManager::for_authenticator(&authenticator, store, KeyFormat::new("saas")?)?
        .with_permissions(permissions)
        .require_names();
    let directory = members.clone();
    let settings =
        ManageSettings::new("keys.read".parse()?, "keys.write".parse()?).resolve_callers(
            move |session: Session| {
                let directory = directory.clone();
                async move {
                    caller(&directory.of(&session).await?).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
                }
            },
        );
    // Over plain HTTP, for a try on this machine: leave `Secure` on behind TLS. The cookie is `HttpOnly` and `SameSite=Strict`.
    let sessions = SessionManagerLayer::new(MemoryStore::default()).with_secure(false);
    let for_members = Router::new()
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .with_state(members)
        .nest("/account/api-keys", routes(manager, settings))
        .layer(sessions);
    let for_programs = Router::new()
        .route("/api/notes", get(notes).route_layer(RequireScopeLayer::scope("notes.read")?))
        .route_layer(AuthenticateLayer::new(authenticator));
    Ok(for_members.merge(for_programs))
}

/// Returns a member as the caller that manages keys: those of its organization, with the scopes of its role.
fn caller(member: &Member) -> Result<ExternalCaller, InvalidValue> {
    let scopes = match member.role {
        Role::Admin => Scopes::parse("keys.read keys.write notes.read notes.write")?,
        Role::Viewer => Scopes::parse("keys.read")?,
    };
    let caller = ExternalCaller::new(member.id, Owner::organization(member.organization))?;
    Ok(caller.across_environments().scopes(scopes))
}

async fn notes(caller: Principal) -> String {
    format!("notes of {}\n", caller.owner())
}
