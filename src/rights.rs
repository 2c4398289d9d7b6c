//! Rights: what a record permits its holder to do, and to which resources.
//!
//! Above `record` and `reason`; below `backend`, which authorizes changes by these, and `principal`. No I/O, no request.

// Layer 1 of 10: words.

use crate::owner::{Membership, Organization, Owner};
use crate::reason::{Forbidden, Reason};
use crate::record::Record;
use crate::scope::{RequirementRef, Scope, Scopes};

/// A resource that a caller acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resource<'r> {
    /// An organization as a whole.
    Organization(&'r str),
    /// A project of an organization.
    Project {
        /// The organization.
        organization: &'r str,
        /// The project.
        project: &'r str,
    },
}

/// The scopes that an authenticator defines beside those of keys and roles.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScopePolicy {
    /// The scope that implies all others.
    pub(crate) admin: Option<Scope>,
    /// The scopes of every user, without any organization.
    pub(crate) of_users: Scopes,
}

impl ScopePolicy {
    /// Returns whether a caller with the scopes `own` may grant `scope` to a key.
    pub(crate) fn grants(&self, own: &Scopes, scope: &Scope) -> bool {
        let implies_all = self.admin.as_ref() == Some(scope);
        // A wildcard that happens to cover the scope that implies all others is less than that scope.
        let covers = |own: &Scope| own.as_str() == "*" || (!implies_all && own.covers(scope));
        self.is_all_powerful(own) || own.iter().any(covers)
    }

    /// Returns whether `granted` includes `scope`, also by the scope that implies all others.
    pub(crate) fn covers(&self, granted: &Scopes, scope: &Scope) -> bool {
        self.is_all_powerful(granted) || granted.covers(scope)
    }

    fn is_all_powerful(&self, granted: &Scopes) -> bool {
        self.admin.as_ref().is_some_and(|admin| granted.contains(admin))
    }
}

/// The rights of a record under a policy.
#[derive(Clone, Copy)]
pub(crate) struct Rights<'r> {
    record: &'r Record,
    policy: &'r ScopePolicy,
}

impl<'r> Rights<'r> {
    pub(crate) fn new(record: &'r Record, policy: &'r ScopePolicy) -> Self {
        Self { record, policy }
    }

    /// Returns whether the key meets a requirement, with scopes that its owner has too where that has scopes of its own: a user meets it by
    /// the scopes of every user, or beside them by the role in one organization. Scopes of two roles are not added up, as no organization
    /// would grant the sum.
    pub(crate) fn meets<'n>(self, needed: impl Into<RequirementRef<'n>>) -> bool {
        let needed = needed.into();
        let by_key = |scope: &Scope| self.covers(&self.record.scopes, scope);
        match &self.record.owner {
            Owner::Organization(_) | Owner::Project(_) => needed.is_met(by_key),
            Owner::User(user) => {
                let is_own = |scope: &Scope| self.covers(&self.policy.of_users, scope);
                let by_role =
                    |role: &Membership, scope: &Scope| is_own(scope) || self.covers(&role.scopes, scope);
                needed.is_met(|scope| by_key(scope) && is_own(scope))
                    || user
                        .reachable()
                        .any(|role| needed.is_met(|scope| by_key(scope) && by_role(role, scope)))
            }
        }
    }

    pub(crate) fn authorize<'n>(
        self,
        needed: impl Into<RequirementRef<'n>>,
        resource: Resource<'_>,
    ) -> Result<(), Reason> {
        let needed = needed.into();
        let (organization, project) = match resource {
            Resource::Organization(organization) => (organization, None),
            Resource::Project { organization, project } => (organization, Some(project)),
        };
        let role = match &self.record.owner {
            Owner::Organization(own) => {
                check_organization(own, organization)?;
                None
            }
            Owner::Project(own) => {
                check_organization(&own.organization, organization)?;
                if project != Some(&*own.id) {
                    return Err(Forbidden::Project.into());
                }
                None
            }
            Owner::User(user) => {
                let mut memberships = user.memberships.iter();
                let membership = memberships
                    .find(|membership| *membership.organization.id == *organization)
                    .ok_or(Forbidden::Organization)?;
                check_organization(&membership.organization, organization)?;
                if membership.organization.requires_sso {
                    return Err(Forbidden::SsoRequired.into());
                }
                Some(&membership.scopes)
            }
        };
        let is_held = |scope: &Scope| {
            self.covers(&self.record.scopes, scope) && role.is_none_or(|role| self.covers(role, scope))
        };
        if needed.is_met(is_held) { Ok(()) } else { Err(Reason::MissingScope(needed.to_requirement())) }
    }

    fn covers(self, granted: &Scopes, scope: &Scope) -> bool {
        self.policy.covers(granted, scope)
    }
}

fn check_organization(own: &Organization, wanted: &str) -> Result<(), Forbidden> {
    match own {
        own if *own.id != *wanted => Err(Forbidden::Organization),
        own if own.disabled => Err(Forbidden::OrganizationDisabled),
        _ => Ok(()),
    }
}
