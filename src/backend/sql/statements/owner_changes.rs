//! Changes of owners, as statements within the transaction of a change, in which `write` has locked the owners. A deletion also revokes
//! keys, and a purge deletes keys and usage; both write the audit log.

// Layer 3 of 10: storage.

use super::keys::{delete_owned, digests, revoke_all};
use super::owners::check_not_deleted;
use super::written::Written;
use super::{audit, plans, usage};
use crate::backend::deleted_owner::DeletedOwner;
use crate::backend::sql::session::{Row, Session};
use crate::backend::sql::statement::Statement;
use crate::backend::{BackendError, Invalidation, KeyFilter, OwnerAction};
use crate::digest::Digest;
use crate::limit::Plan;
use crate::owner::{Membership, Organization, Owner};
use crate::password_hash::PasswordHash;

const PUT_ORGANIZATION: &str =
    "INSERT INTO tower_api_key_organization (organization, disabled, requires_sso, organization_plan)
    VALUES ($1, $2, $3, $4) ON CONFLICT (organization) DO UPDATE SET disabled = excluded.disabled,
    requires_sso = excluded.requires_sso,
    organization_plan = coalesce(tower_api_key_organization.organization_plan, excluded.organization_plan)";
const HAS_PLAN: &str =
    "SELECT 1 FROM tower_api_key_organization WHERE organization = $1 AND organization_plan IS NOT NULL";
const SET_ORGANIZATION_PLAN: &str =
    "UPDATE tower_api_key_organization SET organization_plan = $2 WHERE organization = $1";
const PUT_USER: &str = "INSERT INTO tower_api_key_user (email) VALUES ($1) ON CONFLICT (email) DO NOTHING";
const SET_PASSWORD: &str =
    "UPDATE tower_api_key_user SET password_hash = $2, password_version = NULL WHERE email = $1";
const SET_USER_PLAN: &str = "UPDATE tower_api_key_user SET user_plan = $2 WHERE email = $1";
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
/// Inserts nothing unless both the user and the organization exist.
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
pub(super) async fn change(session: &mut dyn Session, action: OwnerAction) -> Result<Written, BackendError> {
    let changes = match action {
        OwnerAction::PutOrganization(Organization { id, disabled, requires_sso, plan }) => {
            check_not_deleted(session, &DeletedOwner::of_organization(&id)).await?;
            let plan = match session.fetch_optional(&Statement::new(HAS_PLAN).bind(&*id)).await? {
                // It keeps its plan. The other one may be deleted by now.
                Some(_) => None,
                None => plans::current(session, plan).await?,
            };
            let put = Statement::new(PUT_ORGANIZATION).bind(&*id).bind(disabled).bind(requires_sso);
            let put = put.bind(plan.as_ref().map(Plan::name));
            session.execute(&put).await?;
            affected_by_organization(session, &id).await?
        }
        OwnerAction::SetOrganizationPlan(id, plan) => {
            set_plan(session, SET_ORGANIZATION_PLAN, &id, plan).await?;
            affected_by_organization(session, &id).await?
        }
        OwnerAction::DeleteOrganization(id, revocation) => {
            let affected = affected_by_organization(session, &id).await?;
            execute(session, "DELETE FROM tower_api_key_membership WHERE organization = $1", &[&id]).await?;
            execute(session, "DELETE FROM tower_api_key_project WHERE organization = $1", &[&id]).await?;
            let gone = "DELETE FROM tower_api_key_organization WHERE organization = $1";
            found(execute(session, gone, &[&id]).await?)?;
            record_deleted(session, &DeletedOwner::of_organization(&id)).await?;
            let revoked =
                revoke_all(session, &KeyFilter::of_organization(id).with_sessions(), &revocation).await?;
            [affected, revoked.changes].concat()
        }
        OwnerAction::PutUser(email) => {
            check_not_deleted(session, &DeletedOwner::of_user(&email)).await?;
            execute(session, PUT_USER, &[&email]).await?;
            affected_by_user(session, &email).await?
        }
        OwnerAction::SetPassword(email, hash) => {
            let hash = hash.as_ref().map(PasswordHash::as_str);
            found(session.execute(&Statement::new(SET_PASSWORD).bind(&*email).bind(hash)).await?)?;
            vec![Invalidation::of_user(&email)]
        }
        OwnerAction::Rehash(email, from, to) => {
            let version = Digest::of_password_hash(from.as_str());
            let rehash = Statement::new(REHASH).bind(&*email).bind(from.as_str()).bind(to.as_str());
            session.execute(&rehash.bind(&version)).await?;
            vec![Invalidation::of_user(&email)]
        }
        OwnerAction::SetUserPlan(email, plan) => {
            set_plan(session, SET_USER_PLAN, &email, plan).await?;
            affected_by_user(session, &email).await?
        }
        OwnerAction::DeleteUser(email, revocation) => {
            execute(session, "DELETE FROM tower_api_key_membership WHERE email = $1", &[&email]).await?;
            found(execute(session, "DELETE FROM tower_api_key_user WHERE email = $1", &[&email]).await?)?;
            record_deleted(session, &DeletedOwner::of_user(&email)).await?;
            let user = vec![Invalidation::of_user(&email)];
            let revoked =
                revoke_all(session, &KeyFilter::of_user(email).with_sessions(), &revocation).await?;
            [user, revoked.changes].concat()
        }
        OwnerAction::PutMembership(email, Membership { organization, role, scopes }) => {
            let scopes = scopes.to_string();
            found(execute(session, PUT_MEMBERSHIP, &[&email, &organization.id, &role, &scopes]).await?)?;
            affected_by_user(session, &email).await?
        }
        OwnerAction::DeleteMembership(email, organization) => {
            found(execute(session, DELETE_MEMBERSHIP, &[&email, &organization]).await?)?;
            affected_by_user(session, &email).await?
        }
        OwnerAction::PutProject(organization, id) => {
            check_not_deleted(session, &DeletedOwner::of_project(&organization, &id)).await?;
            found(execute(session, PUT_PROJECT, &[&organization, &id]).await?)?;
            Vec::new()
        }
        OwnerAction::DeleteProject(organization, id, revocation) => {
            found(execute(session, DELETE_PROJECT, &[&organization, &id]).await?)?;
            record_deleted(session, &DeletedOwner::of_project(&organization, &id)).await?;
            let keys = KeyFilter::of_project(organization, id).with_sessions();
            revoke_all(session, &keys, &revocation).await?.changes
        }
        OwnerAction::PurgeOwner(owner) => purge(session, &owner).await?,
    };
    Ok(Written::several(changes))
}

/// Sets or removes the plan of an owner by one of the statements.
async fn set_plan(
    session: &mut dyn Session,
    statement: &'static str,
    owner: &str,
    plan: Option<Plan>,
) -> Result<(), BackendError> {
    let plan = plans::current(session, plan).await?;
    let set = Statement::new(statement).bind(owner).bind(plan.as_ref().map(Plan::name));
    found(session.execute(&set).await?)
}

/// Purges a deleted owner.
async fn purge(session: &mut dyn Session, owner: &Owner) -> Result<Vec<Invalidation>, BackendError> {
    let DeletedOwner { kind, organization, name } = DeletedOwner::of(owner);
    found(execute(session, PURGE_DELETED, &[kind, &organization, &name]).await?)?;
    if let Owner::Organization(own) = owner {
        execute(session, PURGE_DELETED_PROJECTS, &[&own.id]).await?;
    }
    let filter = KeyFilter::of_owner(owner);
    let deleted = delete_owned(session, &filter.clone().with_sessions()).await?;
    audit::forget_owner(session, &filter).await?;
    // Last, because it locks the totals of all owners.
    usage::delete_owned(session, &filter).await?;
    Ok(deleted.changes)
}

async fn record_deleted(session: &mut dyn Session, deleted: &DeletedOwner) -> Result<(), BackendError> {
    execute(session, INSERT_DELETED, &[deleted.kind, &deleted.organization, &deleted.name]).await.map(drop)
}

/// Executes a statement with text parameters, and returns the number of affected rows.
async fn execute(
    session: &mut dyn Session,
    statement: &'static str,
    texts: &[&str],
) -> Result<u64, BackendError> {
    let statement = texts.iter().fold(Statement::new(statement), |statement, text| statement.bind(*text));
    session.execute(&statement).await
}

fn found(rows: u64) -> Result<(), BackendError> {
    if rows == 0 { Err(BackendError::no_owner()) } else { Ok(()) }
}

async fn affected_by_user(session: &mut dyn Session, email: &str) -> Result<Vec<Invalidation>, BackendError> {
    const KEYS: &str = "SELECT digest FROM tower_api_key WHERE owner_email = $1";
    let digests = digests(session, &Statement::new(KEYS).bind(email)).await?;
    Ok(digests.into_iter().map(Invalidation::Changed).chain([Invalidation::of_user(email)]).collect())
}

/// Returns the changes of the keys of an organization and its members, and of the members themselves.
async fn affected_by_organization(
    session: &mut dyn Session,
    id: &str,
) -> Result<Vec<Invalidation>, BackendError> {
    const KEYS: &str = "SELECT digest FROM tower_api_key WHERE owner_organization = $1
        UNION ALL SELECT digest FROM tower_api_key_membership JOIN tower_api_key ON owner_email = email
        WHERE organization = $1";
    const MEMBERS: &str = "SELECT email FROM tower_api_key_membership WHERE organization = $1";
    let digests = digests(session, &Statement::new(KEYS).bind(id)).await?;
    let member = |row: &Row| Ok(Invalidation::of_user(&row.get::<String>("email")?));
    let members = session.fetch(&Statement::new(MEMBERS).bind(id), member).await?;
    Ok(digests.into_iter().map(Invalidation::Changed).chain(members).collect())
}
