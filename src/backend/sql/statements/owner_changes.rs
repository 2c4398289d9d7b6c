//! Changes of owners, as statements within the transaction of a change.

use sqlx::QueryBuilder;

use super::dialect::{Database, DatabaseTransaction};
use super::errors::write_error;
use super::filter::restrict;
use super::keys::{changes_from, delete_owned, revoke_all};
use super::owners::check_not_deleted;
use super::written::Written;
use crate::backend::deleted_owner::DeletedOwner;
use crate::backend::{BackendError, Invalidation, KeyFilter, OwnerAction};
use crate::digest::Digest;
use crate::owner::{Membership, Organization, Owner};
use crate::password_hash::PasswordHash;

const PUT_ORGANIZATION: &str =
    "INSERT INTO tower_api_key_organization (organization, disabled, requires_sso) VALUES ($1, $2, $3)
    ON CONFLICT (organization) DO UPDATE SET disabled = excluded.disabled, requires_sso = excluded.requires_sso";
const PUT_USER: &str = "INSERT INTO tower_api_key_user (email) VALUES ($1) ON CONFLICT (email) DO NOTHING";
const SET_PASSWORD: &str =
    "UPDATE tower_api_key_user SET password_hash = $2, password_version = NULL WHERE email = $1";
/// Keeps the version of the password: that of the hash which was set first.
const REHASH: &str =
    "UPDATE tower_api_key_user SET password_hash = $3, password_version = coalesce(password_version, $4)
    WHERE email = $1 AND password_hash = $2";
const INSERT_DELETED: &str =
    "INSERT INTO tower_api_key_deleted_owner (kind, organization, name) VALUES ($1, $2, $3)
    ON CONFLICT (kind, organization, name) DO NOTHING";
const PURGE_DELETED: &str =
    "DELETE FROM tower_api_key_deleted_owner WHERE kind = $1 AND organization = $2 AND name = $3";
const PURGE_DELETED_PROJECTS: &str =
    "DELETE FROM tower_api_key_deleted_owner WHERE kind = 'project' AND organization = $1";
/// Inserts nothing unless both the person and the organization exist.
const PUT_MEMBERSHIP: &str = "INSERT INTO tower_api_key_membership (email, organization, role, scopes)
    SELECT email, organization, $3, $4 FROM tower_api_key_user CROSS JOIN tower_api_key_organization
        WHERE email = $1 AND organization = $2
    ON CONFLICT (email, organization) DO UPDATE SET role = excluded.role, scopes = excluded.scopes";
const DELETE_MEMBERSHIP: &str = "DELETE FROM tower_api_key_membership WHERE email = $1 AND organization = $2";
const PUT_PROJECT: &str = "INSERT INTO tower_api_key_project (organization, project)
    SELECT organization, $2 FROM tower_api_key_organization WHERE organization = $1
    ON CONFLICT (organization, project) DO UPDATE SET project = excluded.project";
const DELETE_PROJECT: &str = "DELETE FROM tower_api_key_project WHERE organization = $1 AND project = $2";

/// Applies an owner change, and returns the keys to invalidate.
pub(super) async fn change(
    transaction: &mut DatabaseTransaction<'_>,
    action: OwnerAction,
) -> Result<Written, BackendError> {
    let changes = match action {
        OwnerAction::PutOrganization(Organization { id, disabled, requires_sso }) => {
            check_not_deleted(transaction, &DeletedOwner::of_organization(&id)).await?;
            let put = sqlx::query(PUT_ORGANIZATION).bind(&*id).bind(disabled).bind(requires_sso);
            put.execute(&mut **transaction).await.map_err(write_error)?;
            affected_by_organization(transaction, &id).await?
        }
        OwnerAction::DeleteOrganization(id, revocation) => {
            let affected = affected_by_organization(transaction, &id).await?;
            execute(transaction, "DELETE FROM tower_api_key_membership WHERE organization = $1", &[&id])
                .await?;
            execute(transaction, "DELETE FROM tower_api_key_project WHERE organization = $1", &[&id]).await?;
            let gone = "DELETE FROM tower_api_key_organization WHERE organization = $1";
            found(execute(transaction, gone, &[&id]).await?)?;
            record_deleted(transaction, &DeletedOwner::of_organization(&id)).await?;
            let revoked = revoke_all(transaction, &KeyFilter::of_organization(id), &revocation).await?;
            [affected, revoked.changes].concat()
        }
        OwnerAction::PutUser(email) => {
            check_not_deleted(transaction, &DeletedOwner::of_user(&email)).await?;
            execute(transaction, PUT_USER, &[&email]).await?;
            affected_by_user(transaction, &email).await?
        }
        OwnerAction::SetPassword(email, hash) => {
            let hash = hash.as_ref().map(PasswordHash::as_str);
            let set = sqlx::query(SET_PASSWORD).bind(&*email).bind(hash);
            found(set.execute(&mut **transaction).await.map_err(write_error)?.rows_affected())?;
            vec![Invalidation::of_user(&email)]
        }
        OwnerAction::Rehash(email, from, to) => {
            let version = Digest::of_password_hash(from.as_str());
            let rehash = sqlx::query(REHASH).bind(&*email).bind(from.as_str()).bind(to.as_str());
            let rehash = rehash.bind(&version.as_bytes()[..]);
            rehash.execute(&mut **transaction).await.map_err(write_error)?;
            vec![Invalidation::of_user(&email)]
        }
        OwnerAction::DeleteUser(email, revocation) => {
            execute(transaction, "DELETE FROM tower_api_key_membership WHERE email = $1", &[&email]).await?;
            found(execute(transaction, "DELETE FROM tower_api_key_user WHERE email = $1", &[&email]).await?)?;
            record_deleted(transaction, &DeletedOwner::of_user(&email)).await?;
            let account = vec![Invalidation::of_user(&email)];
            let revoked = revoke_all(transaction, &KeyFilter::of_user(email), &revocation).await?;
            [account, revoked.changes].concat()
        }
        OwnerAction::PutMembership(email, Membership { organization, role, scopes }) => {
            let scopes = scopes.to_string();
            found(execute(transaction, PUT_MEMBERSHIP, &[&email, &organization.id, &role, &scopes]).await?)?;
            affected_by_user(transaction, &email).await?
        }
        OwnerAction::DeleteMembership(email, organization) => {
            found(execute(transaction, DELETE_MEMBERSHIP, &[&email, &organization]).await?)?;
            affected_by_user(transaction, &email).await?
        }
        OwnerAction::PutProject(organization, id) => {
            check_not_deleted(transaction, &DeletedOwner::of_project(&organization, &id)).await?;
            found(execute(transaction, PUT_PROJECT, &[&organization, &id]).await?)?;
            Vec::new()
        }
        OwnerAction::DeleteProject(organization, id, revocation) => {
            found(execute(transaction, DELETE_PROJECT, &[&organization, &id]).await?)?;
            record_deleted(transaction, &DeletedOwner::of_project(&organization, &id)).await?;
            let keys = KeyFilter::of_project(organization, id);
            revoke_all(transaction, &keys, &revocation).await?.changes
        }
        OwnerAction::PurgeOwner(owner) => purge(transaction, &owner).await?,
    };
    Ok(Written::several(changes))
}

/// Purges a deleted owner.
async fn purge(
    transaction: &mut DatabaseTransaction<'_>,
    owner: &Owner,
) -> Result<Vec<Invalidation>, BackendError> {
    let DeletedOwner { kind, organization, name } = DeletedOwner::of(owner);
    found(execute(transaction, PURGE_DELETED, &[kind, &organization, &name]).await?)?;
    if let Owner::Organization(own) = owner {
        execute(transaction, PURGE_DELETED_PROJECTS, &[&own.id]).await?;
    }
    let filter = KeyFilter::of_owner(owner);
    let mut forget = QueryBuilder::<Database>::new("DELETE FROM tower_api_key_usage WHERE TRUE");
    restrict(&mut forget, &filter);
    forget.build().execute(&mut **transaction).await.map_err(write_error)?;
    Ok(delete_owned(transaction, &filter).await?.changes)
}

async fn record_deleted(
    transaction: &mut DatabaseTransaction<'_>,
    deleted: &DeletedOwner,
) -> Result<(), BackendError> {
    execute(transaction, INSERT_DELETED, &[deleted.kind, &deleted.organization, &deleted.name])
        .await
        .map(drop)
}

/// Executes a statement with text parameters, and returns the number of affected rows.
async fn execute(
    transaction: &mut DatabaseTransaction<'_>,
    statement: &'static str,
    texts: &[&str],
) -> Result<u64, BackendError> {
    let query = texts.iter().fold(sqlx::query(statement), |query, text| query.bind((*text).to_owned()));
    Ok(query.execute(&mut **transaction).await.map_err(write_error)?.rows_affected())
}

fn found(rows: u64) -> Result<(), BackendError> {
    if rows == 0 { Err(BackendError::no_owner()) } else { Ok(()) }
}

async fn affected_by_user(
    transaction: &mut DatabaseTransaction<'_>,
    email: &str,
) -> Result<Vec<Invalidation>, BackendError> {
    const KEYS: &str = "SELECT digest FROM tower_api_key WHERE owner_email = $1";
    let digests = sqlx::query_scalar(KEYS).bind(email).fetch_all(&mut **transaction).await;
    let mut changes = changes_from(digests, Invalidation::Changed)?;
    changes.push(Invalidation::of_user(email));
    Ok(changes)
}

/// Returns the changes of the keys of an organization and its members, and of the members themselves.
async fn affected_by_organization(
    transaction: &mut DatabaseTransaction<'_>,
    id: &str,
) -> Result<Vec<Invalidation>, BackendError> {
    const KEYS: &str = "SELECT digest FROM tower_api_key WHERE owner_organization = $1
        UNION ALL SELECT digest FROM tower_api_key_membership JOIN tower_api_key ON owner_email = email
        WHERE organization = $1";
    const MEMBERS: &str = "SELECT email FROM tower_api_key_membership WHERE organization = $1";
    let digests = sqlx::query_scalar(KEYS).bind(id).fetch_all(&mut **transaction).await;
    let mut changes = changes_from(digests, Invalidation::Changed)?;
    let members: Vec<String> =
        sqlx::query_scalar(MEMBERS).bind(id).fetch_all(&mut **transaction).await.map_err(write_error)?;
    changes.extend(members.iter().map(|email| Invalidation::of_user(email)));
    Ok(changes)
}
