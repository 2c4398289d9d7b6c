//! The routes and their layers.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response_with_state};
use axum::routing::{get, post};
use tower_api_key::usage::Usage;
use tower_api_key::{AuthenticateLayer, ConfigError, Environment, SqliteStore};

use crate::limits::Limits;
use crate::{access, api_error, limiting, memories, pages};

pub(crate) fn app(
    store: SqliteStore,
    environment: Environment,
    usage: Usage,
    limits: Limits,
    address: &str,
) -> Result<Router, ConfigError> {
    let limits = Arc::new(limits);
    let authenticator = access::authenticator(store.clone(), environment, usage)?;
    let pages = pages::developer_console(store.clone(), &authenticator, address)?;
    let api = Router::new()
        .route("/memory", post(memories::remember))
        .route("/memory/{id}", get(memories::recall))
        .with_state(memories::Memories::default())
        .nest("/console", access::console(store)?)
        .fallback(api_error::not_found)
        .method_not_allowed_fallback(api_error::method_not_allowed)
        .layer(DefaultBodyLimit::max(64 * 1024))
        // A request passes these from the last to the first: a key is counted after it is admitted.
        .layer(from_fn_with_state(Arc::clone(&limits), limiting::count))
        .layer(AuthenticateLayer::new(authenticator))
        .layer(map_response_with_state(limits, limiting::say_none));
    // The pages are beside these layers: a browser has no key, but a session.
    Ok(Router::new().nest("/developer", pages.routes()).fallback_service(api).layer(pages.strip_cookie()))
}
