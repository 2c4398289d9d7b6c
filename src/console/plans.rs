//! The plans of a store that keeps them, for operators.

// Layer 10 of 10: rim.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{self, Response};

use super::fields::{Fields, Filters, start};
use super::once;
use super::page::{Problem, Shell, redirect, render};
use super::shared::{Shared, SharedState, Visitor};
use super::view::in_words;
use crate::backend::{KeyStore, PlanStore};
use crate::limit::{Limits, Plan};
use crate::manage::ManageErrorKind;

/// Plans of a page.
const PAGE: usize = 20;
/// Most characters of limits in a form that is shown again: those of eight.
const MOST_LIMITS: usize = 1_000;

#[derive(Template)]
#[template(path = "plans.html")]
struct PlansPage<'a> {
    shell: Shell<'a>,
    plans: Vec<Row>,
    /// The plan after which the next page begins.
    next: Option<String>,
    form: PlanForm,
    errors: Vec<String>,
}

struct Row {
    name: String,
    /// Each in words.
    limits: Vec<String>,
}

/// The fields of the form of a plan.
#[derive(Default)]
struct PlanForm {
    /// The mark of the plan that it changes. Empty if it adds one.
    before: String,
    name: String,
    limits: String,
}

impl PlanForm {
    /// Returns the form as it was sent.
    fn sent(fields: &Fields) -> Self {
        Self {
            before: fields.shown("before").to_owned(),
            name: fields.shown("plan").to_owned(),
            limits: start(fields.text("limits"), MOST_LIMITS).to_owned(),
        }
    }

    fn of(plan: &Plan) -> Self {
        Self { before: mark(plan), name: plan.name().to_owned(), limits: limits_of(plan) }
    }

    /// Returns whether it changes a plan, and adds none.
    fn changes(&self) -> bool {
        !self.before.is_empty()
    }
}

fn limits_of(plan: &Plan) -> String {
    plan.limits().map(Limits::to_string).unwrap_or_default()
}

/// Tells the limits of a plan from others.
fn mark(plan: &Plan) -> String {
    once::mark(&limits_of(plan))
}

pub(super) async fn show<S: KeyStore + PlanStore + Clone>(
    State(shared): SharedState<S>,
    visitor: Visitor,
    filters: Filters,
) -> response::Result<Response> {
    visitor.check_is_operator()?;
    let plan = match filters.text("plan") {
        "" => None,
        name => shared.manager.plan(name).await.map_err(Problem::from)?,
    };
    let form = plan.as_ref().map(PlanForm::of).unwrap_or_default();
    page(&shared, &visitor, filters.text("after"), form, StatusCode::OK, Vec::new()).await
}

async fn page<S: KeyStore + PlanStore>(
    shared: &Shared<S>,
    visitor: &Visitor,
    after: &str,
    form: PlanForm,
    status: StatusCode,
    errors: Vec<String>,
) -> response::Result<Response> {
    let after = Some(after).filter(|name| !name.is_empty());
    let mut plans = shared.manager.plans(after, PAGE + 1).await.map_err(Problem::from)?;
    let more = plans.len() > PAGE;
    plans.truncate(PAGE);
    // A name needs no escape: it is of letters, digits, `-` and `_`.
    let next = plans.last().filter(|_| more).map(|last| last.name().to_owned());
    let row = |plan: &Plan| Row {
        name: plan.name().to_owned(),
        limits: plan.limits().into_iter().flat_map(Limits::iter).map(in_words).collect(),
    };
    let plans = plans.iter().map(row).collect();
    Ok(render(status, &PlansPage { shell: visitor.shell(shared), plans, next, form, errors }))
}

/// Adds a plan, or changes the limits of one, if they are as the form has shown them, or already as it sets them. A change that comes between the
/// read and this one is not seen.
pub(super) async fn put<S: KeyStore + PlanStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    fields: Fields,
) -> response::Result<Response> {
    visitor.check_is_operator()?;
    let (limits, plan) = (fields.limits(), fields.plan());
    let known = match &plan {
        Ok(Some(plan)) => shared.manager.plan(plan.name()).await.map_err(Problem::from)?,
        _ => None,
    };
    let mut form = PlanForm::sent(&fields);
    let manager = visitor.authorize_again(&shared, fields.visitor()).await?.into_manager();
    let manager = manager.map_err(Problem::from)?;
    let invalid = StatusCode::UNPROCESSABLE_ENTITY;
    let (status, errors) = match (plan, limits, &known) {
        (Ok(None), ..) => (invalid, vec!["Plan: name one".to_owned()]),
        (Ok(Some(_)), Ok(_), Some(_)) if !form.changes() => {
            (invalid, vec!["There is a plan of this name already: change it in the list".to_owned()])
        }
        (Ok(Some(_)), Ok(_), None) if form.changes() => {
            (invalid, vec!["The plan was deleted meanwhile".to_owned()])
        }
        (Ok(Some(_)), Ok(limits), Some(known))
            if form.before != mark(known) && known.limits() != Some(&limits) =>
        {
            form.before = mark(known);
            (StatusCode::CONFLICT, vec![changed(known)])
        }
        (Ok(Some(plan)), Ok(limits), _) => {
            manager.put_plan(&plan.with_limits(limits)).await.map_err(Problem::from)?;
            return Ok(redirect("../plans"));
        }
        (plan, limits, _) => (invalid, plan.err().into_iter().chain(limits.err()).collect()),
    };
    page(&shared, &visitor, "", form, status, errors).await
}

/// Says that another change was made since a form was opened.
fn changed(plan: &Plan) -> String {
    let limits = Some(limits_of(plan)).filter(|limits| !limits.is_empty());
    let limits = limits.as_deref().unwrap_or("none");
    format!(
        "The plan was changed since the form was opened. Its limits are now: {limits}. Look at them, and send the form again"
    )
}

/// Deletes a plan once its name was typed.
pub(super) async fn delete<S: KeyStore + PlanStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    fields: Fields,
) -> response::Result<Response> {
    visitor.check_is_operator()?;
    let plan = match fields.plan() {
        Ok(Some(plan)) => shared.manager.plan(plan.name()).await.map_err(Problem::from)?,
        _ => None,
    };
    let Some(plan) = plan else { return Err(no_plan().into()) };
    let manager = visitor.authorize_again(&shared, fields.visitor()).await?.into_manager();
    let manager = manager.map_err(Problem::from)?;
    let (status, error) = if fields.text("before") != mark(&plan) {
        (StatusCode::CONFLICT, changed(&plan))
    } else if fields.text("confirmation") == plan.name() {
        match manager.delete_plan(plan.name()).await {
            Ok(()) => return Ok(redirect("../plans")),
            Err(error) if error.kind() == ManageErrorKind::NotFound => return Err(no_plan().into()),
            Err(error) if error.kind() == ManageErrorKind::Conflict => (
                StatusCode::CONFLICT,
                "A key, an organization or a user has the plan: give each another one, or none, before"
                    .to_owned(),
            ),
            Err(error) => return Err(Problem::from(error).into()),
        }
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, "Type the name of the plan exactly".to_owned())
    };
    page(&shared, &visitor, "", PlanForm::of(&plan), status, vec![error]).await
}

fn no_plan() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "No such plan", "It may have been deleted.")
}
