//! The members and the projects of an organization, for operators of a store that keeps them.

// Layer 10 of 10: rim.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{self, Response};

use super::fields::{Fields, Filters, encode};
use super::page::{Problem, Shell, redirect, render};
use super::shared::{Shared, SharedState, Visitor};
use super::words::short;
use crate::backend::{KeyStore, OwnerStore};
use crate::manage::{KeyManager, ManageError, ManageErrorKind};
use crate::owner::Organization;
use crate::scope::{Scope, Scopes};

/// Members of a page, of which each has a link with its e-mail, and projects.
const MEMBERS: usize = 10;
const PROJECTS: usize = 20;

#[derive(Template)]
#[template(path = "members.html")]
struct MembersPage<'a> {
    shell: Shell<'a>,
    fields: &'a Fields,
    errors: Vec<String>,
    found: Option<Found>,
}

/// An organization, and a page of its members and of its projects.
struct Found {
    organization: Organization,
    members: Vec<Member>,
    projects: Vec<String>,
    /// The query of its page, and of its keys.
    query: String,
    /// The queries of the next pages.
    next_member: Option<String>,
    next_project: Option<String>,
    /// The fields of the form: those of a member that is changed.
    form: Option<Member>,
}

#[derive(Clone)]
struct Member {
    email: String,
    role: String,
    scopes: String,
    /// The query of the page on which it is changed.
    change: String,
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

fn check_operator(shell: &Shell<'_>) -> Result<(), Problem> {
    let text = "The link may be incomplete.";
    if shell.is_operator { Ok(()) } else { Err(Problem::new(StatusCode::NOT_FOUND, "No such page", text)) }
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
    check_operator(&visitor.shell(&shared))?;
    let found = find(&shared.manager, &filters).await?;
    let page =
        MembersPage { shell: visitor.shell(&shared), fields: filters.fields(), errors: Vec::new(), found };
    Ok(render(StatusCode::OK, &page))
}

async fn find<S: KeyStore + OwnerStore>(
    manager: &KeyManager<S>,
    filters: &Filters,
) -> Result<Option<Found>, Problem> {
    let id = filters.text("organization");
    if id.is_empty() {
        return Ok(None);
    }
    let Some(organization) = manager.organization(id).await? else {
        let text = "Check its id. Owners that the application keeps itself have no members here.";
        return Err(Problem::new(StatusCode::NOT_FOUND, "No such organization", text));
    };
    let after = |name| Some(filters.text(name)).filter(|text| !text.is_empty());
    let mut users = manager.members(id, after("after"), MEMBERS + 1).await?;
    let more = users.len() > MEMBERS;
    users.truncate(MEMBERS);
    let of = &["organization"];
    let member = |email: &str, role: &str, scopes: &Scopes| {
        let scopes: Vec<_> = scopes.iter().map(Scope::to_string).collect();
        let change = filters.with(of, "email", email);
        Member { email: email.to_owned(), role: role.to_owned(), scopes: scopes.join(" "), change }
    };
    let members: Vec<_> = users
        .iter()
        .filter_map(|user| Some((user, user.memberships.first()?)))
        .map(|(user, own)| member(&user.email, &own.role, &own.scopes))
        .collect();
    let next_member = users.last().filter(|_| more).map(|last| filters.with(of, "after", &last.email));
    let mut projects = manager.projects(id, after("after_project"), PROJECTS + 1).await?;
    let more = projects.len() > PROJECTS;
    projects.truncate(PROJECTS);
    let next_project =
        projects.last().filter(|_| more).map(|last| filters.with(of, "after_project", &last.id));
    let projects = projects.iter().map(|own| short(&own.id)).collect();
    let query = filters.with(&[], "organization", id);
    let form = match filters.text("email") {
        "" => None,
        email => manager.member(id, email).await?.map(|own| member(email, &own.role, &own.scopes)),
    };
    Ok(Some(Found { organization, members, projects, query, next_member, next_project, form }))
}

/// Returns the manager of an operator who may change members.
async fn authorize<S: KeyStore + Clone>(
    shared: &Shared<S>,
    visitor: &mut Visitor,
    fields: &Fields,
) -> response::Result<KeyManager<S>> {
    let keys = visitor.authorize_again(shared, fields.visitor()).await?;
    Ok(keys.into_manager().map_err(Problem::from)?)
}

pub(super) async fn put_member<S: KeyStore + OwnerStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    fields: Fields,
) -> response::Result<Response> {
    check_operator(&visitor.shell(&shared))?;
    let scopes = Scopes::parse(fields.text("scopes"));
    let manager = authorize(&shared, &mut visitor, &fields).await?;
    let Ok(scopes) = scopes else {
        let error = "Scopes: expected names such as notes.read, with spaces between them".to_owned();
        return Ok(invalid(&shared, &visitor, &fields, vec![error]));
    };
    let (organization, email) = (fields.text("organization"), fields.text("email"));
    let put = manager.put_member(organization, email, fields.text("role"), scopes).await;
    Ok(respond(&shared, &visitor, &fields, put)?)
}

pub(super) async fn remove_member<S: KeyStore + OwnerStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    fields: Fields,
) -> response::Result<Response> {
    check_operator(&visitor.shell(&shared))?;
    let manager = authorize(&shared, &mut visitor, &fields).await?;
    let removed = manager.remove_member(fields.text("organization"), fields.text("email")).await;
    Ok(respond(&shared, &visitor, &fields, removed)?)
}

pub(super) async fn put_project<S: KeyStore + OwnerStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    fields: Fields,
) -> response::Result<Response> {
    check_operator(&visitor.shell(&shared))?;
    let manager = authorize(&shared, &mut visitor, &fields).await?;
    let put = manager.put_project(fields.text("organization"), fields.text("project")).await;
    Ok(respond(&shared, &visitor, &fields, put)?)
}

/// Deletes a project once its id was typed: its keys are revoked with it.
pub(super) async fn delete_project<S: KeyStore + OwnerStore + Clone>(
    State(shared): SharedState<S>,
    mut visitor: Visitor,
    fields: Fields,
) -> response::Result<Response> {
    check_operator(&visitor.shell(&shared))?;
    let manager = authorize(&shared, &mut visitor, &fields).await?;
    let project = fields.text("project");
    if fields.text("confirmation") != project {
        let error = "Type the id of the project exactly".to_owned();
        return Ok(invalid(&shared, &visitor, &fields, vec![error]));
    }
    let deleted = manager.delete_project(fields.text("organization"), project, fields.text("reason")).await;
    Ok(respond(&shared, &visitor, &fields, deleted)?)
}

fn respond<S>(
    shared: &Shared<S>,
    visitor: &Visitor,
    fields: &Fields,
    changed: Result<(), ManageError>,
) -> Result<Response, Problem> {
    match changed {
        Ok(()) => Ok(redirect(&format!("../members?organization={}", encode(fields.text("organization"))))),
        Err(error) if error.fields().is_empty() => Err(problem(error)),
        Err(error) => Ok(invalid(shared, visitor, fields, problem(error).texts)),
    }
}

/// Shows what is wrong with a form, and where it was.
fn invalid<S>(shared: &Shared<S>, visitor: &Visitor, fields: &Fields, errors: Vec<String>) -> Response {
    let page = MembersPage { shell: visitor.shell(shared), fields, errors, found: None };
    render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}
