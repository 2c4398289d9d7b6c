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
use crate::backend::{KeyFilter, KeyStore};
use crate::clock::Day;
use crate::environment::Environment;

/// The fields of the filter.
const FIELDS: [&str; 6] = ["organization", "project", "user", "environment", "name", "created_before"];
/// Keys of a batch: other changes of keys wait for one.
const BATCH: usize = 500;
/// How long a request revokes: it begins no batch after this.
const LONGEST: Duration = Duration::from_secs(2);
/// How long the page waits for other servers.
const PATIENCE: Duration = Duration::from_secs(5);
/// The highest number that is counted.
const MOST: usize = 1_000_000;

#[derive(Template)]
#[template(path = "mass_revoke.html")]
struct MassRevokePage<'a> {
    shell: Shell<'a>,
    fields: &'a Fields,
    environments: &'static [Environment],
    /// The number of keys that match, once they were counted.
    count: Option<usize>,
    /// The keys that earlier requests have revoked.
    done: u64,
    errors: Vec<String>,
}

#[derive(Template)]
#[template(path = "mass_revoked.html")]
struct MassRevokedPage<'a> {
    shell: Shell<'a>,
    done: u64,
    servers: Option<Servers>,
}

impl MassRevokePage<'_> {
    fn is_unlimited(&self) -> bool {
        FIELDS.iter().all(|field| self.fields.text(field).is_empty())
    }

    fn is_counted_in_full(&self) -> bool {
        self.count.is_some_and(|count| count < MOST)
    }
}

/// Reads the keys that the fields name, or what is wrong with them.
fn filter(fields: &Fields) -> Result<KeyFilter, Vec<String>> {
    let mut errors = Vec::new();
    let named = |name| Some(fields.text(name)).filter(|text| !text.is_empty());
    let mut filter = fields.owners();
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

fn check_operator(shell: &Shell<'_>) -> Result<(), Problem> {
    let text = "The link may be incomplete.";
    if shell.is_operator { Ok(()) } else { Err(Problem::new(StatusCode::NOT_FOUND, "No such page", text)) }
}

/// Shows the filter, and the number of keys that match once it was submitted.
pub(super) async fn form<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    visitor: Visitor,
    filters: Filters,
) -> response::Result<Response> {
    visitor.check_may_change()?;
    check_operator(&visitor.shell(&shared))?;
    let is_submitted = !filters.text("count").is_empty();
    let fields = filters.into_fields();
    page(&shared, &visitor, &fields, is_submitted, 0, Vec::new()).await
}

async fn page<S: KeyStore + Clone>(
    shared: &Shared<S>,
    visitor: &Visitor,
    fields: &Fields,
    counts: bool,
    done: u64,
    mut errors: Vec<String>,
) -> response::Result<Response> {
    let mut status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let count = match filter(fields) {
        Ok(filter) if counts => {
            let count = shared.manager.count_unrevoked(&filter, MOST).await;
            Some(count.map_err(Problem::from)?)
        }
        Ok(_) => None,
        Err(invalid) => {
            (errors, status) = (invalid, StatusCode::UNPROCESSABLE_ENTITY);
            None
        }
    };
    let (shell, environments) = (visitor.shell(shared), visitor.environments());
    Ok(render(status, &MassRevokePage { shell, fields, environments, count, done, errors }))
}

/// Revokes keys until none is left or the time is over. The answer says how many were revoked, and goes on by the same form.
pub(super) async fn revoke<S: KeyStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    fields: Fields,
) -> response::Result<Response> {
    visitor.check_may_change()?;
    check_operator(&visitor.shell(&shared))?;
    let mut done = fields.text("done").parse().unwrap_or(0);
    let Ok(filter) = filter(&fields) else {
        return page(&shared, &visitor, &fields, false, done, Vec::new()).await;
    };
    let (count, confirmation) = (fields.text("count"), fields.text("confirmation"));
    if count.is_empty() || confirmation != count {
        let error = "Type the number of keys exactly".to_owned();
        return page(&shared, &visitor, &fields, true, done, vec![error]).await;
    }
    let began = Instant::now();
    loop {
        // Each batch is a change of its own.
        let keys = visitor.authorize_again(&shared, fields.visitor()).await?;
        match keys.revoke_first(BATCH, &filter, fields.text("reason")).await {
            Ok(revoked) => {
                done += revoked;
                if revoked < BATCH as u64 {
                    break;
                }
            }
            Err(error) if done == 0 => return Err(Problem::from(error).into()),
            Err(error) => {
                let errors = Problem::from(error).lines();
                return page(&shared, &visitor, &fields, true, done, errors).await;
            }
        }
        if began.elapsed() >= LONGEST {
            return page(&shared, &visitor, &fields, true, done, Vec::new()).await;
        }
    }
    let servers = Servers::wait(&shared.manager, PATIENCE).await;
    Ok(render(StatusCode::OK, &MassRevokedPage { shell: visitor.shell(&shared), done, servers }))
}
