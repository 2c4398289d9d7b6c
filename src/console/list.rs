//! The list of keys.

// Layer 10 of 10: rim.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{self, Response};

use super::fields::Filters;
use super::page::{Problem, Shell, render};
use super::shared::{SharedState, Visitor};
use super::view::View;
use crate::backend::{KeyFilter, KeyStore};
use crate::environment::Environment;
use crate::key::KeyId;
use crate::manage::{decode_position, encode_position};
use crate::record::{KeyState, Record};

/// Keys of a page.
const PAGE: usize = 20;
/// The fields of the filter.
const FIELDS: [&str; 7] = ["name", "start", "environment", "state", "organization", "project", "user"];
const STATES: [KeyState; 4] = [KeyState::Active, KeyState::Disabled, KeyState::Expired, KeyState::Revoked];

#[derive(Template)]
#[template(path = "list.html")]
struct ListPage<'a> {
    shell: Shell<'a>,
    keys: Vec<View>,
    filters: &'a Filters,
    /// The length of a hint: the longest start of a key to look for.
    hint: usize,
    environments: &'static [Environment],
    /// The query of the next page.
    next: Option<String>,
    is_first: bool,
}

impl ListPage<'_> {
    fn is_filtered(&self) -> bool {
        FIELDS.iter().any(|field| !self.filters.text(field).is_empty())
    }
}

pub(super) async fn show<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    visitor: Visitor,
    mut filters: Filters,
) -> response::Result<Response> {
    let (now, shell) = (shared.now(), visitor.shell(&shared));
    if !shell.is_operator {
        filters = filters.without_owner();
    }
    // A whole key may have been pasted: it is found by its hint, and its text gets no further.
    filters.shorten("start", shared.hint);
    // The keys of a customer are those of its delegate, which no filter widens; an operator has all.
    let mut filter = if shell.is_operator { filters.owner() } else { KeyFilter::all() };
    filter.environment = filters.parse("environment", |text| text.parse().ok())?;
    filter.state = filters.parse("state", |text| text.parse().ok())?.map(|state| (state, now));
    filter.starts_with = filters.parse("start", |text| Some(text.into()))?;
    filter.name_starts_with = filters.parse("name", |text| Some(text.into()))?;
    let keys = visitor.keys(&shared);
    let searches = filter.starts_with.is_some() || filter.name_starts_with.is_some();
    let found = if searches {
        let after = filters.parse("after", decode_position)?;
        keys.search(filter.clone(), after.as_ref(), PAGE + 1).await
    } else {
        let after = filters.parse("after", |text| KeyId::new(text).ok())?;
        keys.list(filter.clone(), after.as_ref(), PAGE + 1).await
    };
    let mut records = found.map_err(Problem::from)?;
    let more = records.len() > PAGE;
    records.truncate(PAGE);
    let place = |last: &Record| match searches {
        true => encode_position(&filter.position(last)),
        false => last.id.to_string(),
    };
    let next = records.last().filter(|_| more).map(|last| filters.with(&FIELDS, "after", &place(last)));
    let page = ListPage {
        shell,
        keys: records.iter().map(|record| View::new(record, now)).collect(),
        filters: &filters,
        hint: shared.hint,
        environments: visitor.environments(),
        next,
        is_first: filters.text("after").is_empty(),
    };
    Ok(render(StatusCode::OK, &page))
}
