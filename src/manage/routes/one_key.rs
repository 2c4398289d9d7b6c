//! What the routes of one key do, whether it is named by its id or is the caller's own.

// Layer 9 of 10: management.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{self, Response};

use super::super::{Delegate, ManageError, RotateOptions};
use super::input::{Body, Fields};
use super::output::{created, json_response, key, no_content, reached};
use super::query::{Parameters, force, known, wait};
use super::shared::Shared;
use crate::backend::{Grace, KeyStore};
use crate::key::KeyId;

pub(super) async fn show<S: KeyStore>(
    shared: &Shared<S>,
    delegate: Delegate<'_, S>,
    id: Result<KeyId, ManageError>,
) -> response::Result<Response> {
    let record = delegate.get(&id?).await?;
    Ok(json_response(StatusCode::OK, &key(&record, shared.now())))
}

pub(super) async fn rotate<S: KeyStore>(
    shared: &Shared<S>,
    delegate: Delegate<'_, S>,
    id: Result<KeyId, ManageError>,
    parameters: Parameters,
    body: Body,
) -> response::Result<Response> {
    let delegate = shared.keeping_manager(delegate, force(&known(parameters, &["force"])?)?);
    let mut fields = Fields::parse(body)?;
    let from_first_use = fields.boolean("grace_from_first_use").unwrap_or(false);
    let seconds = fields.seconds("grace_seconds").unwrap_or_default();
    let grace = match seconds {
        seconds if from_first_use => Grace::FromFirstUse(seconds),
        Duration::ZERO => Grace::None,
        seconds => Grace::For(seconds),
    };
    let mut options = RotateOptions::new(grace);
    options.expires_at = fields.time("expires_at").flatten();
    fields.finish()?;
    let key = delegate.rotate(&id?, options).await?;
    Ok(created(key, shared.now()))
}

pub(super) async fn revoke<S: KeyStore>(
    shared: &Shared<S>,
    delegate: Delegate<'_, S>,
    id: Result<KeyId, ManageError>,
    parameters: Parameters,
) -> response::Result<Response> {
    let mut parameters = known(parameters, &["reason", "wait", "until", "wait_seconds", "force"])?;
    let wait = wait(&parameters)?;
    let delegate = shared.keeping_manager(delegate, force(&parameters)?);
    let (id, reason) = (id?, parameters.remove("reason").unwrap_or_default());
    let Some(wait) = wait else {
        delegate.revoke(&id, &reason).await?;
        return Ok(no_content());
    };
    let propagation = delegate.revoke_and_wait(&id, &reason, wait).await?;
    Ok(reached(no_content(), &propagation, shared.settings.shows_nodes))
}
