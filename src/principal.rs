//! Who is calling, as handlers see it.

mod rights;

pub(crate) use rights::Rights;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Weak};

use crate::clock::Clock;
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
    /// What a password grants beside the roles of the person.
    pub(crate) password_scopes: Scopes,
    /// How to answer a refusal. The words know no outcomes, so the type is the outcomes' own.
    pub(crate) responses: Arc<dyn Any + Send + Sync>,
    /// By what time it is judged.
    pub(crate) clock: Arc<dyn Clock>,
    /// The authenticator, which judges its principals again. `None` for those that tests make.
    pub(crate) authenticator: Option<Weak<dyn Any + Send + Sync>>,
}

impl Issuer {
    /// An issuer without an authenticator, whose answers are `answers`.
    #[cfg(any(feature = "test-util", all(test, shuttle)))]
    pub(crate) fn alone(schemes: Box<[Scheme]>, responses: Arc<dyn Any + Send + Sync>) -> Self {
        Self {
            schemes,
            admin: None,
            password_scopes: Scopes::default(),
            responses,
            clock: Arc::new(crate::clock::SystemClock::default()),
            authenticator: None,
        }
    }
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

    pub(crate) fn record(&self) -> &Record {
        self.known.record()
    }

    /// Returns the position of the source that the key came from.
    pub(crate) fn source(&self) -> usize {
        self.source.into()
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        self.known.issuer()
    }

    /// Returns whether the authenticator that `known` belongs to has admitted this caller by the same key.
    pub(crate) fn is_of(&self, known: &dyn Known) -> bool {
        std::ptr::eq(self.issuer(), known.issuer()) && self.record().id == known.record().id
    }

    /// Returns whether the first use of the key ends another one, and is still to be noted.
    pub(crate) fn has_first_use_to_note(&self) -> bool {
        self.record().has_pending_first_use()
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

    /// Returns what the application keeps with the key under `name`. The owner of the key cannot change it.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.record().metadata.get(name).map(String::as_str)
    }

    /// Returns the label called `name`, which the owner of the key chose. Decide nothing by it: the owner can change it.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.record().labels.get(name).map(String::as_str)
    }

    /// Returns whether the scopes of the key meet `requirement`, whatever it is about.
    pub fn meets(&self, requirement: &Requirement) -> bool {
        self.rights().meet(requirement)
    }

    /// Returns whether the scopes of the key grant `scope`, be it by a wildcard or as the scope that implies all others.
    pub fn grants(&self, scope: &Scope) -> bool {
        self.rights().grant(scope)
    }

    /// Checks that the key may do what `requirement` names to `resource`.
    ///
    /// A user's key may do what both the key's scopes and the role's scopes in that organization grant.
    ///
    /// # Errors
    ///
    /// When the resource is beyond the owner's reach, or a scope is missing.
    pub fn authorize(&self, requirement: &Requirement, resource: Resource<'_>) -> Result<(), Denial> {
        self.rights().cover(requirement, resource)
    }

    fn rights(&self) -> Rights<'_> {
        Rights::new(self.record(), self.issuer().admin.as_ref())
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
