//! Who is calling, as handlers see it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::credential::Scheme;
use crate::environment::Environment;
use crate::key::KeyId;
use crate::owner::{Organization, Owner};
use crate::record::Record;
use crate::scope::{Requirement, Scope, Scopes};

/// Who is calling: proof that a credential was presented, resolved and judged.
///
/// Only an [`Authenticator`](crate::Authenticator) makes one (and `test_util`, for tests of handlers). It is one `Arc`,
/// cheap to clone, and holds no secret. The middleware puts it into the extensions of each admitted request.
#[derive(Clone)]
pub struct Principal {
    known: Arc<dyn Known>,
    source: u8,
}

/// What a principal rests on. The cached entry of a key is one, so that an admission allocates nothing of its own.
pub(crate) trait Known: Send + Sync {
    fn record(&self) -> &Record;
    fn issuer(&self) -> &Issuer;
}

/// What the authenticator that admitted a principal wants to be known wherever the principal goes.
pub(crate) struct Issuer {
    /// How a credential was presented, by the principal's `source`.
    pub(crate) schemes: Box<[Scheme]>,
    /// The scope that implies all others.
    pub(crate) admin: Option<Scope>,
    /// How to answer a refusal. The words know no outcomes, so the type is the outcomes' own.
    pub(crate) answers: Arc<dyn Any + Send + Sync>,
}

/// What a principal wants to act on.
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

/// Why a principal may not act on a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denial {
    /// It lacks a scope that is required.
    MissingScope(Requirement),
    /// The organization is beyond its reach.
    Organization,
    /// The project is beyond its reach.
    Project,
    /// The organization is reached by single sign-on only.
    SsoRequired,
    /// The organization is disabled.
    OrganizationDisabled,
}

impl Principal {
    pub(crate) fn new(known: Arc<dyn Known>, source: u8) -> Self {
        Self { known, source }
    }

    fn record(&self) -> &Record {
        self.known.record()
    }

    /// Returns the position of the source that the key came from.
    pub(crate) fn source(&self) -> usize {
        self.source.into()
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        self.known.issuer()
    }

    /// Tells whether the first use of the key ends another one, and is still to be noted.
    pub(crate) fn has_first_use_to_note(&self) -> bool {
        self.record().has_first_use_to_note()
    }

    /// Returns the id of the key that was presented.
    pub fn key_id(&self) -> &KeyId {
        &self.record().id
    }

    /// Returns the name of the key that was presented.
    pub fn key_name(&self) -> &str {
        &self.record().name
    }

    /// Returns how the key was presented.
    pub fn scheme(&self) -> &Scheme {
        // OK because a principal is only made by the issuer of the schemes, for one of them.
        &self.issuer().schemes[self.source()]
    }

    /// Returns the scopes granted to the key.
    pub fn scopes(&self) -> &Scopes {
        &self.record().scopes
    }

    /// Returns the environment of the key.
    pub fn environment(&self) -> Environment {
        self.record().environment
    }

    /// Returns the owner of the key.
    pub fn owner(&self) -> &Owner {
        &self.record().owner
    }

    /// Returns the organizations that the key reaches: no disabled ones, and for people none that require single sign-on.
    pub fn organizations(&self) -> impl Iterator<Item = &Organization> {
        let by_key = matches!(self.owner(), Owner::User(_));
        self.owner()
            .organizations()
            .filter(move |organization| !(organization.disabled || by_key && organization.requires_sso))
    }

    /// Returns what the application keeps with the key under `name`.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.record().metadata.get(name).map(String::as_str)
    }

    /// Tells whether the scopes of the key meet `requirement`, whatever it is about.
    pub fn meets(&self, requirement: &Requirement) -> bool {
        self.is_enough(self.scopes(), requirement)
    }

    /// Tells whether the scopes of the key grant `scope`, be it by a wildcard or as the scope that implies all others.
    pub fn grants(&self, scope: &Scope) -> bool {
        let implies_all = self.issuer().admin.as_ref() == Some(scope);
        // A wildcard that happens to cover the scope that implies all others is less than that scope.
        let covers = |granted: &Scope| granted.as_str() == "*" || (!implies_all && granted.covers(scope));
        self.is_all_powerful(self.scopes()) || self.scopes().iter().any(covers)
    }

    /// Checks that the key may do what `requirement` names to `resource`.
    ///
    /// A user's key may do what both the key's scopes and the role's scopes in that organization grant.
    ///
    /// # Errors
    ///
    /// When the resource is beyond the owner's reach, or a scope is missing.
    pub fn can(&self, requirement: &Requirement, resource: Resource<'_>) -> Result<(), Denial> {
        let (organization, project) = match resource {
            Resource::Organization(organization) => (organization, None),
            Resource::Project { organization, project } => (organization, Some(project)),
        };
        let role = match self.owner() {
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
        let enough = self.meets(requirement) && role.is_none_or(|scopes| self.is_enough(scopes, requirement));
        if enough { Ok(()) } else { Err(Denial::MissingScope(requirement.clone())) }
    }

    fn is_enough(&self, granted: &Scopes, requirement: &Requirement) -> bool {
        self.is_all_powerful(granted) || requirement.is_met_by(granted)
    }

    fn is_all_powerful(&self, granted: &Scopes) -> bool {
        self.issuer().admin.as_ref().is_some_and(|admin| granted.contains(admin))
    }
}

fn reach(own: &Organization, wanted: &str) -> Result<(), Denial> {
    match own {
        own if *own.id != *wanted => Err(Denial::Organization),
        own if own.disabled => Err(Denial::OrganizationDisabled),
        _ => Ok(()),
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("key_id", self.key_id())
            .field("owner", self.owner())
            .field("environment", &self.environment())
            .field("scopes", self.scopes())
            .finish_non_exhaustive()
    }
}
