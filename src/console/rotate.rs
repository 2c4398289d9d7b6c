//! The form that replaces a key.

// Layer 10 of 10: rim.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{self, Response};

use super::fields::Fields;
use super::once;
use super::page::{Problem, Shell, render};
use super::servers::Servers;
use super::shared::{Shared, SharedState, Visitor};
use super::shown::{already, shown};
use super::view::{Id, View};
use crate::backend::{Grace, KeyStore};
use crate::manage::{ManageErrorKind, RotateOptions};
use crate::record::Record;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// How long the page waits for servers to refuse an old key that ends now. It is short: the text of the new key is not shown before.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the old key works on, by the value of the field.
const CHOICES: [(&str, &str, Grace); 5] = [
    ("day", "For 1 more day", Grace::For(HOUR.saturating_mul(24))),
    ("hour", "For 1 more hour", Grace::For(HOUR)),
    ("week", "For 7 more days", Grace::For(HOUR.saturating_mul(7 * 24))),
    ("first-use", "Until 1 hour after the new key is first used", Grace::FromFirstUse(HOUR)),
    ("none", "It stops working now", Grace::None),
];

#[derive(Template)]
#[template(path = "rotate.html")]
struct RotatePage<'a> {
    shell: Shell<'a>,
    key: View,
    /// Names the form: it works once.
    form: String,
    choices: &'static [(&'static str, &'static str, Grace)],
    errors: Vec<String>,
}

pub(super) async fn form<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    visitor: Visitor,
    Id(id): Id,
) -> response::Result<Response> {
    visitor.check_may_change()?;
    let record = visitor.keys(&shared).get(&id).await.map_err(Problem::from)?;
    Ok(page(&shared, &visitor, &record, StatusCode::OK, Vec::new())?)
}

fn page<S: KeyStore + Clone>(
    shared: &Shared<S>,
    visitor: &Visitor,
    record: &Record,
    status: StatusCode,
    errors: Vec<String>,
) -> Result<Response, Problem> {
    let now = shared.now();
    let (shell, key, form) = (visitor.shell(shared), View::new(record, now), once::name(now)?);
    Ok(render(status, &RotatePage { shell, key, form, choices: &CHOICES, errors }))
}

pub(super) async fn rotate<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    Id(id): Id,
    fields: Fields,
) -> response::Result<Response> {
    visitor.check_may_change()?;
    let (now, invalid) = (shared.now(), StatusCode::UNPROCESSABLE_ENTITY);
    let old = visitor.keys(&shared).get(&id).await.map_err(Problem::from)?;
    let Some((_, _, grace)) = CHOICES.into_iter().find(|(value, ..)| *value == fields.text("grace")) else {
        let error = "Select how long the old key works on".to_owned();
        return Ok(page(&shared, &visitor, &old, invalid, vec![error])?);
    };
    let purpose = format!("{}\0{id}", visitor.identity());
    let Some(successor) = once::id(fields.text("form"), &purpose, now) else {
        return Ok(page(&shared, &visitor, &old, invalid, vec![once::TOO_OLD.to_owned()])?);
    };
    let options = RotateOptions { id: Some(successor.clone()), ..RotateOptions::new(grace) };
    let keys = visitor.authorize_again(&shared, fields.visitor()).await?;
    let error = match keys.rotate(old, options).await {
        Ok(created) => {
            let servers = match grace {
                Grace::None => Servers::wait(&shared.manager, PATIENCE).await,
                _ => None,
            };
            return Ok(shown(visitor.shell(&shared), created, now, servers));
        }
        Err(error) => error,
    };
    if error.kind() == ManageErrorKind::Conflict
        && let Ok(record) = keys.get(&id).await
        && let Some(actual) = record.rotated_to
    {
        // Another visitor, or another form of this one, may have replaced it.
        return Ok(already(visitor.shell(&shared), &actual, actual == successor));
    }
    Err(Problem::from(error).into())
}
