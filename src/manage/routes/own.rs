//! What a caller may do to its own key, whatever its scopes.

// Layer 9 of 10: management.

use axum::extract::State;
use axum::response::{self, Response};

use super::caller::Caller;
use super::input::Body;
use super::one_key;
use super::query::Parameters;
use super::shared::SharedState;
use crate::backend::KeyStore;

pub(super) async fn show<S: KeyStore>(
    State(shared): SharedState<S>,
    caller: Caller,
) -> response::Result<Response> {
    let (delegate, own) = shared.to_own(&caller)?;
    one_key::show(&shared, delegate, Ok(own)).await
}

pub(super) async fn rotate<S: KeyStore>(
    State(shared): SharedState<S>,
    caller: Caller,
    parameters: Parameters,
    body: Body,
) -> response::Result<Response> {
    let (delegate, own) = shared.to_own(&caller)?;
    one_key::rotate(&shared, delegate, Ok(own), parameters, body).await
}

pub(super) async fn revoke<S: KeyStore>(
    State(shared): SharedState<S>,
    caller: Caller,
    parameters: Parameters,
) -> response::Result<Response> {
    let (delegate, own) = shared.to_own(&caller)?;
    one_key::revoke(&shared, delegate, Ok(own), parameters).await
}
