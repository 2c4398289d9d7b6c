//! The page on which an operator revokes many keys: by a filter, after their number was shown, in batches.

// Layer 10 of 10: rim.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{self, Response};
use tokio::time::Instant;

use super::fields::{Fields, Filters};
use super::page::{Problem, Shell, render};
use super::servers::Servers;
use super::shared::{Shared, SharedState, Visitor};
use super::signed_in::Role;
use super::words::short;
use crate::backend::{KeyBatch, KeyFilter, KeyStore, Subject};
use crate::clock::{Day, Timestamp};
use crate::environment::Environment;
use crate::manage::ManageErrorKind;
use crate::record::Record;

/// The fields of the filter.
const FIELDS: [&str; 6] = ["organization", "project", "user", "environment", "name", "created_before"];
/// The other fields of the forms.
const STATE: [&str; 7] = ["visitor", "count", "counted_at", "done", "after", "confirmation", "reason"];
/// Most errors of unknown fields.
const MOST_ERRORS: usize = 5;
/// Most characters of a field of the filter.
const LONGEST_TEXT: usize = 255;
/// Keys of a batch: other changes of keys wait for one.
const BATCH: usize = 500;
/// How long a request revokes: it begins no batch after this.
const LONGEST: Duration = Duration::from_secs(2);
/// How long the page waits for other servers.
const PATIENCE: Duration = Duration::from_secs(5);
/// The highest number that is counted.
const MOST: usize = 1_000_000;
/// By how much the clocks of two nodes differ at most.
const CLOCKS: Duration = Duration::from_secs(60);

#[derive(Template)]
#[template(path = "mass_revoke.html")]
struct MassRevokePage<'a> {
    shell: Shell<'a>,
    fields: &'a Fields,
    environments: &'static [Environment],
    /// How far the revocation is, once the keys were counted.
    progress: Option<Progress>,
    /// Whether the filter matches a key that the visitor is signed in with.
    keeps_own: bool,
    errors: Vec<String>,
}

#[derive(Template)]
#[template(path = "mass_revoked.html")]
struct MassRevokedPage<'a> {
    shell: Shell<'a>,
    done: usize,
    servers: Option<Servers>,
}

/// How far a revocation is. The form carries it from request to request, so a form that is sent again revokes no key that was created since.
#[derive(Clone)]
struct Progress {
    /// The number of keys that was shown, and is confirmed.
    count: usize,
    counted_at: Timestamp,
    /// The keys that earlier requests have revoked.
    done: usize,
    /// The last of them.
    after: Option<Box<str>>,
}

impl Progress {
    /// Reads the fields of a form; `None` unless it is one that a page has shown.
    fn read(fields: &Fields, now: Timestamp) -> Option<Self> {
        let done = match fields.text("done") {
            "" => 0,
            text => text.parse().ok()?,
        };
        let after = Some(fields.text("after"))
            .filter(|id| !id.is_empty() && id.len() <= LONGEST_TEXT)
            .map(Into::into);
        let counted_at = Timestamp::from_unix_millis(fields.text("counted_at").parse().ok()?);
        let progress = Self { count: fields.text("count").parse().ok()?, counted_at, done, after };
        (progress.done <= progress.count && counted_at.saturating_since(now) <= CLOCKS).then_some(progress)
    }

    fn left(&self) -> usize {
        self.count - self.done
    }

    fn is_counted_in_full(&self) -> bool {
        self.count < MOST
    }
}

impl MassRevokePage<'_> {
    fn is_unlimited(&self) -> bool {
        FIELDS.iter().all(|field| self.fields.text(field).is_empty())
    }

    /// Returns the keys that earlier requests have revoked.
    fn done(&self) -> usize {
        self.progress.as_ref().map_or(0, |progress| progress.done)
    }
}

/// Reads the keys that the fields name, or what is wrong with them. A field that is not known would not limit the keys.
fn filter(fields: &Fields) -> Result<KeyFilter, Vec<String>> {
    let mut errors = Vec::new();
    for (name, text) in fields.iter() {
        if !(FIELDS.contains(&name) || STATE.contains(&name)) {
            errors.push(format!("{}: the form has no such field", short(name)));
        } else if fields.exact(name).nth(1).is_some() {
            errors.push(format!("{name}: name one"));
        } else if text.contains('\0') {
            errors.push(format!("{name}: must not contain control characters"));
        } else if FIELDS.contains(&name) && text.chars().count() > LONGEST_TEXT {
            errors.push(format!("{name}: must have at most {LONGEST_TEXT} characters"));
        }
    }
    errors.truncate(MOST_ERRORS);
    let named = |name| Some(fields.text(name)).filter(|text| !text.is_empty());
    let mut filter = fields.owners();
    if filter != KeyFilter::all() && fields.owner().is_none() {
        errors.push("Owner: name an organization, an organization with a project, or a user".to_owned());
    }
    if let Some(text) = named("environment") {
        filter.environment = text.parse().ok();
        if filter.environment.is_none() {
            errors.push("Environment: select live or test".to_owned());
        }
    }
    if let Some(text) = named("created_before") {
        filter.created_before = text.parse::<Day>().ok().map(Day::start);
        if filter.created_before.is_none() {
            errors.push("Created before: expected a day such as 2030-01-31".to_owned());
        }
    }
    filter.name_starts_with = named("name").map(Into::into);
    if errors.is_empty() { Ok(filter) } else { Err(errors) }
}

/// Shows the filter, and the number of keys that match once it was submitted.
pub(super) async fn form<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    visitor: Visitor,
    filters: Filters,
) -> response::Result<Response> {
    visitor.check_may_change()?;
    visitor.check_is_operator()?;
    let is_submitted = !filters.text("count").is_empty();
    let fields = filters.into_fields();
    let filter = match filter(&fields) {
        Ok(filter) if is_submitted => filter,
        Ok(_) => return page(&shared, &visitor, &fields, None, StatusCode::OK, Vec::new()).await,
        Err(errors) => return invalid(&shared, &visitor, &fields, None, errors).await,
    };
    let counted_at = shared.now();
    let count = shared.manager.count_unrevoked(&filter, MOST).await.map_err(Problem::from)?;
    let count = count.saturating_sub(own_keys(&shared, &visitor, &filter).await?);
    let progress = Progress { count, counted_at, done: 0, after: None };
    page(&shared, &visitor, &fields, Some(progress), StatusCode::OK, Vec::new()).await
}

/// Returns the number of keys that the visitor is signed in with, that a filter matches, and that are not revoked: they stay.
async fn own_keys<S: KeyStore>(
    shared: &Shared<S>,
    visitor: &Visitor,
    filter: &KeyFilter,
) -> Result<usize, Problem> {
    let Role::Operator(actor) = visitor.role() else { return Ok(0) };
    let ids: Vec<_> = actor.subjects().collect();
    let mut own = 0;
    for subject in ids {
        let Subject::Key(id) = subject else { continue };
        match shared.manager.get(id).await {
            Ok(record) => own += usize::from(is_selected(filter, &record)),
            // A session, or a key that was deleted meanwhile.
            Err(error) if error.kind() == ManageErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(own)
}

fn is_selected(filter: &KeyFilter, record: &Record) -> bool {
    record.revoked.is_none() && filter.matches(record)
}

async fn invalid<S: KeyStore + Clone>(
    shared: &Shared<S>,
    visitor: &Visitor,
    fields: &Fields,
    progress: Option<Progress>,
    errors: Vec<String>,
) -> response::Result<Response> {
    page(shared, visitor, fields, progress, StatusCode::UNPROCESSABLE_ENTITY, errors).await
}

async fn page<S: KeyStore + Clone>(
    shared: &Shared<S>,
    visitor: &Visitor,
    fields: &Fields,
    progress: Option<Progress>,
    status: StatusCode,
    errors: Vec<String>,
) -> response::Result<Response> {
    let keeps_own = match (&progress, filter(fields)) {
        (Some(_), Ok(filter)) => own_keys(shared, visitor, &filter).await? > 0,
        _ => false,
    };
    let (shell, environments) = (visitor.shell(shared), visitor.environments());
    Ok(render(status, &MassRevokePage { shell, fields, environments, progress, keeps_own, errors }))
}

/// Revokes keys until none is left or the time is over. The answer says how many were revoked, and goes on by the same form.
pub(super) async fn revoke<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    fields: Fields,
) -> response::Result<Response> {
    visitor.check_may_change()?;
    visitor.check_is_operator()?;
    let filter = match filter(&fields) {
        Ok(filter) => filter,
        Err(errors) => return invalid(&shared, &visitor, &fields, None, errors).await,
    };
    let Some(mut progress) = Progress::read(&fields, shared.now()) else {
        let error = "The form is not complete: count the keys again".to_owned();
        return invalid(&shared, &visitor, &fields, None, vec![error]).await;
    };
    if fields.text("confirmation") != progress.count.to_string() {
        let error = "Type the number of keys exactly".to_owned();
        return invalid(&shared, &visitor, &fields, Some(progress), vec![error]).await;
    }
    let began = Instant::now();
    while progress.left() > 0 {
        if began.elapsed() >= LONGEST {
            return page(&shared, &visitor, &fields, Some(progress), StatusCode::OK, Vec::new()).await;
        }
        // Each batch is a change of its own.
        let keys = visitor.authorize_again(&shared, fields.visitor()).await?;
        let manager = keys.into_manager().map_err(Problem::from)?;
        let mut batch = KeyBatch::first(progress.left().min(BATCH), filter.clone());
        batch = batch.created_until(progress.counted_at);
        batch.after = progress.after.clone();
        match manager.revoke_batch(batch, fields.text("reason")).await {
            Ok(revoked) => {
                progress.done += usize::try_from(revoked.keys).unwrap_or(usize::MAX).min(progress.left());
                progress.after = revoked.last;
                if progress.after.is_none() {
                    break;
                }
            }
            Err(error) if progress.done == 0 => return Err(Problem::from(error).into()),
            Err(error) => {
                let problem = Problem::from(error);
                let status = problem.status;
                return page(&shared, &visitor, &fields, Some(progress), status, problem.lines()).await;
            }
        }
    }
    let (servers, done) = (Servers::wait(&shared.manager, PATIENCE).await, progress.done);
    Ok(render(StatusCode::OK, &MassRevokedPage { shell: visitor.shell(&shared), done, servers }))
}
