//! The routes, and the requirements of each.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post, put};
use tower_api_key::manage::KeyManager;
use tower_api_key::{AuthenticateLayer, ConfigError, RequireScopeLayer, SqliteStore};

use crate::{access, api_error, api_keys, memories, pages};

pub(crate) fn app(store: SqliteStore, address: &str) -> Result<Router, ConfigError> {
    let authenticator = access::authenticator(store.clone())?;
    let manager = KeyManager::new(store, access::format()?).with_permissions(access::permissions()?);
    let manager = manager.require_scopes();
    let pages = pages::dashboard(manager.clone(), &authenticator, address)?;
    let (all, one) = ("/v1/memories", "/v1/memories/{id}");
    let memories = Router::new()
        .route(all, get(memories::list).route_layer(RequireScopeLayer::scope("memory.read")?))
        .route(all, post(memories::create).route_layer(RequireScopeLayer::new(memories::WRITE.clone())))
        .route(one, get(memories::show).route_layer(RequireScopeLayer::scope("memory.read")?))
        .route(one, put(memories::update).route_layer(RequireScopeLayer::new(memories::WRITE.clone())))
        .route(one, delete(memories::forget).route_layer(RequireScopeLayer::scope("memory.delete")?))
        .with_state(memories::Memories::default());

    let keys = Router::new()
        .route("/v1/api-keys", get(api_keys::list).post(api_keys::create))
        .route("/v1/api-keys/{id}", delete(api_keys::revoke))
        .route_layer(RequireScopeLayer::new(api_keys::MANAGE.clone()))
        // Each valid key may list the permissions.
        .route("/v1/api-keys/permissions", get(api_keys::permissions))
        .with_state(manager);

    let api = memories
        .merge(keys)
        .fallback(api_error::not_found)
        .method_not_allowed_fallback(api_error::method_not_allowed)
        .layer(DefaultBodyLimit::max(64 * 1024))
        .layer(AuthenticateLayer::new(authenticator));
    // The pages are beside this layer: a browser has no key, but a session.
    Ok(Router::new()
        .nest("/settings/api-keys", pages.routes())
        .fallback_service(api)
        .layer(pages.strip_cookie()))
}
