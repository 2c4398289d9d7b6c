//! What a record entitles its holder to.

use super::{Denial, Resource};
use crate::owner::{Organization, Owner};
use crate::record::Record;
use crate::scope::{Requirement, Scope, Scopes};

/// What a record entitles its holder to, where one scope may imply all others.
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

    pub(crate) fn meet(self, requirement: &Requirement) -> bool {
        self.is_enough(&self.record.scopes, requirement)
    }

    pub(crate) fn grant(self, scope: &Scope) -> bool {
        let implies_all = self.admin == Some(scope);
        // A wildcard that happens to cover the scope that implies all others is less than that scope.
        let covers = |granted: &Scope| granted.as_str() == "*" || (!implies_all && granted.covers(scope));
        self.is_all_powerful(&self.record.scopes) || self.record.scopes.iter().any(covers)
    }

    pub(crate) fn cover(self, requirement: &Requirement, resource: Resource<'_>) -> Result<(), Denial> {
        let (organization, project) = match resource {
            Resource::Organization(organization) => (organization, None),
            Resource::Project { organization, project } => (organization, Some(project)),
        };
        let role = match &self.record.owner {
            Owner::Organization(own) => reach(own, organization).map(|()| None)?,
            Owner::Project(own) => {
                reach(&own.organization, organization)?;
                if project != Some(&*own.id) {
                    return Err(Denial::Project);
                }
                None
            }
            Owner::User(user) => {
                let mut memberships = user.memberships.iter();
                let membership = memberships
                    .find(|membership| *membership.organization.id == *organization)
                    .ok_or(Denial::Organization)?;
                reach(&membership.organization, organization)?;
                if membership.organization.requires_sso {
                    return Err(Denial::SsoRequired);
                }
                Some(&membership.scopes)
            }
        };
        let enough = self.meet(requirement) && role.is_none_or(|scopes| self.is_enough(scopes, requirement));
        if enough { Ok(()) } else { Err(Denial::MissingScope(requirement.clone())) }
    }

    fn is_enough(self, granted: &Scopes, requirement: &Requirement) -> bool {
        self.is_all_powerful(granted) || requirement.is_met_by(granted)
    }

    fn is_all_powerful(self, granted: &Scopes) -> bool {
        self.admin.is_some_and(|admin| granted.contains(admin))
    }
}

fn reach(own: &Organization, wanted: &str) -> Result<(), Denial> {
    match own {
        own if *own.id != *wanted => Err(Denial::Organization),
        own if own.disabled => Err(Denial::OrganizationDisabled),
        _ => Ok(()),
    }
}
