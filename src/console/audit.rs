//! The changes of keys.

// Layer 10 of 10: rim.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{self, Response};

use super::fields::Filters;
use super::page::{Problem, Shell, render};
use super::shared::{SharedState, Visitor};
use super::words::{When, short};
use crate::audit::Action;
use crate::backend::{AuditEntry, AuditLog, AuditQuery, KeyStore, LoggedAction};
use crate::clock::Timestamp;
use crate::key::KeyId;
use crate::manage::{AuditCursor, decode_entry, encode_entry};

/// Entries of a page.
const PAGE: usize = 50;
/// The fields of the filter.
const FIELDS: [&str; 6] = ["key", "action", "actor", "organization", "project", "user"];

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage<'a> {
    shell: Shell<'a>,
    entries: Vec<Entry>,
    filters: &'a Filters,
    /// The query of the next page.
    next: Option<String>,
    is_first: bool,
}

struct Entry {
    at: When,
    action: &'static str,
    key: Option<KeyId>,
    successor: Option<KeyId>,
    actor: Option<String>,
    owner: Option<String>,
}

impl Entry {
    fn new(entry: AuditEntry, now: Timestamp) -> Self {
        let AuditEntry { event, owner, .. } = entry;
        let successor = match &event.action {
            Action::Rotated { to } => Some(to.clone()),
            _ => None,
        };
        Self {
            at: When::new(event.at, now),
            action: event.action.label(),
            key: event.key,
            successor,
            actor: event.by.map(|actor| short(&actor)),
            owner: owner.map(|owner| short(&owner.to_string())),
        }
    }
}

pub(super) async fn show<S: KeyStore + AuditLog + Clone>(
    State(shared): SharedState<S>,
    visitor: Visitor,
    mut filters: Filters,
) -> response::Result<Response> {
    let (now, shell) = (shared.now(), visitor.shell(&shared));
    if !shell.is_operator {
        filters = filters.without_owner();
    }
    let mut query = AuditQuery::all().limit(PAGE + 1);
    query.key = filters.parse("key", |text| KeyId::new(text).ok())?;
    query.action = filters.parse("action", |text| text.parse().ok())?;
    query.actor = filters.parse("actor", |text| Some(text.into()))?;
    if shell.is_operator {
        let owner = filters.owner();
        (query.organization, query.project, query.user) = (owner.organization, owner.project, owner.user);
    }
    let keys = visitor.keys(&shared);
    let read = |query| keys.audit(query);
    let after = filters.parse("after", decode_entry)?;
    let is_first = after.is_none();
    if let Some(entry) = after {
        query.after = Some(entry.position(read).await.map_err(Problem::from)?);
    }
    let mut entries = read(query).await.map_err(Problem::from)?;
    let more = entries.len() > PAGE;
    entries.truncate(PAGE);
    let last = match entries.last().filter(|_| more) {
        Some(last) => AuditCursor::of(last, read).await.map_err(Problem::from)?,
        None => None,
    };
    let next = last.map(|last| filters.with(&FIELDS, "after", &encode_entry(&last)));
    let entries = entries.into_iter().map(|entry| Entry::new(entry, now)).collect();
    Ok(render(StatusCode::OK, &AuditPage { shell, entries, filters: &filters, next, is_first }))
}
