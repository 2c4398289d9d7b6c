//! Looking owners up: organizations, users, memberships and projects.

// Layer 3 of 10: storage.

use crate::backend::deleted_owner::DeletedOwner;
use crate::backend::sql::owner_state::{self, organization_columns};
use crate::backend::sql::session::{Row, Session};
use crate::backend::sql::statement::Statement;
use crate::backend::{BackendError, BackendErrorKind};
use crate::owner::{Organization, Owner, Project, User};

/// Refuses a new key of a deleted owner.
pub(super) async fn check_owner_not_deleted(
    session: &mut dyn Session,
    owner: &Owner,
) -> Result<(), BackendError> {
    for deleted in DeletedOwner::that_block(owner) {
        check_not_deleted(session, &deleted).await?;
    }
    Ok(())
}

pub(super) async fn check_not_deleted(
    session: &mut dyn Session,
    deleted: &DeletedOwner,
) -> Result<(), BackendError> {
    const FIND: &str =
        "SELECT 1 FROM tower_api_key_deleted_owner WHERE kind = $1 AND organization = $2 AND name = $3";
    let find = Statement::new(FIND).bind(deleted.kind).bind(&*deleted.organization).bind(&*deleted.name);
    match session.fetch_optional(&find).await? {
        Some(_) => Err(BackendError::owner_deleted()),
        None => Ok(()),
    }
}

pub(crate) fn organization(id: &str) -> Statement {
    const GET: &str = concat!(
        "SELECT ",
        organization_columns!(),
        " FROM tower_api_key_organization WHERE organization = $1"
    );
    Statement::new(GET).bind(id)
}

/// Returns a user, within a transaction.
pub(super) async fn user(session: &mut dyn Session, email: &str) -> Result<Option<User>, BackendError> {
    let find = Statement::new(session.dialect().lookups.user).bind(email);
    decode_user(email, session.fetch_optional(&find).await)
}

/// Decodes the result of a lookup of a user.
pub(crate) fn decode_user(
    email: &str,
    row: Result<Option<Row>, BackendError>,
) -> Result<Option<User>, BackendError> {
    let row = match row {
        // A client chooses the address of its credential. An address that no user can have is unknown, not an outage.
        Err(error) if error.kind() == BackendErrorKind::Invalid => return Ok(None),
        row => row?,
    };
    let Some(row) = row else { return Ok(None) };
    let (hash, version): (Option<String>, Option<Vec<u8>>) =
        (row.get("password_hash")?, row.get("password_version")?);
    let memberships: Option<String> = row.get("memberships")?;
    let mut user = owner_state::decode_user_columns(
        email.to_owned(),
        hash.as_deref(),
        version.as_deref(),
        memberships.as_deref(),
    )?;
    user.plan = owner_state::decode_plan(row.get("user_plan")?, row.get("user_plan_limits")?)?;
    Ok(Some(user))
}

pub(crate) fn members(organization: &str, after: Option<&str>, limit: usize) -> Statement {
    let select = Statement::new(
        "SELECT email, role, scopes, disabled, requires_sso FROM tower_api_key_membership
        JOIN tower_api_key_organization USING (organization) WHERE organization = ",
    );
    page(select.push_bind(organization), "email", after, limit)
}

pub(crate) fn decode_member(organization: &str, row: &Row) -> Result<User, BackendError> {
    let own = decode_standing(organization, row)?;
    let membership = owner_state::decode_membership(own, row.get("role")?, &row.get::<String>("scopes")?)?;
    Ok(User::new(row.get::<String>("email")?, [membership]))
}

pub(crate) fn project(organization: &str, id: &str) -> Statement {
    const GET: &str = concat!(
        "SELECT project, ",
        organization_columns!(),
        " FROM tower_api_key_project
        JOIN tower_api_key_organization USING (organization) WHERE organization = $1 AND project = $2"
    );
    Statement::new(GET).bind(organization).bind(id)
}

pub(crate) fn projects(organization: &str, after: Option<&str>, limit: usize) -> Statement {
    let select = Statement::new(concat!(
        "SELECT project, ",
        organization_columns!(),
        " FROM tower_api_key_project
        JOIN tower_api_key_organization USING (organization) WHERE organization = "
    ));
    page(select.push_bind(organization), "project", after, limit)
}

pub(crate) fn decode_project(organization: &str, row: &Row) -> Result<Project, BackendError> {
    Ok(Project::new(decode_organization(organization, row)?, row.get::<String>("project")?))
}

pub(crate) fn decode_organization(id: &str, row: &Row) -> Result<Organization, BackendError> {
    let plan = owner_state::decode_plan(row.get("organization_plan")?, row.get("organization_plan_limits")?)?;
    Ok(Organization { plan, ..decode_standing(id, row)? })
}

/// Decodes the organization of a membership, which has no plan: that concerns no keys of members.
fn decode_standing(id: &str, row: &Row) -> Result<Organization, BackendError> {
    let (disabled, requires_sso) = (row.get("disabled")?, row.get("requires_sso")?);
    Ok(Organization { disabled, requires_sso, ..Organization::new(id) })
}

fn page(mut select: Statement, column: &str, after: Option<&str>, limit: usize) -> Statement {
    if let Some(after) = after {
        select = select.push(" AND ").push(column).push(" > ").push_bind(after);
    }
    select.push(" ORDER BY ").push(column).push(" LIMIT ").push_bind(limit)
}
