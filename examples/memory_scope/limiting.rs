//! The limits as middleware, and their headers in each response.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_api_key::Principal;
use tower_api_key::clock::{Clock, SystemClock};

use crate::api_error::ApiError;
use crate::limits::{Allowance, Limits, UsedUp};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Counts a request to its key. Must be inside the layer that admits keys.
pub(crate) async fn count(
    State(limits): State<Arc<Limits>>,
    principal: Principal,
    request: Request,
    next: Next,
) -> Response {
    match limits.count(principal.key_id()) {
        Ok(allowance) => {
            let mut response = next.run(request).await;
            say(&limits, allowance, response.headers_mut());
            response
        }
        Err(UsedUp { next_in, allowance }) => {
            let detail = "Rate limit exceeded. Please try again later.";
            let mut response = ApiError::new(StatusCode::TOO_MANY_REQUESTS, detail).into_response();
            response.headers_mut().insert(RETRY_AFTER, whole_seconds(next_in.as_millis()));
            say(&limits, allowance, response.headers_mut());
            response
        }
    }
}

/// Adds headers without allowance to the response to a client without a valid key. Must be outside the layer that admits keys.
pub(crate) async fn say_none(State(limits): State<Arc<Limits>>, mut response: Response) -> Response {
    if !response.headers().contains_key(LIMIT) {
        let none = Allowance { remaining: 0, whole_in: Duration::ZERO };
        say(&limits, none, response.headers_mut());
    }
    response
}

fn say(limits: &Limits, allowance: Allowance, headers: &mut HeaderMap) {
    let now = u128::from(SystemClock::new().wall().unix_millis().unsigned_abs());
    headers.insert(LIMIT, limits.limit().into());
    headers.insert(REMAINING, allowance.remaining.into());
    headers.insert(RESET, whole_seconds(now + allowance.whole_in.as_millis()));
}

/// Rounds up, so that a client that waits as long does not retry too early.
fn whole_seconds(millis: u128) -> HeaderValue {
    u64::try_from(millis.div_ceil(1000)).unwrap_or(u64::MAX).into()
}
