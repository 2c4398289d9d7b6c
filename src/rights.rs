//! Rights: what a record permits its holder to do, and to which resources.

use crate::owner::{Organization, Owner};
use crate::reason::{Forbidden, Reason};
use crate::record::Record;
use crate::scope::{Requirement, Scope, Scopes};

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

/// The rights of a record, where one scope may imply all others.
#[derive(Clone, Copy)]
pub(crate) struct Rights<'r> {
    record: &'r Record,
    admin: Option<&'r Scope>,
}

impl<'r> Rights<'r> {
    pub(crate) fn new(record: &'r Record, admin: Option<&'r Scope>) -> Self {
        Self { record, admin }
    }

    pub(crate) fn record(self) -> &'r Record {
        self.record
    }

    pub(crate) fn meets(self, requirement: &Requirement) -> bool {
        self.is_enough(&self.record.scopes, requirement)
    }

    pub(crate) fn grants(self, scope: &Scope) -> bool {
        let implies_all = self.admin == Some(scope);
        // A wildcard that happens to cover the scope that implies all others is less than that scope.
        let covers = |granted: &Scope| granted.as_str() == "*" || (!implies_all && granted.covers(scope));
        self.is_all_powerful(&self.record.scopes) || self.record.scopes.iter().any(covers)
    }

    pub(crate) fn authorize(self, requirement: &Requirement, resource: Resource<'_>) -> Result<(), Reason> {
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
        let is_enough =
            self.meets(requirement) && role.is_none_or(|scopes| self.is_enough(scopes, requirement));
        if is_enough { Ok(()) } else { Err(Reason::MissingScope(requirement.clone())) }
    }

    fn is_enough(self, granted: &Scopes, requirement: &Requirement) -> bool {
        self.is_all_powerful(granted) || requirement.is_met_by(granted)
    }

    fn is_all_powerful(self, granted: &Scopes) -> bool {
        self.admin.is_some_and(|admin| granted.contains(admin))
    }
}

fn check_organization(own: &Organization, wanted: &str) -> Result<(), Forbidden> {
    match own {
        own if *own.id != *wanted => Err(Forbidden::Organization),
        own if own.disabled => Err(Forbidden::OrganizationDisabled),
        _ => Ok(()),
    }
}
