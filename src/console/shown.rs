//! The page that shows the text of a new key, once: the answer to the form that created it, which no address leads to.

// Layer 10 of 10: rim.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::page::{Shell, render};
use super::servers::Servers;
use super::view::View;
use crate::clock::Timestamp;
use crate::key::KeyId;
use crate::manage::CreatedKey;

#[derive(Template)]
#[template(path = "shown.html")]
struct ShownPage<'a> {
    shell: Shell<'a>,
    key: View,
    text: &'a str,
    variable: String,
    curl: Option<String>,
    /// Which servers refuse the key that this one replaces, if it ends now.
    servers: Option<Servers>,
}

#[derive(Template)]
#[template(path = "already.html")]
struct AlreadyPage<'a> {
    shell: Shell<'a>,
    id: &'a KeyId,
    /// Whether it was created by this form.
    by_this_form: bool,
}

/// Shows the text of a new key, and which servers refuse the old one if that has ended with it.
pub(super) fn shown(
    shell: Shell<'_>,
    created: CreatedKey,
    now: Timestamp,
    servers: Option<Servers>,
) -> Response {
    let (text, record) = created.into_parts();
    let (variable, curl) = (shell.look.variable(), shell.look.curl(&record));
    let page =
        ShownPage { shell, key: View::new(&record, now), text: text.as_str(), variable, curl, servers };
    render(StatusCode::CREATED, &page)
}

/// Says that this key was created before: by this form, or by another one in its place.
pub(super) fn already(shell: Shell<'_>, id: &KeyId, by_this_form: bool) -> Response {
    render(StatusCode::CONFLICT, &AlreadyPage { shell, id, by_this_form })
}
