//! Deleted owners, whose ids cannot be used again until they are purged.

// Layer 3 of 10: storage.

use crate::digest::Digest;
use crate::owner::Owner;

/// The identity by which an owner is found among the deleted ones. For a user, the name is a digest of the address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DeletedOwner {
    pub(super) kind: &'static str,
    /// The organization, or the organization of a project.
    pub(super) organization: Box<str>,
    /// The project or the user.
    pub(super) name: Box<str>,
}

impl DeletedOwner {
    pub(super) fn of_organization(id: &str) -> Self {
        Self { kind: "organization", organization: id.into(), name: Box::default() }
    }

    pub(super) fn of_project(organization: &str, id: &str) -> Self {
        Self { kind: "project", organization: organization.into(), name: id.into() }
    }

    pub(super) fn of_user(email: &str) -> Self {
        let digest = Digest::of_user(email);
        let name: String = digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { kind: "user", organization: Box::default(), name: name.into() }
    }

    pub(super) fn of(owner: &Owner) -> Self {
        match owner {
            Owner::Organization(own) => Self::of_organization(&own.id),
            Owner::Project(own) => Self::of_project(&own.organization.id, &own.id),
            Owner::User(own) => Self::of_user(&own.email),
        }
    }

    /// Returns the deleted owners that prevent an owner from having new keys: the owner itself, and its organization.
    pub(super) fn that_block(owner: &Owner) -> Vec<Self> {
        match owner {
            Owner::Project(own) => vec![Self::of(owner), Self::of_organization(&own.organization.id)],
            Owner::Organization(_) | Owner::User(_) => vec![Self::of(owner)],
        }
    }
}
