//! Limits by key, as middleware.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_api_key::Principal;

use crate::api_error::ApiError;
use crate::limits::Limits;

/// Counts a request to its key. Must be inside the layer that admits keys.
pub(crate) async fn count(
    State(limits): State<Arc<Limits>>,
    caller: Principal,
    request: Request,
    next: Next,
) -> Response {
    match limits.count(caller.key_id()) {
        Ok(_) => next.run(request).await,
        Err(used_up) => {
            let message = "Too many requests with this API key";
            let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_EXCEEDED", message);
            let seconds = used_up.next_in.as_millis().div_ceil(1000).to_string();
            ([(RETRY_AFTER, seconds)], error).into_response()
        }
    }
}
