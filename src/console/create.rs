//! The form that creates a key.

// Layer 10 of 10: rim.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{self, Response};

use super::fields::Fields;
use super::once;
use super::page::{Problem, Shell, render};
use super::picker::{Group, picker};
use super::shared::{Shared, SharedState, Visitor};
use super::shown::{already, shown};
use super::signed_in::Role;
use super::words::When;
use crate::backend::KeyStore;
use crate::clock::{Day, Timestamp};
use crate::environment::Environment;
use crate::limit::Limits;
use crate::manage::{ManageErrorKind, NewKey};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The lifetimes to select from, in days.
const LIFETIMES: [(&str, u32); 3] = [("30 days", 30), ("90 days", 90), ("1 year", 365)];

#[derive(Template)]
#[template(path = "create.html")]
struct CreatePage<'a> {
    shell: Shell<'a>,
    /// Names the form: it works once.
    form: String,
    fields: &'a Fields,
    errors: Vec<String>,
    environments: &'static [Environment],
    groups: Vec<Group>,
    lifetimes: Vec<(&'static str, u32)>,
    /// The latest expiry, if there is one.
    latest: Option<When>,
    tomorrow: Day,
}

impl CreatePage<'_> {
    /// Returns the expiry that is selected by default: the longest that is offered, up to 90 days.
    fn lifetime(&self) -> String {
        let longest = self.lifetimes.iter().rev().find(|(_, days)| *days <= 90);
        longest.map_or_else(|| "never".to_owned(), |(_, days)| days.to_string())
    }

    /// Returns the last day that was entered, which is no day if a program sent the form.
    fn day(&self) -> Option<Day> {
        self.fields.text("day").parse().ok()
    }

    /// Returns whether a choice of a field is selected; by default, the first one is.
    fn is_selected(&self, field: &str, choice: &str, by_default: &str) -> bool {
        match self.fields.text(field) {
            "" => choice == by_default,
            text => text == choice,
        }
    }
}

pub(super) async fn form<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    visitor: Visitor,
) -> response::Result<Response> {
    visitor.check_may_change()?;
    Ok(page(&shared, &visitor, &Fields::default(), StatusCode::OK, Vec::new())?)
}

fn page<S: KeyStore + Clone>(
    shared: &Shared<S>,
    visitor: &Visitor,
    fields: &Fields,
    status: StatusCode,
    errors: Vec<String>,
) -> Result<Response, Problem> {
    let now = shared.now();
    let checked = fields.scopes("permission").unwrap_or_default();
    let permissions = &shared.permissions;
    let latest = match visitor.role() {
        Role::Customer(caller) => caller.latest_expiry(),
        Role::Operator(_) => None,
    };
    let is_offered = |days: u32| latest.is_none_or(|latest| now.saturating_add(DAY * days) <= latest);
    let page = CreatePage {
        shell: visitor.shell(shared),
        form: once::name(now)?,
        fields,
        errors,
        environments: visitor.environments(),
        // An unknown scope of a forged form is not offered.
        groups: picker(
            permissions,
            &visitor.keys(shared),
            &checked.iter().filter(|scope| permissions.contains(scope)).cloned().collect(),
        ),
        lifetimes: LIFETIMES.into_iter().filter(|(_, days)| is_offered(*days)).collect(),
        latest: When::of(latest, now),
        tomorrow: Day::from(now).plus(1),
    };
    Ok(render(status, &page))
}

pub(super) async fn create<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    fields: Fields,
) -> response::Result<Response> {
    visitor.check_may_change()?;
    if let Err(other) = visitor.check_made_for(fields.visitor()) {
        return Ok(page(&shared, &visitor, &fields, StatusCode::CONFLICT, other.texts)?);
    }
    let (now, invalid) = (shared.now(), StatusCode::UNPROCESSABLE_ENTITY);
    let id = once::id(fields.text("form"), &visitor.identity(), now);
    let (new, id) = match (read(&fields, &visitor, now), id) {
        (Ok(new), Some(id)) => (NewKey { id: Some(id.clone()), ..new }, id),
        (Err(errors), _) => return Ok(page(&shared, &visitor, &fields, invalid, errors)?),
        (Ok(_), None) => {
            return Ok(page(&shared, &visitor, &fields, invalid, vec![once::TOO_OLD.to_owned()])?);
        }
    };
    let keys = visitor.authorize_again(&shared, fields.visitor()).await?;
    match keys.create(new).await {
        Ok(created) => Ok(shown(visitor.shell(&shared), created, now, None)),
        Err(error) if error.kind() == ManageErrorKind::Conflict && keys.get(&id).await.is_ok() => {
            Ok(already(visitor.shell(&shared), &id, true))
        }
        Err(error) => {
            let (status, errors) = Problem::of_fields(error)?;
            Ok(page(&shared, &visitor, &fields, status, errors)?)
        }
    }
}

/// Reads the parameters of the key, or what is wrong with them.
fn read(fields: &Fields, visitor: &Visitor, now: Timestamp) -> Result<NewKey, Vec<String>> {
    let mut errors = Vec::new();
    let owner = match visitor.role() {
        Role::Customer(caller) => Some(caller.owner().clone()),
        Role::Operator(_) => fields.owner(),
    };
    if owner.is_none() {
        errors.push("Owner: name an organization, an organization with a project, or a user".to_owned());
    }
    let environment = match fields.text("environment") {
        "" => visitor.environments().first().copied(),
        text => text.parse().ok(),
    };
    if environment.is_none() {
        errors.push("Environment: select live or test".to_owned());
    }
    let scopes = fields.scopes("permission");
    if scopes.is_err() {
        errors.push("Permissions: select some of the list".to_owned());
    }
    let (limits, plan) = match visitor.role() {
        // The store gives it those of the caller.
        Role::Customer(_) => (Ok(Limits::default()), Ok(None)),
        Role::Operator(_) => (fields.limits(), fields.plan()),
    };
    errors.extend(limits.as_ref().err().cloned());
    errors.extend(plan.as_ref().err().cloned());
    let expires_at = expiry(fields, now);
    if expires_at.is_none() {
        errors.push("Expiry: select a time, or a day after today such as 2030-01-31".to_owned());
    }
    match (owner, environment, scopes, expires_at, limits, plan) {
        (Some(owner), Some(environment), Ok(scopes), Some(expires_at), Ok(limits), Ok(plan)) => {
            let new = NewKey::new(owner).name(fields.text("name")).environment(environment).scopes(scopes);
            Ok(NewKey { expires_at, limits, plan, ..new })
        }
        _ => Err(errors),
    }
}

/// Reads the expiry; `Some(None)` if the key does not expire.
fn expiry(fields: &Fields, now: Timestamp) -> Option<Option<Timestamp>> {
    match fields.text("expires") {
        "never" => Some(None),
        // The key works on this day.
        "day" => {
            let end = fields.text("day").parse::<Day>().ok()?.plus(1).start();
            // A later end could not be shown.
            end.is_rfc3339().then_some(Some(end))
        }
        days => {
            let (_, days) = LIFETIMES.iter().find(|(_, known)| days == known.to_string())?;
            Some(Some(now.saturating_add(DAY * *days)))
        }
    }
}
