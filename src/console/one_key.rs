//! The page of one key, and the changes that its forms make.

// Layer 10 of 10: rim.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{self, Response};

use super::fields::{Fields, Filters, start};
use super::keys::Keys;
use super::once;
use super::page::{Problem, Shell, redirect, render};
use super::picker::{Group, picker};
use super::shared::{Shared, SharedState, Visitor};
use super::view::{Id, View};
use crate::backend::{KeyStore, KeyUpdate};
use crate::key::KeyId;
use crate::limit::{Limits, Plan};
use crate::manage::ManageError;
use crate::record::Record;
use crate::scope::Scopes;

/// Labels of a page, whose texts may be long.
const LABELS: usize = 10;
/// Most characters of limits in a form that is shown again: those of eight.
const MOST_LIMITS: usize = 1_000;
const CHANGED_LIMITS: &str = "The limits or the plan of the key were changed since the form was opened: see what they are, and save yours again to replace them";
/// Empty fields for further labels.
const FURTHER_LABELS: usize = 2;

#[derive(Template)]
#[template(path = "key.html")]
struct KeyPage<'a> {
    shell: Shell<'a>,
    key: View,
    groups: Vec<Group>,
    notice: Option<String>,
    /// The number of labels before those of the page.
    labels_before: usize,
    /// The fields of the form of limits.
    limits: &'a str,
    plan: &'a str,
    /// Tells the limits and the plan that the key has from others.
    limits_before: String,
    errors: Vec<String>,
}

/// What a page of a key shows by its query, or of a form that was rejected.
#[derive(Default)]
struct Shown<'a> {
    done: &'a str,
    labels_before: usize,
    /// The limits and the plan.
    limits: Option<(&'a str, &'a str)>,
}

impl KeyPage<'_> {
    /// Returns the labels of the page.
    fn labels(&self) -> impl Iterator<Item = &(String, String)> {
        self.key.labels.iter().skip(self.labels_before).take(LABELS)
    }

    /// Returns the labels of the page with their marks, and empty ones behind.
    fn label_fields(&self) -> Vec<(String, String, String)> {
        let labels = self.labels().map(|(name, value)| (name.clone(), value.clone(), mark(name, value)));
        let further = std::iter::repeat_n((String::new(), String::new(), String::new()), FURTHER_LABELS);
        labels.chain(further).collect()
    }

    /// Returns whether the key has labels that the page does not show.
    fn has_further_labels(&self) -> bool {
        self.key.labels.len() > LABELS || self.labels_before > 0
    }

    /// Returns the number of labels up to the end of the page, unless it is the last one.
    fn next_labels(&self) -> Option<usize> {
        let end = self.labels_before.saturating_add(LABELS);
        (end < self.key.labels.len()).then_some(end)
    }
}

/// Returns the notice of a change that was made, by its name in the query. A link can name any, so each says only what is true of the key.
fn notice(done: &str, key: &View, lease: &str) -> Option<String> {
    let text = match done {
        "saved" => "These are the values that are saved.",
        "disabled" if key.is_disabled() => "The key is disabled: it is refused until you enable it.",
        "enabled" if key.is_active() => "The key is enabled.",
        "revoked" if key.is_revoked() => {
            return Some(format!(
                "The key is revoked. Servers that have not refused it yet will do so within {lease}."
            ));
        }
        _ => return None,
    };
    Some(text.to_owned())
}

pub(super) async fn show<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    visitor: Visitor,
    Id(id): Id,
    query: Filters,
) -> response::Result<Response> {
    let keys = visitor.keys(&shared);
    let record = keys.get(&id).await.map_err(Problem::from)?;
    let labels_before = query.parse("labels", |text| text.parse().ok())?.unwrap_or_default();
    let shown = Shown { done: query.text("done"), labels_before, limits: None };
    Ok(page(&shared, &visitor, &keys, &record, shown, StatusCode::OK, Vec::new()))
}

fn page<S: KeyStore + Clone>(
    shared: &Shared<S>,
    visitor: &Visitor,
    keys: &Keys<'_, S>,
    record: &Record,
    Shown { done, labels_before, limits }: Shown<'_>,
    status: StatusCode,
    errors: Vec<String>,
) -> Response {
    let (shell, key) = (visitor.shell(shared), View::new(record, shared.now()));
    let groups = picker(&shared.permissions, keys, &record.scopes);
    let notice = notice(done, &key, &shell.lease);
    let (own_limits, own_plan) = (key.own_limits.clone(), key.own_plan.clone());
    let (limits, plan) = limits.unwrap_or((&own_limits, &own_plan));
    let limits_before = mark_of_limits(&record.limits, record.plan.as_ref());
    render(
        status,
        &KeyPage { shell, key, groups, notice, labels_before, limits, plan, limits_before, errors },
    )
}

/// Returns from the address of a form to the page of its key, for a reload after an error.
pub(super) async fn back<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    visitor: Visitor,
    Id(id): Id,
) -> response::Result<Response> {
    let record = visitor.keys(&shared).get(&id).await.map_err(Problem::from)?;
    Ok(redirect(&format!("../{}", record.id)))
}

/// Responds to a change: with the page of the key, or with the form and what is wrong.
async fn respond<S: KeyStore + Clone>(
    shared: &Shared<S>,
    visitor: &Visitor,
    keys: &Keys<'_, S>,
    id: &KeyId,
    done: &str,
    changed: Result<Record, ManageError>,
) -> response::Result<Response> {
    let error = match changed {
        Ok(_) => return Ok(redirect(&format!("../{id}?done={done}"))),
        Err(error) => error,
    };
    let (status, errors) = Problem::of_fields(error)?;
    let record = keys.get(id).await.map_err(Problem::from)?;
    Ok(page(shared, visitor, keys, &record, Shown::default(), status, errors))
}

pub(super) async fn rename<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    Id(id): Id,
    fields: Fields,
) -> response::Result<Response> {
    let keys = visitor.authorize_again(&shared, fields.visitor()).await?;
    let changed = keys.update(&id, KeyUpdate::new().name(fields.text("name"))).await;
    respond(&shared, &visitor, &keys, &id, "saved", changed).await
}

/// Adds the permissions that were checked, and takes away those that were unchecked, as the form was shown: what another change has granted or taken
/// away since stays so, unless it comes between the read and the change.
pub(super) async fn permit<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    Id(id): Id,
    fields: Fields,
) -> response::Result<Response> {
    let read = |name| fields.scopes(name).map_err(|_| unknown_permission());
    let (before, checked) = (read("before")?, read("permission")?);
    let record = visitor.keys(&shared).get(&id).await.map_err(Problem::from)?;
    let kept = record.scopes.iter().filter(|scope| checked.contains(scope) || !before.contains(scope));
    let added = checked.iter().filter(|scope| !before.contains(scope));
    let scopes: Scopes = kept.chain(added).cloned().collect();
    let keys = visitor.authorize_again(&shared, fields.visitor()).await?;
    let changed = keys.update(&id, KeyUpdate::new().scopes(scopes)).await;
    respond(&shared, &visitor, &keys, &id, "saved", changed).await
}

fn unknown_permission() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "Some values are not valid",
        "Permissions: select some of the list",
    )
}

/// Adds the labels that were changed or added, and removes those that were cleared, as the form was shown: what another change has made of the
/// other ones since stays so, unless it comes between the read and the change.
pub(super) async fn label<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    Id(id): Id,
    fields: Fields,
) -> response::Result<Response> {
    let record = visitor.keys(&shared).get(&id).await.map_err(Problem::from)?;
    let labels = labels(&fields, record.labels.clone());
    let keys = visitor.authorize_again(&shared, fields.visitor()).await?;
    let labels = match labels {
        Ok(labels) => labels,
        Err(error) => {
            let invalid = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(page(&shared, &visitor, &keys, &record, Shown::default(), invalid, vec![error]));
        }
    };
    let changed = keys.update(&id, KeyUpdate::new().labels(labels)).await;
    respond(&shared, &visitor, &keys, &id, "saved", changed).await
}

/// Returns the labels of a key after a form, of which each row has the mark of the label that it has shown.
fn labels(fields: &Fields, mut labels: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
    let shown: BTreeMap<_, _> =
        labels.iter().map(|(name, value)| (mark(name, value), name.clone())).collect();
    let marks = fields.exact("label_before").chain(std::iter::repeat(""));
    let rows = fields.exact("label_name").zip(fields.exact("label_value")).zip(marks);
    let is_empty = |name: &str, value: &str| name.is_empty() && value.is_empty();
    let is_part = !fields.text("part").is_empty();
    let (mut names, mut added) = (BTreeSet::new(), Vec::new());
    for ((name, value), before) in rows {
        if !is_empty(name, value) && !names.insert(name) {
            return Err(format!("Labels: two have the name {name:?}"));
        }
        if before == mark(name, value) {
            continue;
        }
        match shown.get(before) {
            Some(name) => _ = labels.remove(name),
            // A label that another page shows would be lost.
            None if is_part && labels.contains_key(name) => {
                return Err(format!("Labels: two have the name {name:?}"));
            }
            None => {}
        }
        if !is_empty(name, value) {
            added.push((name.to_owned(), value.to_owned()));
        }
    }
    labels.extend(added);
    Ok(labels)
}

/// Tells a label from others, as a browser shows and sends it: on one line.
fn mark(name: &str, value: &str) -> String {
    let line = |text: &str| text.replace(['\r', '\n'], "");
    once::mark(&format!("{}\0{}", line(name), line(value)))
}

/// Tells the limits and the plan of a key itself from others.
fn mark_of_limits(limits: &Limits, plan: Option<&Plan>) -> String {
    once::mark(&format!("{limits}\0{}", plan.map(Plan::name).unwrap_or_default()))
}

/// Sets the limits and the plan of a key, for an operator, if they are as the form has shown them, or already as it sets them. A change that comes
/// between the read and this one is not seen.
pub(super) async fn limit<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    Id(id): Id,
    fields: Fields,
) -> response::Result<Response> {
    visitor.check_is_operator()?;
    let record = visitor.keys(&shared).get(&id).await.map_err(Problem::from)?;
    let keys = visitor.authorize_again(&shared, fields.visitor()).await?;
    let current = mark_of_limits(&record.limits, record.plan.as_ref());
    let (status, errors) = match (fields.limits(), fields.plan()) {
        (Ok(limits), Ok(plan))
            if fields.text("limits_before") != current
                && mark_of_limits(&limits, plan.as_ref()) != current =>
        {
            (StatusCode::CONFLICT, vec![CHANGED_LIMITS.to_owned()])
        }
        (Ok(limits), Ok(plan)) => {
            let update = KeyUpdate { plan: Some(plan), ..KeyUpdate::new().limits(limits) };
            match keys.update(&id, update).await {
                Ok(_) => return Ok(redirect(&format!("../{id}?done=saved"))),
                Err(error) => Problem::of_fields(error)?,
            }
        }
        (limits, plan) => {
            let errors = limits.err().into_iter().chain(plan.err()).collect();
            (StatusCode::UNPROCESSABLE_ENTITY, errors)
        }
    };
    let limits = start(fields.text("limits"), MOST_LIMITS);
    let shown = Shown { limits: Some((limits, fields.shown("plan"))), ..Shown::default() };
    Ok(page(&shared, &visitor, &keys, &record, shown, status, errors))
}

pub(super) async fn disable<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    Id(id): Id,
    fields: Fields,
) -> response::Result<Response> {
    let keys = visitor.authorize_again(&shared, fields.visitor()).await?;
    let changed = keys.disable(&id, fields.text("reason")).await;
    respond(&shared, &visitor, &keys, &id, "disabled", changed).await
}

pub(super) async fn enable<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    Id(id): Id,
    fields: Fields,
) -> response::Result<Response> {
    let keys = visitor.authorize_again(&shared, fields.visitor()).await?;
    let changed = keys.enable(&id).await;
    respond(&shared, &visitor, &keys, &id, "enabled", changed).await
}
