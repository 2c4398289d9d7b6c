//! The owners of keys in memory, with plans, and reads of them. `owner_changes` changes them, under the write lock of `MemoryStore`.

// Layer 3 of 10: storage.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::plans::Plans;
use crate::backend::BackendError;
use crate::backend::deleted_owner::DeletedOwner;
use crate::limit::Plan;
use crate::owner::{Membership, Organization, Owner, Project, User};
use crate::record::Record;

#[derive(Debug, Default)]
pub(super) struct Owners {
    pub(super) plans: Plans,
    pub(super) organizations: BTreeMap<Box<str>, Organization>,
    /// Without memberships.
    pub(super) users: BTreeMap<Box<str>, User>,
    /// The role and its scopes, by e-mail and organization.
    pub(super) memberships: BTreeMap<(Box<str>, Box<str>), Membership>,
    pub(super) projects: BTreeSet<(Box<str>, Box<str>)>,
    pub(super) deleted: BTreeSet<DeletedOwner>,
}

impl Owners {
    pub(super) fn organization(&self, id: &str) -> Option<Organization> {
        let own = self.organizations.get(id)?;
        Some(Organization { plan: self.plans.current(own.plan.as_ref()), ..own.clone() })
    }

    /// Checks that an owner was not deleted.
    pub(super) fn check_not_deleted(&self, owner: &DeletedOwner) -> Result<(), BackendError> {
        if self.deleted.contains(owner) { Err(BackendError::owner_deleted()) } else { Ok(()) }
    }

    pub(super) fn user(&self, email: &str) -> Option<User> {
        let mut user = self.users.get(email)?.clone();
        let memberships = self.memberships.iter().filter(|((member, _), _)| **member == *email);
        user.memberships = memberships.map(|(_, membership)| self.current_membership(membership)).collect();
        user.plan = self.plans.current(user.plan.as_ref());
        Some(user)
    }

    /// Returns the plans that organizations and users have.
    pub(super) fn plans_of_owners(&self) -> impl Iterator<Item = &Plan> {
        let organizations = self.organizations.values().map(|own| own.plan.as_ref());
        organizations.chain(self.users.values().map(|own| own.plan.as_ref())).flatten()
    }

    pub(super) fn members(&self, organization: &str, after: Option<&str>, limit: usize) -> Vec<User> {
        let wanted = |(email, of): &(Box<str>, Box<str>)| {
            **of == *organization && after.is_none_or(|after| **email > *after)
        };
        let members = self.memberships.iter().filter(|(key, _)| wanted(key)).take(limit);
        members
            .map(|((email, _), membership)| User::new(email.clone(), [self.current_membership(membership)]))
            .collect()
    }

    pub(super) fn project(&self, organization: &str, id: &str) -> Option<Project> {
        let own = self.organization(organization)?;
        self.projects.contains(&(own.id.clone(), id.into())).then(|| Project::new(own, id))
    }

    pub(super) fn projects(&self, organization: &str, after: Option<&str>, limit: usize) -> Vec<Project> {
        let Some(own) = self.organization(organization) else { return Vec::new() };
        let behind = (own.id.clone(), after.unwrap_or_default().into());
        let from = if after.is_some() { Bound::Excluded(behind) } else { Bound::Included(behind) };
        let own_projects = self.projects.range((from, Bound::Unbounded)).take_while(|(of, _)| *of == own.id);
        own_projects.take(limit).map(|(_, id)| Project::new(own.clone(), id.clone())).collect()
    }

    /// Returns a record with its current owner and the current limits of plans. An owner that the store does not know stays as in the record.
    pub(super) fn current(&self, record: &Record) -> Record {
        let organization = |own: &Organization| self.organization(&own.id).unwrap_or_else(|| own.clone());
        let owner = match &record.owner {
            Owner::Organization(own) => Owner::Organization(organization(own)),
            Owner::Project(own) => Owner::project(organization(&own.organization), own.id.clone()),
            Owner::User(own) => {
                let known = self.user(&own.email).map(|user| user.with_password(None));
                Owner::User(known.unwrap_or_else(|| own.clone()))
            }
        };
        Record { owner, plan: self.plans.current(record.plan.as_ref()), ..record.clone() }
    }

    fn current_membership(&self, membership: &Membership) -> Membership {
        let organization = self.organizations.get(&membership.organization.id);
        // The plan concerns no keys of members.
        let organization =
            Organization { plan: None, ..organization.unwrap_or(&membership.organization).clone() };
        Membership { organization, ..membership.clone() }
    }

    pub(super) fn emails_of(&self, organization: &str) -> Vec<Box<str>> {
        let members = self.memberships.keys().filter(|(_, of)| **of == *organization);
        members.map(|(email, _)| email.clone()).collect()
    }
}
