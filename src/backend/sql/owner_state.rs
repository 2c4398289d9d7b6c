//! The state of the owner of a key, read with its row.

// Layer 3 of 10: storage.

use super::key_row::{decode_digest, unexpected};
use super::session::Row;
use crate::backend::BackendError;
use crate::limit::Plan;
use crate::owner::{Membership, Organization, Owner, Password, User};
use crate::password_hash::PasswordHash;
use crate::scope::Scopes;

/// The columns of the state of an organization, with the limits of its plan.
macro_rules! organization_columns {
    () => {
        "disabled, requires_sso, organization_plan, \
        (SELECT plan_limits FROM tower_api_key_plan WHERE plan_name = organization_plan) AS organization_plan_limits"
    };
}
pub(super) use organization_columns;

/// The columns of the plan of a user.
macro_rules! user_plan_columns {
    () => {
        "user_plan, (SELECT plan_limits FROM tower_api_key_plan WHERE plan_name = user_plan) AS user_plan_limits"
    };
}
pub(super) use user_plan_columns;

/// The state of an owner. All fields are `None` for an owner that the store does not know.
#[derive(Debug, Default)]
pub(super) struct OwnerState {
    pub(super) disabled: Option<bool>,
    pub(super) requires_sso: Option<bool>,
    /// That of an organization, or of a user.
    pub(super) plan: Option<Plan>,
    /// A JSON list of lists: organization, disabled, requires single sign-on, role, scopes.
    pub(super) memberships: Option<String>,
}

/// A membership in the JSON list of a row. SQLite has no booleans in JSON, only numbers.
type MembershipColumns = (String, u8, u8, String, String);

impl OwnerState {
    /// Reads the columns of a row.
    pub(super) fn from_row(row: &Row) -> Result<Self, BackendError> {
        Ok(Self {
            disabled: row.get("disabled")?,
            requires_sso: row.get("requires_sso")?,
            plan: match decode_plan(row.get("organization_plan")?, row.get("organization_plan_limits")?)? {
                Some(plan) => Some(plan),
                // An owner is not both.
                None => decode_plan(row.get("user_plan")?, row.get("user_plan_limits")?)?,
            },
            memberships: row.get("memberships")?,
        })
    }

    /// Adds the state to an owner.
    pub(super) fn complete(self, owner: &mut Owner) -> Result<(), BackendError> {
        match owner {
            Owner::Organization(own) => self.complete_organization(own),
            Owner::Project(own) => self.complete_organization(&mut own.organization),
            Owner::User(own) => {
                own.memberships = decode_memberships(self.memberships.as_deref())?.into();
                own.plan = self.plan;
            }
        }
        Ok(())
    }

    fn complete_organization(self, organization: &mut Organization) {
        organization.disabled = self.disabled.unwrap_or_default();
        organization.requires_sso = self.requires_sso.unwrap_or_default();
        organization.plan = self.plan;
    }
}

/// Decodes a plan from its name and its limits. A name without limits is that of no plan.
pub(super) fn decode_plan(
    name: Option<String>,
    limits: Option<String>,
) -> Result<Option<Plan>, BackendError> {
    match (name, limits) {
        (None, None) => Ok(None),
        (Some(name), Some(limits)) => {
            let limits = limits.parse().map_err(BackendError::corrupt)?;
            Plan::new(&name, limits).map(Some).map_err(BackendError::corrupt)
        }
        _ => Err(unexpected("a plan with its limits", "one without the other")),
    }
}

/// Decodes a user from its columns.
pub(super) fn decode_user_columns(
    email: String,
    password_hash: Option<&str>,
    password_version: Option<&[u8]>,
    memberships: Option<&str>,
) -> Result<User, BackendError> {
    let hash = password_hash.map(PasswordHash::new).transpose().map_err(BackendError::corrupt)?;
    let version = password_version.map(decode_digest).transpose()?;
    let password = hash.map(Password::from).map(|password| match version {
        Some(version) => Password { version, ..password },
        None => password,
    });
    Ok(User::new(email, decode_memberships(memberships)?).with(password))
}

/// Decodes a membership.
pub(super) fn decode_membership(
    organization: Organization,
    role: String,
    scopes: &str,
) -> Result<Membership, BackendError> {
    Ok(Membership::new(organization, role, Scopes::parse(scopes).map_err(BackendError::corrupt)?))
}

fn decode_memberships(list: Option<&str>) -> Result<Vec<Membership>, BackendError> {
    // The parser's error would show the contents.
    let wrong = |_| unexpected("memberships that are a JSON list of lists", "something else");
    let rows: Vec<MembershipColumns> = serde_json::from_str(list.unwrap_or("[]")).map_err(wrong)?;
    let membership = |(id, disabled, requires_sso, role, scopes): MembershipColumns| {
        let mut organization = Organization::new(id);
        organization.disabled = disabled != 0;
        organization.requires_sso = requires_sso != 0;
        decode_membership(organization, role, &scopes)
    };
    let mut memberships = rows.into_iter().map(membership).collect::<Result<Vec<_>, _>>()?;
    memberships.sort_by(|one, other| one.organization.id.cmp(&other.organization.id));
    Ok(memberships)
}
