//! The routes: the login, the pages for customers and staff, and the API for keys.

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tower_api_key::backend::Actor;
use tower_api_key::console::{Console, SignedIn};
use tower_api_key::manage::{ExternalCaller, KeyManager, Permissions};
use tower_api_key::usage::Usage;
use tower_api_key::{
    AuthenticateLayer, Authenticator, ConfigError, KeyFormat, Owner, Principal, RequireScopeLayer, Source,
    SqliteStore,
};
use tower_sessions::cookie::SameSite;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

use crate::login::{Role, Users, log_in, log_out, page};

pub(crate) fn app(
    store: SqliteStore,
    usage: Usage,
    users: Users,
    address: &str,
) -> Result<Router, ConfigError> {
    let authenticator = Authenticator::builder(store.clone()).usage(usage).build()?;
    let permissions =
        Permissions::new().group("Notes", [("notes.read", "Read notes"), ("notes.write", "Write notes")])?;
    let manager = KeyManager::for_authenticator(&authenticator, store, KeyFormat::new("acme")?)?
        .with_permissions(permissions)
        .require_names();
    let console =
        Console::new(manager)?.name("Notes")?.example(format!("{address}/api/notes"), Source::bearer())?;

    let directory = users.clone();
    let customer = move |session: Session| {
        let users = directory.clone();
        async move {
            let user = users.of(&session).await?;
            let Role::Customer { organization } = user.role else {
                return Err(StatusCode::FORBIDDEN.into_response());
            };
            let caller = ExternalCaller::new(user.id, Owner::organization(organization));
            let caller = caller.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())?;
            Ok(caller.across_environments().scopes("notes.*".parse().expect("valid scopes")))
        }
    };
    let directory = users.clone();
    let operator = move |session: Session| {
        let users = directory.clone();
        async move {
            let user = users.of(&session).await?;
            match user.role {
                Role::Staff => SignedIn::operator(Actor::named(user.id))
                    .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()),
                Role::Customer { .. } => Err(StatusCode::FORBIDDEN.into_response()),
            }
        }
    };

    // Over plain HTTP, for a try on this machine: leave `Secure` on behind TLS. The cookie is `HttpOnly`. With `Lax`, links from
    // elsewhere lead to the pages; forms of other sites do not arrive with it.
    let sessions =
        SessionManagerLayer::new(MemoryStore::default()).with_secure(false).with_same_site(SameSite::Lax);
    let for_people = Router::new()
        .route("/login", get(page).post(log_in))
        .route("/logout", post(log_out))
        .with_state(users)
        .nest("/settings/api-keys", console.clone().routes(customer))
        .nest("/staff/api-keys", console.routes(operator))
        .layer(sessions);
    let for_programs = Router::new()
        .route("/api/notes", get(notes).route_layer(RequireScopeLayer::scope("notes.read")?))
        .route_layer(AuthenticateLayer::new(authenticator));
    Ok(for_people.merge(for_programs))
}

async fn notes(caller: Principal) -> String {
    format!("notes of {}\n", caller.owner())
}
