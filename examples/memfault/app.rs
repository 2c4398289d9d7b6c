//! The routes, and the requirements of each.

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{delete, get, patch, post, put};
use tower_api_key::axum::RequireResourceLayer;
use tower_api_key::password::Passwords;
use tower_api_key::{AuthenticateLayer, Authenticator, ConfigError, RequireScopeLayer, SqliteStore};

use crate::access::{self, Managers};
use crate::again::{CYCLE_KEY, DEPLOY, MANAGE, OWN_KEY, OWN_PASSWORD, UPLOAD};
use crate::api_error::{self, method_not_allowed};
use crate::budget::Budget;
use crate::deployments::{self, Deployments};
use crate::files::Files;
use crate::pages::{self, Pages};
use crate::place::{OfKey, OfPath};
use crate::{accounts, organizations, projects, tokens, uploads};

/// Most bytes of a JSON body. Uploads have limits of their own.
const BODY: usize = 16 * 1024;

/// The state of the handlers.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) store: SqliteStore,
    pub(crate) managers: Managers,
    pub(crate) passwords: Passwords,
    pub(crate) files: Files,
    pub(crate) budget: Budget,
    pub(crate) deployments: Deployments,
    /// The public URL of this service.
    pub(crate) address: String,
    pub(crate) authenticator: Authenticator,
    pub(crate) pages: Pages,
}

impl App {
    pub(crate) fn routes(self) -> Result<Router, ConfigError> {
        let people = own()?
            .merge(of_organizations()?)
            .merge(of_projects()?)
            .fallback(api_error::not_found)
            .method_not_allowed_fallback(method_not_allowed)
            .layer(AuthenticateLayer::new(self.authenticator.clone()));
        let devices = of_devices()
            .method_not_allowed_fallback(method_not_allowed)
            .layer(access::device_layer(self.store.clone())?);
        // A client that knows the URL may upload its file, and nothing else.
        let by_url = Router::new()
            .route("/uploads/{url}", put(uploads::put))
            .method_not_allowed_fallback(method_not_allowed);
        let Pages { user_keys, tokens } = self.pages.clone();
        let api = people.merge(devices).merge(by_url).layer(DefaultBodyLimit::max(BODY)).with_state(self);
        // The pages are beside these layers: a browser has no key, but a session.
        Ok(Router::new()
            .nest("/account/api-keys", user_keys.routes())
            .nest("/organization/auth-tokens", tokens.routes())
            .fallback_service(api)
            .layer(user_keys.strip_cookie())
            .layer(tokens.strip_cookie()))
    }
}

/// Routes about the caller itself.
fn own() -> Result<Router<App>, ConfigError> {
    let read = Router::new()
        .route("/auth/me", get(accounts::me))
        .route("/api/v0/organizations", get(organizations::list))
        .route_layer(RequireScopeLayer::scope("project.read")?);
    let key = get(accounts::show_key).post(accounts::cycle_key).delete(accounts::delete_key);
    let key = Router::new()
        .route("/auth/api_key", key)
        .route("/open/api-keys", get(pages::open_user_keys))
        .route_layer(RequireScopeLayer::new(OWN_KEY.clone()));
    let password = Router::new()
        .route("/auth/password", put(accounts::change_password))
        .route_layer(RequireScopeLayer::new(OWN_PASSWORD.clone()));
    Ok(read.merge(key).merge(password))
}

fn of_organizations() -> Result<Router<App>, ConfigError> {
    let one = "/api/v0/organizations/{organization}";
    let (tokens, member) = (format!("{one}/auth_tokens"), format!("{one}/members/{{email}}"));
    let manage = Router::new()
        .route(one, patch(organizations::update))
        .route(&member, put(organizations::put_member).delete(organizations::delete_member))
        .route(&tokens, get(tokens::list).post(tokens::create))
        .route(&format!("{tokens}/{{id}}"), delete(tokens::delete))
        .route("/open/organizations/{organization}/auth-tokens", get(pages::open_tokens))
        .route(&format!("{one}/projects"), post(projects::create))
        .route_layer(RequireResourceLayer::new(MANAGE.clone()));
    let read = Router::new()
        .route(one, get(organizations::show))
        .route(&format!("{one}/projects"), get(projects::list))
        .route_layer(RequireResourceLayer::scope("project.read")?);
    Ok(manage.merge(read))
}

fn of_projects() -> Result<Router<App>, ConfigError> {
    let one = "/api/v0/organizations/{organization}/projects/{project}";
    let read = Router::new()
        .route(one, get(projects::show))
        .route(&format!("{one}/api_key"), get(projects::show_key))
        .route(&format!("{one}/deployments"), get(deployments::list))
        .route(&format!("{one}/files"), get(uploads::list))
        .route(&format!("{one}/files/{{id}}"), get(uploads::show))
        .route(&format!("{one}/symbols-by-gnu-build-id/{{id}}"), get(uploads::find_symbols))
        .route_layer(RequireResourceLayer::scope("project.read")?);
    let mut upload = Router::new().route(&format!("{one}/upload"), post(uploads::prepare::<OfPath>));
    for (path, kind) in uploads::KINDS {
        let finish =
            move |State(app), caller, OfPath(place), body| uploads::finish(kind, app, caller, place, body);
        upload = upload.route(&format!("{one}/{path}"), post(finish));
    }
    let cycle = Router::new().route(&format!("{one}/api_key"), post(projects::cycle_key));
    let deploy = Router::new().route(&format!("{one}/deployments"), post(deployments::create));
    Ok(read
        .merge(upload.route_layer(RequireResourceLayer::new(UPLOAD.clone())))
        .merge(cycle.route_layer(RequireResourceLayer::new(CYCLE_KEY.clone())))
        .merge(deploy.route_layer(RequireResourceLayer::new(DEPLOY.clone()))))
}

/// Routes of devices.
fn of_devices() -> Router<App> {
    let mut routes = Router::new()
        .route("/api/v0/chunks/{serial}", post(uploads::chunk))
        .route("/api/v0/upload", post(uploads::prepare::<OfKey>));
    for (path, kind) in uploads::KINDS_OF_DEVICES {
        let finish =
            move |State(app), caller, OfKey(place), body| uploads::finish(kind, app, caller, place, body);
        routes = routes.route(&format!("/api/v0/upload/{path}"), post(finish));
    }
    routes
}
