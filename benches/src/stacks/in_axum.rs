//! The stacks inside axum, whose router clones and boxes its services.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;

use super::by_hand::{Keys, OverFuture};
use super::{bearer, digest, unauthorized};

/// Creates a router without a layer.
pub fn router() -> Router {
    Router::new().route("/", get(async || [(header::CONTENT_TYPE, "application/json")]))
}

/// Creates a router with the common hand-written middleware.
pub fn by_hand(keys: OverFuture) -> Router {
    router().layer(from_fn_with_state(keys, authorize))
}

async fn authorize(State(keys): State<OverFuture>, mut request: Request<Body>, next: Next) -> Response {
    let Some(digest) = digest(bearer, request.headers()) else { return unauthorized() };
    match keys.find(digest).await {
        Some(record) => {
            request.extensions_mut().insert(record);
            next.run(request).await
        }
        None => unauthorized(),
    }
}
