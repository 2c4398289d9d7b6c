//! The form that revokes a key.

// Layer 10 of 10: rim.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{self, Response};

use super::fields::Fields;
use super::page::{Problem, Shell, redirect, render};
use super::servers::Servers;
use super::shared::{SharedState, Visitor};
use super::view::{Id, View};
use crate::backend::KeyStore;

/// How long the page waits for other servers.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Template)]
#[template(path = "revoke.html")]
struct RevokePage<'a> {
    shell: Shell<'a>,
    key: View,
    reason: &'a str,
    is_mistyped: bool,
}

#[derive(Template)]
#[template(path = "revoked.html")]
struct RevokedPage<'a> {
    shell: Shell<'a>,
    key: View,
    servers: Servers,
}

pub(super) async fn form<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    visitor: Visitor,
    Id(id): Id,
) -> response::Result<Response> {
    visitor.check_may_change()?;
    let record = visitor.keys(&shared).get(&id).await.map_err(Problem::from)?;
    let (shell, key) = (visitor.shell(&shared), View::new(&record, shared.now()));
    Ok(render(StatusCode::OK, &RevokePage { shell, key, reason: "", is_mistyped: false }))
}

pub(super) async fn revoke<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    Id(id): Id,
    fields: Fields,
) -> response::Result<Response> {
    visitor.check_may_change()?;
    let record = visitor.keys(&shared).get(&id).await.map_err(Problem::from)?;
    let (key, reason) = (View::new(&record, shared.now()), fields.text("reason"));
    if fields.text("confirmation").trim_end_matches('.') != key.confirmation() {
        let page = RevokePage {
            shell: visitor.shell(&shared),
            key,
            reason: fields.shown("reason"),
            is_mistyped: true,
        };
        return Ok(render(StatusCode::UNPROCESSABLE_ENTITY, &page));
    }
    let keys = visitor.authorize_again(&shared, fields.visitor()).await?;
    keys.revoke(&id, reason).await.map_err(Problem::from)?;
    // The answer of the form alone says so: a link could say it of any key.
    match Servers::wait(&shared.manager, PATIENCE).await {
        Some(servers) => {
            Ok(render(StatusCode::OK, &RevokedPage { shell: visitor.shell(&shared), key, servers }))
        }
        None => Ok(redirect(&format!("../{id}?done=revoked"))),
    }
}
