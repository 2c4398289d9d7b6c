//! The form that replaces a key.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{self, Response};

use super::fields::Fields;
use super::page::{Problem, Shell, render};
use super::shared::{Pages, Visitor};
use super::shown::{already, shown};
use super::view::{Id, View};
use crate::backend::{Grace, KeyStore};
use crate::manage::{ManageErrorKind, RotateOptions};

const HOUR: Duration = Duration::from_secs(60 * 60);

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
    choices: &'static [(&'static str, &'static str, Grace)],
}

pub(super) async fn form<S: KeyStore + Clone>(
    State(shared): Pages<S>,
    visitor: Visitor,
    Id(id): Id,
) -> response::Result<Response> {
    visitor.check_may_change()?;
    let record = visitor.keys(&shared).get(&id).await.map_err(Problem::from)?;
    let (shell, key) = (visitor.shell(&shared), View::new(&record, shared.now()));
    Ok(render(StatusCode::OK, &RotatePage { shell, key, choices: &CHOICES }))
}

pub(super) async fn rotate<S: KeyStore + Clone>(
    State(shared): Pages<S>,
    mut visitor: Visitor,
    Id(id): Id,
    fields: Fields,
) -> response::Result<Response> {
    let keys = visitor.to_change(&shared).await?;
    let chosen = CHOICES.into_iter().find(|(value, ..)| *value == fields.text("grace"));
    let Some((_, _, grace)) = chosen else {
        let text = "Select how long the old key works on.";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Some values are not valid", text).into());
    };
    let error = match keys.rotate(&id, RotateOptions::new(grace)).await {
        Ok(created) => return Ok(shown(visitor.shell(&shared), created, shared.now())),
        Err(error) => error,
    };
    if error.kind() == ManageErrorKind::Conflict
        && let Ok(record) = keys.get(&id).await
        && let Some(successor) = record.rotated_to
    {
        return Ok(already(visitor.shell(&shared), &successor));
    }
    Err(Problem::from(error).into())
}
