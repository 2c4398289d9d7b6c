//! The routes, and the requirements of each.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post, put};
use tower_api_key::limit::{Limit, Limits};
use tower_api_key::manage::KeyManager;
use tower_api_key::usage::Usage;
use tower_api_key::{AuthenticateLayer, ConfigError, LimitLayer, RequireScopeLayer, Scopes, SqliteStore};

use crate::signup::{Desk, sign_up};
use crate::{access, api_error, api_keys, memories, pages, usage};

/// Most bytes of a body, enough for the longest memory.
const BODY: usize = 256 * 1024;

pub(crate) fn app(
    store: SqliteStore,
    meter: Usage,
    limit: Limit,
    address: &str,
) -> Result<Router, ConfigError> {
    let authenticator = access::authenticator(store.clone(), meter)?;
    let keys = KeyManager::for_authenticator(&authenticator, store.clone(), access::format()?)?
        .with_permissions(access::permissions()?);
    let pages = pages::dashboard(keys.clone(), &authenticator, address)?;
    let (all, one) = ("/v1/memories", "/v1/memories/{id}");
    let memories = Router::new()
        .route(all, get(memories::list).route_layer(RequireScopeLayer::scope("read")?))
        .route(all, post(memories::create).route_layer(RequireScopeLayer::new(memories::WRITE.clone())))
        .route(one, get(memories::show).route_layer(RequireScopeLayer::scope("read")?))
        .route(one, put(memories::update).route_layer(RequireScopeLayer::new(memories::WRITE.clone())))
        .route(one, delete(memories::forget).route_layer(RequireScopeLayer::scope("delete")?))
        .route("/v1/query", post(memories::query).route_layer(RequireScopeLayer::new(memories::READ.clone())))
        .with_state(memories::Memories::default());

    let usage = Router::new()
        .route("/v1/usage", get(usage::current))
        .route("/v1/usage/history", get(usage::history))
        .route_layer(RequireScopeLayer::scope("read")?)
        .with_state(keys.clone());

    let account = Router::new()
        .route("/v1/account/api-keys", get(api_keys::list).post(api_keys::create))
        .route("/v1/account/api-keys/{id}", delete(api_keys::revoke))
        .route_layer(RequireScopeLayer::new(api_keys::MANAGE.clone()))
        .method_not_allowed_fallback(api_error::method_not_allowed)
        .with_state(keys.clone());

    let guarded = memories
        .merge(usage)
        .fallback(api_error::not_found)
        .method_not_allowed_fallback(api_error::method_not_allowed)
        .layer(LimitLayer::new().default_limits(Limits::new([limit])?).without_headers())
        // Outside of the limit, so that past it too a key that has leaked can be revoked.
        .merge(account)
        // A request passes the layers from the last to the first: a key is counted after it is admitted.
        .layer(AuthenticateLayer::new(authenticator));

    let desk = Desk { owners: store, keys: keys.acting_as("signup"), everything: Scopes::new(["admin"])? };
    let open = Router::new()
        .route("/health", get(async || api_error::success("healthy")))
        .route("/v1/signup", post(sign_up))
        // As documented.
        .route("/signup", post(sign_up))
        .method_not_allowed_fallback(api_error::method_not_allowed)
        .with_state(desk);
    let api = guarded.merge(open).layer(DefaultBodyLimit::max(BODY));
    // The pages are beside these layers: a browser has no key, but a session.
    Ok(Router::new().nest("/dashboard", pages.routes()).fallback_service(api).layer(pages.strip_cookie()))
}
