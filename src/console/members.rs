//! The members, the projects and the plan of an organization, for operators of a store that keeps them.

// Layer 10 of 10: rim.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{self, Response};

use super::fields::{Fields, Filters, encode, start};
use super::page::{Problem, Shell, redirect, render};
use super::shared::{Shared, SharedState, Visitor};
use super::signed_in::Role;
use super::words::short;
use crate::backend::{KeyStore, OwnerStore, Subject};
use crate::limit::Plan;
use crate::manage::{KeyManager, ManageError, ManageErrorKind};
use crate::owner::{Organization, Owner};
use crate::scope::Scopes;

/// Members of a page, of which each has a link with its e-mail, and projects.
const MEMBERS: usize = 10;
const PROJECTS: usize = 20;
/// Most characters of scopes in a form that is shown again.
const MOST_SCOPES: usize = 4_000;
const CHANGED_PLAN: &str = "The plan of the organization was changed since the form was opened: see which it is, and save yours again to replace it";
/// Without it, the operator, who may be the last one, would be locked out.
const OWN: &str = "You have signed in as this member: another operator has to make this change";

#[derive(Template)]
#[template(path = "members.html")]
struct MembersPage<'a> {
    shell: Shell<'a>,
    fields: &'a Fields,
    errors: Vec<String>,
    found: Option<Found>,
    /// The form that was rejected.
    rejected: Option<Rejected>,
}

/// The forms of the page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rejected {
    Member,
    Removal,
    Project,
    Deletion,
    Plan,
}

impl MembersPage<'_> {
    /// Returns a field of a form of projects if that was rejected.
    fn kept(&self, form: Rejected, name: &str) -> &str {
        if self.rejected == Some(form) { self.fields.shown(name) } else { "" }
    }
}

/// An organization, and a page of its members and of its projects.
struct Found {
    organization: Organization,
    members: Vec<Member>,
    projects: Vec<String>,
    /// The plan of the organization, for its form.
    plan: String,
    /// The query of its page, and of its keys.
    query: String,
    /// The queries of the next pages.
    next_member: Option<String>,
    next_project: Option<String>,
    form: MemberForm,
}

impl Found {
    /// Returns the plan that the organization has, with which its form is sent.
    fn plan_before(&self) -> &str {
        plan_name(&self.organization)
    }
}

/// The fields of the form of a member.
struct MemberForm {
    /// Whether it changes a member.
    changes: bool,
    email: String,
    role: String,
    scopes: String,
}

struct Member {
    email: String,
    role: String,
    scopes: String,
}

impl Member {
    fn short_email(&self) -> String {
        short(&self.email)
    }

    fn short_role(&self) -> String {
        short(&self.role)
    }

    fn short_scopes(&self) -> String {
        short(&self.scopes)
    }
}

/// Names what was not found: the organization, the member or the project, and no key.
fn problem(error: ManageError) -> Problem {
    match error.kind() {
        ManageErrorKind::NotFound => {
            let text =
                "The organization, the member or the project does not exist, or was removed meanwhile.";
            Problem::new(StatusCode::NOT_FOUND, "Not found", text)
        }
        ManageErrorKind::Conflict => {
            let text = "It was deleted. Its name can be used again once its data is deleted as well.";
            Problem::new(StatusCode::CONFLICT, "The name is in use", text)
        }
        _ => error.into(),
    }
}

pub(super) async fn show<S: KeyStore + OwnerStore + Clone>(
    State(shared): SharedState<S>,
    visitor: Visitor,
    filters: Filters,
) -> response::Result<Response> {
    visitor.check_is_operator()?;
    let (shell, fields) = (visitor.shell(&shared), filters.fields());
    let found = find(&shared.manager, fields, None).await?;
    let page = MembersPage { shell, fields, errors: Vec::new(), found, rejected: None };
    Ok(render(StatusCode::OK, &page))
}

/// Returns the name of the plan of an organization; an empty text if it has none.
fn plan_name(organization: &Organization) -> &str {
    organization.plan.as_ref().map(Plan::name).unwrap_or_default()
}

/// Returns the query of a page of an organization, with another field.
fn query(organization: &str, name: &str, text: &str) -> String {
    format!("organization={}&{name}={}", encode(organization), encode(text))
}

async fn find<S: KeyStore + OwnerStore>(
    manager: &KeyManager<S>,
    fields: &Fields,
    rejected: Option<Rejected>,
) -> Result<Option<Found>, Problem> {
    let id = fields.text("organization");
    if id.is_empty() {
        return Ok(None);
    }
    let Some(organization) = manager.organization(id).await? else {
        let text = "Check its id. Owners that the application keeps itself have no members here.";
        return Err(Problem::new(StatusCode::NOT_FOUND, "No such organization", text));
    };
    let after = |name| Some(fields.text(name)).filter(|text| !text.is_empty());
    let mut users = manager.members(id, after("after"), MEMBERS + 1).await?;
    let more = users.len() > MEMBERS;
    users.truncate(MEMBERS);
    let members: Vec<_> = users
        .iter()
        .filter_map(|user| Some((user, user.memberships.first()?)))
        .map(|(user, own)| Member {
            email: user.email.to_string(),
            role: own.role.to_string(),
            scopes: own.scopes.to_string(),
        })
        .collect();
    let next_member = users.last().filter(|_| more).map(|last| query(id, "after", &last.email));
    let mut projects = manager.projects(id, after("after_project"), PROJECTS + 1).await?;
    let more = projects.len() > PROJECTS;
    projects.truncate(PROJECTS);
    let next_project = projects.last().filter(|_| more).map(|last| query(id, "after_project", &last.id));
    let projects = projects.iter().map(|own| short(&own.id)).collect();
    let form = form(manager, id, fields, rejected).await?;
    let plan = match rejected {
        Some(Rejected::Plan) => fields.shown("plan"),
        _ => plan_name(&organization),
    };
    let plan = plan.to_owned();
    let query = format!("organization={}", encode(id));
    Ok(Some(Found { organization, members, projects, plan, query, next_member, next_project, form }))
}

/// Returns the form of a member: as it was sent if it was rejected, else of the member that the fields name, or an empty one.
async fn form<S: KeyStore + OwnerStore>(
    manager: &KeyManager<S>,
    organization: &str,
    fields: &Fields,
    rejected: Option<Rejected>,
) -> Result<MemberForm, Problem> {
    if rejected == Some(Rejected::Member) {
        return Ok(MemberForm {
            changes: is_change(fields),
            email: fields.shown("email").to_owned(),
            role: fields.shown("role").to_owned(),
            scopes: start(fields.text("scopes"), MOST_SCOPES).to_owned(),
        });
    }
    let member = match fields.text("email") {
        "" => None,
        email => manager.member(organization, email).await?.map(|own| (email, own)),
    };
    Ok(match member {
        Some((email, own)) => MemberForm {
            changes: true,
            email: email.to_owned(),
            role: own.role.to_string(),
            scopes: own.scopes.to_string(),
        },
        None => {
            MemberForm { changes: false, email: String::new(), role: String::new(), scopes: String::new() }
        }
    })
}

/// Returns whether a form changes a member, and adds none.
fn is_change(fields: &Fields) -> bool {
    fields.text("change") == "yes"
}

/// Returns the manager of an operator who may change members.
async fn authorize<S: KeyStore + Clone>(
    shared: &Shared<S>,
    visitor: &mut Visitor,
    fields: &Fields,
) -> response::Result<KeyManager<S>> {
    if fields.iter().any(|(_, text)| text.contains('\0')) {
        // PostgreSQL keeps no such character.
        let text = "They must not contain control characters.";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Some values are not valid", text).into());
    }
    let keys = visitor.authorize_again(shared, fields.visitor()).await?;
    Ok(keys.into_manager().map_err(Problem::from)?)
}

/// Returns whether an operator has signed in as a user, or by a key of it.
async fn is_own<S: KeyStore>(
    manager: &KeyManager<S>,
    visitor: &Visitor,
    email: &str,
) -> Result<bool, Problem> {
    let Role::Operator(actor) = visitor.role() else { return Ok(false) };
    for subject in actor.subjects() {
        let is_own = match subject {
            Subject::User(own) => own.eq_ignore_ascii_case(email),
            Subject::Key(id) => match manager.get(id).await {
                Ok(key) => matches!(&key.owner, Owner::User(own) if own.email.eq_ignore_ascii_case(email)),
                // That of a session, which is no key.
                Err(error) if error.kind() == ManageErrorKind::NotFound => false,
                Err(error) => return Err(error.into()),
            },
        };
        if is_own {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) async fn put_member<S: KeyStore + OwnerStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    fields: Fields,
) -> response::Result<Response> {
    visitor.check_is_operator()?;
    let scopes = Scopes::parse(fields.text("scopes"));
    let manager = authorize(&shared, &mut visitor, &fields).await?;
    let Ok(scopes) = scopes else {
        let error = "Scopes: expected names such as notes.read, with spaces between them".to_owned();
        return invalid(&shared, &visitor, &fields, Rejected::Member, vec![error]).await;
    };
    let (organization, email) = (fields.text("organization"), fields.text("email"));
    let is_member = manager.member(organization, email).await.map_err(Problem::from)?.is_some();
    let error = match (is_change(&fields), is_member) {
        (true, true) if is_own(&manager, &visitor, email).await? => OWN,
        (false, true) => "This user is a member already: change it in the list",
        (true, false) => "This user is no member, or no longer",
        _ => {
            let put = manager.put_member(organization, email, fields.text("role"), scopes).await;
            return respond(&shared, &visitor, &fields, Rejected::Member, put).await;
        }
    };
    invalid(&shared, &visitor, &fields, Rejected::Member, vec![error.to_owned()]).await
}

/// Removes a member once its e-mail was typed.
pub(super) async fn remove_member<S: KeyStore + OwnerStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    fields: Fields,
) -> response::Result<Response> {
    visitor.check_is_operator()?;
    let manager = authorize(&shared, &mut visitor, &fields).await?;
    let email = fields.text("email");
    if !fields.text("confirmation").eq_ignore_ascii_case(email) {
        let error = "Type the e-mail of the member exactly".to_owned();
        return invalid(&shared, &visitor, &fields, Rejected::Removal, vec![error]).await;
    }
    if is_own(&manager, &visitor, email).await? {
        return invalid(&shared, &visitor, &fields, Rejected::Removal, vec![OWN.to_owned()]).await;
    }
    let removed = manager.remove_member(fields.text("organization"), email).await;
    respond(&shared, &visitor, &fields, Rejected::Removal, removed).await
}

pub(super) async fn put_project<S: KeyStore + OwnerStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    fields: Fields,
) -> response::Result<Response> {
    visitor.check_is_operator()?;
    let manager = authorize(&shared, &mut visitor, &fields).await?;
    let put = manager.put_project(fields.text("organization"), fields.text("project")).await;
    respond(&shared, &visitor, &fields, Rejected::Project, put).await
}

/// Deletes a project once its id was typed: its keys are revoked with it.
pub(super) async fn delete_project<S: KeyStore + OwnerStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    fields: Fields,
) -> response::Result<Response> {
    visitor.check_is_operator()?;
    let manager = authorize(&shared, &mut visitor, &fields).await?;
    let project = fields.text("project");
    if fields.text("confirmation") != project {
        let error = "Type the id of the project exactly".to_owned();
        return invalid(&shared, &visitor, &fields, Rejected::Deletion, vec![error]).await;
    }
    let deleted = manager.delete_project(fields.text("organization"), project, fields.text("reason")).await;
    respond(&shared, &visitor, &fields, Rejected::Deletion, deleted).await
}

/// Sets the plan of an organization, or removes it by an empty name, if it has the plan that the form has shown, or already that which it sets. A
/// change that comes between the read and this one is not seen.
pub(super) async fn set_plan<S: KeyStore + OwnerStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    fields: Fields,
) -> response::Result<Response> {
    visitor.check_is_operator()?;
    let organization =
        shared.manager.organization(fields.text("organization")).await.map_err(Problem::from)?;
    let manager = authorize(&shared, &mut visitor, &fields).await?;
    let plan = match fields.plan() {
        Ok(plan) => plan,
        Err(error) => return invalid(&shared, &visitor, &fields, Rejected::Plan, vec![error]).await,
    };
    let expected = [fields.text("plan_before"), fields.text("plan")];
    if organization.is_some_and(|own| !expected.contains(&plan_name(&own))) {
        let errors = vec![CHANGED_PLAN.to_owned()];
        return rejected(&shared, &visitor, &fields, Rejected::Plan, StatusCode::CONFLICT, errors).await;
    }
    let set = manager.set_organization_plan(fields.text("organization"), plan).await;
    respond(&shared, &visitor, &fields, Rejected::Plan, set).await
}

async fn respond<S: KeyStore + OwnerStore>(
    shared: &Shared<S>,
    visitor: &Visitor,
    fields: &Fields,
    form: Rejected,
    changed: Result<(), ManageError>,
) -> response::Result<Response> {
    match changed {
        Ok(()) => Ok(redirect(&format!("../members?organization={}", encode(fields.text("organization"))))),
        Err(error) if error.fields().is_empty() => Err(problem(error).into()),
        Err(error) => invalid(shared, visitor, fields, form, problem(error).texts).await,
    }
}

async fn invalid<S: KeyStore + OwnerStore>(
    shared: &Shared<S>,
    visitor: &Visitor,
    fields: &Fields,
    form: Rejected,
    errors: Vec<String>,
) -> response::Result<Response> {
    rejected(shared, visitor, fields, form, StatusCode::UNPROCESSABLE_ENTITY, errors).await
}

/// Shows what is wrong with a form, as it was sent.
async fn rejected<S: KeyStore + OwnerStore>(
    shared: &Shared<S>,
    visitor: &Visitor,
    fields: &Fields,
    form: Rejected,
    status: StatusCode,
    errors: Vec<String>,
) -> response::Result<Response> {
    let found = find(&shared.manager, fields, Some(form)).await?;
    let page = MembersPage { shell: visitor.shell(shared), fields, errors, found, rejected: Some(form) };
    Ok(render(status, &page))
}
