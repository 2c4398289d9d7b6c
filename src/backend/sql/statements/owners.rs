//! Looking owners up: organizations, people, memberships and projects.

use sqlx::{Executor, QueryBuilder, Row as _, SqlSafeStr};

use super::dialect::{
    Database, DatabaseConnection, DatabaseTransaction, Namespace, Row, memberships, primary_only,
};
use super::errors::{has_unrepresentable_value, read_error, write_error};
use crate::backend::BackendError;
use crate::backend::deleted_owner::DeletedOwner;
use crate::backend::sql::{decode_membership, decode_user};
use crate::owner::{Organization, Owner, Project, User};

const FIND_DELETED: &str =
    "SELECT 1 FROM tower_api_key_deleted_owner WHERE kind = $1 AND organization = $2 AND name = $3";
const FIND_USER: &str = concat!(
    "SELECT password_hash, password_version, ",
    memberships!("tower_api_key_user.email"),
    " AS memberships FROM tower_api_key_user WHERE email = $1",
    primary_only!()
);

/// The hash of a password, its version, and memberships as a JSON list.
type PersonRow = (Option<String>, Option<Vec<u8>>, Option<String>);

/// Refuses a new key of a deleted owner.
pub(super) async fn check_owner_not_deleted(
    transaction: &mut DatabaseTransaction<'_>,
    owner: &Owner,
) -> Result<(), BackendError> {
    for deleted in DeletedOwner::that_block(owner) {
        check_not_deleted(transaction, &deleted).await?;
    }
    Ok(())
}

pub(super) async fn check_not_deleted(
    transaction: &mut DatabaseTransaction<'_>,
    deleted: &DeletedOwner,
) -> Result<(), BackendError> {
    let find = sqlx::query(FIND_DELETED).bind(deleted.kind).bind(&*deleted.organization).bind(&*deleted.name);
    match find.fetch_optional(&mut **transaction).await.map_err(write_error)? {
        Some(_) => Err(BackendError::owner_deleted()),
        None => Ok(()),
    }
}

pub(super) async fn organization<'c>(
    database: impl Executor<'c, Database = Database>,
    id: &str,
) -> Result<Option<Organization>, BackendError> {
    const GET: &str = "SELECT disabled, requires_sso FROM tower_api_key_organization WHERE organization = $1";
    let row: Option<(bool, bool)> =
        sqlx::query_as(GET).bind(id).fetch_optional(database).await.map_err(read_error)?;
    Ok(row.map(|(disabled, requires_sso)| Organization { disabled, requires_sso, ..Organization::new(id) }))
}

/// Returns a person, within a transaction.
pub(super) async fn user(
    transaction: &mut DatabaseTransaction<'_>,
    email: &str,
) -> Result<Option<User>, BackendError> {
    user_by(&mut **transaction, FIND_USER, email).await
}

/// Returns a person, outside a transaction.
pub(super) async fn user_without_transaction<'c>(
    database: impl Executor<'c, Database = Database>,
    namespace: &Namespace,
    email: &str,
) -> Result<Option<User>, BackendError> {
    user_by(database, namespace.qualify(FIND_USER), email).await
}

async fn user_by<'c>(
    database: impl Executor<'c, Database = Database>,
    statement: impl SqlSafeStr,
    email: &str,
) -> Result<Option<User>, BackendError> {
    let row: Option<PersonRow> = match sqlx::query_as(statement).bind(email).fetch_optional(database).await {
        // A client chooses the address of its credential. An address that no person can have is unknown, not an outage.
        Err(error) if has_unrepresentable_value(&error) => None,
        row => row.map_err(read_error)?,
    };
    row.map(|(hash, version, memberships)| {
        decode_user(email.to_owned(), hash.as_deref(), version.as_deref(), memberships.as_deref())
    })
    .transpose()
}

pub(super) async fn members(
    connection: &mut DatabaseConnection,
    organization: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<User>, BackendError> {
    let mut query = QueryBuilder::new(
        "SELECT email, role, scopes, disabled, requires_sso FROM tower_api_key_membership
        JOIN tower_api_key_organization USING (organization) WHERE organization = ",
    );
    query.push_bind(organization.to_owned());
    page(&mut query, "email", after, limit);
    let rows = query.build().fetch_all(connection).await.map_err(read_error)?;
    let member = |row: &Row| {
        let own = Organization {
            disabled: row.try_get("disabled").map_err(read_error)?,
            requires_sso: row.try_get("requires_sso").map_err(read_error)?,
            ..Organization::new(organization)
        };
        let scopes: String = row.try_get("scopes").map_err(read_error)?;
        let membership = decode_membership(own, row.try_get("role").map_err(read_error)?, &scopes)?;
        Ok(User::new(row.try_get::<String, _>("email").map_err(read_error)?, [membership]))
    };
    rows.iter().map(member).collect()
}

pub(super) async fn project(
    connection: &mut DatabaseConnection,
    organization: &str,
    id: &str,
) -> Result<Option<Project>, BackendError> {
    const GET: &str = "SELECT disabled, requires_sso FROM tower_api_key_project
        JOIN tower_api_key_organization USING (organization) WHERE organization = $1 AND project = $2";
    let row: Option<(bool, bool)> = sqlx::query_as(GET)
        .bind(organization)
        .bind(id)
        .fetch_optional(connection)
        .await
        .map_err(read_error)?;
    Ok(row.map(|(disabled, requires_sso)| {
        Project::new(Organization { disabled, requires_sso, ..Organization::new(organization) }, id)
    }))
}

pub(super) async fn projects(
    connection: &mut DatabaseConnection,
    organization: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Project>, BackendError> {
    let mut query = QueryBuilder::new(
        "SELECT project, disabled, requires_sso FROM tower_api_key_project
        JOIN tower_api_key_organization USING (organization) WHERE organization = ",
    );
    query.push_bind(organization.to_owned());
    page(&mut query, "project", after, limit);
    let rows: Vec<(String, bool, bool)> =
        query.build_query_as().fetch_all(connection).await.map_err(read_error)?;
    let project = |(id, disabled, requires_sso): (String, bool, bool)| {
        Project::new(Organization { disabled, requires_sso, ..Organization::new(organization) }, id)
    };
    Ok(rows.into_iter().map(project).collect())
}

fn page(query: &mut QueryBuilder<Database>, column: &str, after: Option<&str>, limit: usize) {
    if let Some(after) = after {
        query.push(" AND ").push(column).push(" > ").push_bind(after.to_owned());
    }
    query.push(" ORDER BY ").push(column);
    query.push(" LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
}
