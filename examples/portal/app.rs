//! The routes: the login, the pages for customers and staff, and the API for keys.

use axum::Router;
use axum::routing::{get, post};
use tower_api_key::console::{Console, Sessions};
use tower_api_key::manage::{KeyManager, Permissions};
use tower_api_key::usage::Usage;
use tower_api_key::{
    AuthenticateLayer, Authenticator, ConfigError, KeyFormat, Principal, RequireScopeLayer, Source,
    SqliteStore,
};
use tower_sessions::cookie::SameSite;
use tower_sessions::{MemoryStore, SessionManagerLayer};

use crate::console;
use crate::login::{Users, home, log_in, log_out, open_keys, page};

/// The users of the product, and the pages to which it hands them over.
#[derive(Clone)]
pub(crate) struct Product {
    pub(crate) users: Users,
    pub(crate) customers: Sessions<SqliteStore>,
    pub(crate) staff: Sessions<SqliteStore>,
}

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
    let pages =
        Console::new(manager)?.name("Notes")?.example(format!("{address}/api/notes"), Source::bearer())?;
    let pages_at = |path| console::at(pages.clone(), &authenticator, &format!("{address}{path}"));
    let product =
        Product { users, customers: pages_at("/settings/api-keys")?, staff: pages_at("/staff/api-keys")? };
    let (customers, staff) = (product.customers.clone(), product.staff.clone());

    // The cookie is `HttpOnly`. With `Lax`, links from elsewhere lead to the product; forms of other sites do not arrive with it.
    let sessions = SessionManagerLayer::new(MemoryStore::default())
        .with_secure(address.starts_with("https://"))
        .with_same_site(SameSite::Lax);
    let for_people = Router::new()
        .route("/", get(home))
        .route("/login", get(page).post(log_in))
        .route("/logout", post(log_out))
        .route("/api-keys", post(open_keys))
        .with_state(product)
        .layer(sessions);
    let for_programs = Router::new()
        .route("/api/notes", get(notes).route_layer(RequireScopeLayer::scope("notes.read")?))
        .route_layer(AuthenticateLayer::new(authenticator));
    Ok(for_people
        .merge(for_programs)
        .nest("/settings/api-keys", customers.routes())
        .nest("/staff/api-keys", staff.routes())
        .layer(customers.strip_cookie())
        .layer(staff.strip_cookie()))
}

async fn notes(caller: Principal) -> String {
    format!("notes of {}\n", caller.owner())
}
