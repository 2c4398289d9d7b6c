//! The form that creates a key.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{self, Response};

use super::fields::Fields;
use super::page::{Problem, Shell, render};
use super::picker::{Group, picker};
use super::shared::{Pages, Shared, Visitor};
use super::shown::{already, shown};
use super::signed_in::Role;
use crate::backend::KeyStore;
use crate::clock::{Day, Timestamp};
use crate::digest::Digester;
use crate::environment::Environment;
use crate::key::KeyId;
use crate::manage::{ManageError, ManageErrorKind, NewKey};

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
    tomorrow: Day,
}

impl CreatePage<'_> {
    /// Returns whether a choice of a field is selected; by default, the first one is.
    fn is_selected(&self, field: &str, choice: &str, by_default: &str) -> bool {
        match self.fields.text(field) {
            "" => choice == by_default,
            text => text == choice,
        }
    }
}

pub(super) async fn form<S: KeyStore + Clone>(
    State(shared): Pages<S>,
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
    let nonce = KeyId::generate(now).map_err(ManageError::from)?;
    let checked = fields.scopes("permission").unwrap_or_default();
    let permissions = &shared.permissions;
    let page = CreatePage {
        shell: visitor.shell(shared),
        form: format!("{}-{nonce}", now.unix_millis()),
        fields,
        errors,
        environments: visitor.environments(),
        // An unknown scope of a forged form is not offered.
        groups: picker(
            permissions,
            &visitor.keys(shared),
            &checked.iter().filter(|scope| permissions.contains(scope)).cloned().collect(),
        ),
        tomorrow: Day::from(now).plus(1),
    };
    Ok(render(status, &page))
}

pub(super) async fn create<S: KeyStore + Clone>(
    State(shared): Pages<S>,
    mut visitor: Visitor,
    fields: Fields,
) -> response::Result<Response> {
    let keys = visitor.to_change(&shared).await?;
    let (now, invalid) = (shared.now(), StatusCode::UNPROCESSABLE_ENTITY);
    let id = id(fields.text("form"), &visitor.identity(), now);
    let (new, id) = match (read(&fields, &visitor, now), id) {
        (Ok(new), Some(id)) => (NewKey { id: Some(id.clone()), ..new }, id),
        (Err(errors), _) => return Ok(page(&shared, &visitor, &fields, invalid, errors)?),
        (Ok(_), None) => {
            let error = "This form was open for more than a day: send it again".to_owned();
            return Ok(page(&shared, &visitor, &fields, invalid, vec![error])?);
        }
    };
    match keys.create(new).await {
        Ok(created) => Ok(shown(visitor.shell(&shared), created, now)),
        Err(error) if error.kind() == ManageErrorKind::Conflict && keys.get(&id).await.is_ok() => {
            Ok(already(visitor.shell(&shared), &id))
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
    let expires_at = expiry(fields, now);
    if expires_at.is_none() {
        errors.push("Expiry: select a time, or a day after today such as 2030-01-31".to_owned());
    }
    match (owner, environment, scopes, expires_at) {
        (Some(owner), Some(environment), Ok(scopes), Some(expires_at)) => {
            let new = NewKey::new(owner).name(fields.text("name")).environment(environment).scopes(scopes);
            Ok(NewKey { expires_at, ..new })
        }
        _ => Err(errors),
    }
}

/// Reads the expiry; `Some(None)` if the key does not expire.
fn expiry(fields: &Fields, now: Timestamp) -> Option<Option<Timestamp>> {
    match fields.text("expires") {
        "never" => Some(None),
        // The key works on this day.
        "day" => Some(Some(fields.text("day").parse::<Day>().ok()?.plus(1).start())),
        days => {
            let (_, days) = LIFETIMES.iter().find(|(_, known)| days == known.to_string())?;
            Some(Some(now.saturating_add(DAY * *days)))
        }
    }
}

/// Returns the id of the key that a form creates, so that a second key by the same form is a conflict: on each node, and in each store. `None` for
/// a form that is older than a day. Another visitor gets another id by the same form, so that no id can be tried.
fn id(form: &str, visitor: &str, now: Timestamp) -> Option<KeyId> {
    let (millis, _) = form.split_once('-')?;
    let at = Timestamp::from_unix_millis(millis.parse().ok()?);
    // The clocks of nodes may differ by a minute.
    let is_recent = now.saturating_since(at) < DAY && at.saturating_since(now) <= Duration::from_secs(60);
    let request = Digester::sha256().digest(format!("console\0{visitor}\0{form}").as_bytes());
    is_recent.then(|| KeyId::of_request(at, &request))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_to_one_id_for_each_visitor_for_a_day() {
        let now = Timestamp::from_unix_millis(1_800_000_000_000);
        let form = "1800000000000-a";
        let first = id(form, "ann", now).unwrap();
        assert_eq!(id(form, "ann", now.saturating_add(DAY / 2)), Some(first.clone()));
        assert_ne!(id(form, "bob", now), Some(first.clone()));
        assert_ne!(id("1800000000000-b", "ann", now), Some(first));
        assert_eq!(id(form, "ann", now.saturating_add(DAY)), None);
        assert_eq!(id(form, "ann", now.saturating_sub(DAY)), None);
        for form in ["", "a", "-", "1800000000000", "x-1", "9223372036854775808-1"] {
            assert_eq!(id(form, "ann", now), None, "{form:?}");
        }
    }
}
