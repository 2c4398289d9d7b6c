//! The routes and their layers.

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::middleware::map_response_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::limit::{Limit, Limits};
use tower_api_key::usage::Usage;
use tower_api_key::{AuthenticateLayer, ConfigError, Environment, LimitLayer, SqliteStore};

use crate::{access, api_error, memories, pages};

pub(crate) fn app(
    store: SqliteStore,
    environment: Environment,
    usage: Usage,
    limit: Limit,
    address: &str,
) -> Result<Router, ConfigError> {
    let requests = limit.requests();
    let limits = LimitLayer::new().default_limits(Limits::new([limit])?);
    let authenticator = access::authenticator(store.clone(), environment, usage)?;
    let pages = pages::developer_console(store.clone(), &authenticator, address)?;
    let api = Router::new()
        .route("/memory", post(memories::remember))
        .route("/memory/{id}", get(memories::recall))
        .with_state(memories::Memories::default())
        .fallback(api_error::not_found)
        .method_not_allowed_fallback(api_error::method_not_allowed)
        .layer(limits.clone())
        // Free, so that past the limit too a key that has leaked can be deleted.
        .nest("/console", access::console(store)?.layer(limits.cost(|_| 0)))
        .layer(DefaultBodyLimit::max(64 * 1024))
        // A request passes the layers from the last to the first: a key is counted after it is admitted.
        .layer(AuthenticateLayer::new(authenticator))
        .layer(map_response_with_state(requests, say_none));
    // The pages are beside these layers: a browser has no key, but a session.
    Ok(Router::new().nest("/developer", pages.routes()).fallback_service(api).layer(pages.strip_cookie()))
}

/// Adds headers without allowance to the response to a client without a valid key, which is counted to no key.
async fn say_none(State(requests): State<u64>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    if !headers.contains_key("x-ratelimit-limit") {
        let now = SystemClock::new().wall().unix_millis().unsigned_abs().div_ceil(1000);
        headers.insert("x-ratelimit-limit", requests.into());
        headers.insert("x-ratelimit-remaining", 0.into());
        headers.insert("x-ratelimit-reset", now.into());
    }
    response
}
