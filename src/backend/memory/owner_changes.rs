//! Changes of the owners of keys in memory, under the write lock of `MemoryStore`. A deletion also revokes keys, and a purge deletes keys
//! and usage; both write the audit log.

// Layer 3 of 10: storage.

use super::keys::Keys;
use crate::backend::deleted_owner::DeletedOwner;
use crate::backend::{BackendError, Invalidation, KeyFilter, OwnerAction};
use crate::owner::{Organization, Owner, Password, User};
use crate::record::Revocation;

impl Keys {
    /// Applies an action on owners, and returns the invalidations.
    pub(super) fn change_owner(&mut self, action: OwnerAction) -> Result<Vec<Invalidation>, BackendError> {
        let owners = &mut self.owners;
        match action {
            OwnerAction::PutOrganization(organization) => {
                let id = organization.id.clone();
                owners.check_not_deleted(&DeletedOwner::of_organization(&id))?;
                let plan = match owners.organizations.get(&id).and_then(|before| before.plan.clone()) {
                    Some(kept) => Some(kept),
                    None => {
                        owners.plans.check(organization.plan.as_ref())?;
                        organization.plan
                    }
                };
                owners.organizations.insert(id.clone(), Organization { plan, ..organization });
                Ok(self.affected_by_organization(&id))
            }
            OwnerAction::SetOrganizationPlan(id, plan) => {
                owners.plans.check(plan.as_ref())?;
                owners.organizations.get_mut(&id).ok_or_else(BackendError::no_owner)?.plan = plan;
                Ok(self.affected_by_organization(&id))
            }
            OwnerAction::DeleteOrganization(id, revocation) => {
                found(owners.organizations.contains_key(&id))?;
                let affected = self.affected_by_organization(&id);
                self.owners.memberships.retain(|(_, of), _| *of != id);
                self.owners.projects.retain(|(of, _)| *of != id);
                self.owners.organizations.remove(&id);
                self.owners.deleted.insert(DeletedOwner::of_organization(&id));
                Ok(self.revoke_owned(affected, &KeyFilter::of_organization(id).with_sessions(), &revocation))
            }
            OwnerAction::PutUser(email) => {
                owners.check_not_deleted(&DeletedOwner::of_user(&email))?;
                owners.users.entry(email.clone()).or_insert_with(|| User::new(email.clone(), []));
                Ok(self.affected_by_user(&email))
            }
            OwnerAction::SetPassword(email, hash) => {
                let user = owners.users.get_mut(&email).ok_or_else(BackendError::no_owner)?;
                *user = user.clone().with_password(hash);
                Ok(vec![Invalidation::of_user(&email)])
            }
            OwnerAction::Rehash(email, from, to) => {
                let user = owners.users.get_mut(&email).ok_or_else(BackendError::no_owner)?;
                if let Some(password) = user.password().filter(|own| own.hash == from).cloned() {
                    *user = user.clone().with(Some(Password { hash: to, ..password }));
                }
                Ok(vec![Invalidation::of_user(&email)])
            }
            OwnerAction::SetUserPlan(email, plan) => {
                owners.plans.check(plan.as_ref())?;
                owners.users.get_mut(&email).ok_or_else(BackendError::no_owner)?.plan = plan;
                Ok(self.affected_by_user(&email))
            }
            OwnerAction::DeleteUser(email, revocation) => {
                found(owners.users.remove(&email).is_some())?;
                owners.memberships.retain(|(member, _), _| *member != email);
                owners.deleted.insert(DeletedOwner::of_user(&email));
                let affected = vec![Invalidation::of_user(&email)];
                Ok(self.revoke_owned(affected, &KeyFilter::of_user(email).with_sessions(), &revocation))
            }
            OwnerAction::PutMembership(email, membership) => {
                let organization = membership.organization.id.clone();
                let known = owners.organizations.contains_key(&organization);
                found(known && owners.users.contains_key(&email))?;
                owners.memberships.insert((email.clone(), organization), membership);
                Ok(self.affected_by_user(&email))
            }
            OwnerAction::DeleteMembership(email, organization) => {
                found(owners.memberships.remove(&(email.clone(), organization)).is_some())?;
                Ok(self.affected_by_user(&email))
            }
            OwnerAction::PutProject(organization, id) => {
                found(owners.organizations.contains_key(&organization))?;
                owners.check_not_deleted(&DeletedOwner::of_project(&organization, &id))?;
                owners.projects.insert((organization, id));
                Ok(Vec::new())
            }
            OwnerAction::DeleteProject(organization, id, revocation) => {
                found(owners.projects.remove(&(organization.clone(), id.clone())))?;
                owners.deleted.insert(DeletedOwner::of_project(&organization, &id));
                let keys = KeyFilter::of_project(organization, id).with_sessions();
                Ok(self.revoke_owned(Vec::new(), &keys, &revocation))
            }
            OwnerAction::PurgeOwner(owner) => self.purge(&owner),
        }
    }

    fn purge(&mut self, owner: &Owner) -> Result<Vec<Invalidation>, BackendError> {
        found(self.owners.deleted.remove(&DeletedOwner::of(owner)))?;
        if let Owner::Organization(own) = owner {
            let is_project =
                |deleted: &DeletedOwner| deleted.kind == "project" && deleted.organization == own.id;
            self.owners.deleted.retain(|deleted| !is_project(deleted));
        }
        let filter = KeyFilter::of_owner(owner).with_sessions();
        self.usage.delete(&filter);
        let (_, deleted) = self.delete(|record| filter.matches(record));
        self.audit.forget_owner(&filter);
        Ok(deleted)
    }

    fn affected_by_user(&self, email: &str) -> Vec<Invalidation> {
        self.keys_of(KeyFilter::of_user(email)).chain([Invalidation::of_user(email)]).collect()
    }

    fn affected_by_organization(&self, id: &str) -> Vec<Invalidation> {
        let members = self.owners.emails_of(id);
        let of_members = members.iter().flat_map(|email| self.affected_by_user(email));
        self.keys_of(KeyFilter::of_organization(id)).chain(of_members).collect()
    }

    fn keys_of(&self, filter: KeyFilter) -> impl Iterator<Item = Invalidation> {
        let filter = filter.with_sessions();
        let records = self.records.values().filter(move |record| filter.matches(record));
        records.map(|record| Invalidation::Changed(record.digest))
    }

    /// Revokes the keys of a deleted owner, each with an entry of the audit log, and adds their invalidations to `affected`.
    fn revoke_owned(
        &mut self,
        affected: Vec<Invalidation>,
        filter: &KeyFilter,
        revocation: &Revocation,
    ) -> Vec<Invalidation> {
        affected.into_iter().chain(self.revoke_all(filter, revocation)).collect()
    }
}

fn found(exists: bool) -> Result<(), BackendError> {
    if exists { Ok(()) } else { Err(BackendError::no_owner()) }
}
