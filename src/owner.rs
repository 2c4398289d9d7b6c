//! Owners of keys, which decide the resources that a key can reach.

// Layer 1 of 10: words.

use std::fmt;

use crate::digest::Digest;
use crate::limit::Plan;
pub use crate::password_hash::PasswordHash;
use crate::scope::Scopes;

/// The owner of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Owner {
    /// An organization. Its keys reach it and all its projects.
    Organization(Organization),
    /// A user. Their keys reach the organizations of their memberships.
    User(User),
    /// A project. Its keys reach it alone.
    Project(Project),
}

impl Owner {
    /// Creates an owner from the id of an organization.
    pub fn organization(id: impl Into<Box<str>>) -> Self {
        Self::Organization(Organization::new(id))
    }

    /// Creates an owner from the e-mail of a user, whose ASCII letters are converted to lower case.
    pub fn user(email: impl Into<Box<str>>, memberships: impl IntoIterator<Item = Membership>) -> Self {
        Self::User(User::new(email, memberships))
    }

    /// Creates an owner from the id of a project.
    pub fn project(organization: Organization, id: impl Into<Box<str>>) -> Self {
        Self::Project(Project::new(organization, id))
    }

    /// Returns the e-mail of the owner, if it is a user.
    pub fn email(&self) -> Option<&str> {
        match self {
            Self::User(user) => Some(&user.email),
            Self::Organization(_) | Self::Project(_) => None,
        }
    }

    /// Returns the owner with its ids only, without roles and settings.
    pub(crate) fn identity(&self) -> Self {
        match self {
            Self::Organization(own) => Self::organization(own.id.clone()),
            Self::Project(own) => {
                Self::project(Organization::new(own.organization.id.clone()), own.id.clone())
            }
            Self::User(own) => Self::user(own.email.clone(), []),
        }
    }

    /// Returns whether the organization is disabled that owns the key or its project. The organizations of a user are checked when
    /// a request reaches one.
    pub(crate) fn is_disabled(&self) -> bool {
        match self {
            Self::Organization(own) => own.disabled,
            Self::Project(own) => own.organization.disabled,
            Self::User(_) => false,
        }
    }

    /// Returns the plan of the user, or of the organization that owns the key or its project.
    pub(crate) fn plan(&self) -> Option<&Plan> {
        match self {
            Self::Organization(own) => own.plan.as_ref(),
            Self::Project(own) => own.organization.plan.as_ref(),
            Self::User(own) => own.plan.as_ref(),
        }
    }

    /// Returns the id of the organization that owns the key or its project. `None` for a user, who may belong to several.
    ///
    /// ```
    /// use tower_api_key::Owner;
    /// use tower_api_key::owner::Organization;
    ///
    /// let device = Owner::project(Organization::new("acme"), "smart-sink");
    /// assert_eq!(device.organization_id(), Some("acme"));
    /// assert_eq!(Owner::user("ann@example.com", []).organization_id(), None);
    /// ```
    pub fn organization_id(&self) -> Option<&str> {
        match self {
            Self::Organization(own) => Some(&own.id),
            Self::Project(own) => Some(&own.organization.id),
            Self::User(_) => None,
        }
    }

    /// Returns the organizations of the owner.
    pub fn organizations(&self) -> impl Iterator<Item = &Organization> {
        let (own, memberships) = match self {
            Self::Organization(organization) => (Some(organization), &[][..]),
            Self::Project(project) => (Some(&project.organization), &[][..]),
            Self::User(user) => (None, &*user.memberships),
        };
        own.into_iter().chain(memberships.iter().map(|membership| &membership.organization))
    }
}

impl fmt::Display for Owner {
    /// Writes the kind and the id: `organization acme`, `user a@example.com`, `project acme/smart-sink`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization(own) => write!(f, "organization {}", own.id),
            Self::User(own) => write!(f, "user {}", own.email),
            Self::Project(own) => write!(f, "project {}/{}", own.organization.id, own.id),
        }
    }
}

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Organization {
    /// The id in paths and tables.
    pub id: Box<str>,
    /// Whether the organization is closed to all callers.
    pub disabled: bool,
    /// Whether single sign-on is required, so that keys of users do not reach it.
    pub requires_sso: bool,
    /// The plan of its keys and of those of its projects that have none of their own. A store writes its name, and reads it with its current
    /// limits; in a membership, which it does not concern, it reads none.
    pub plan: Option<Plan>,
}

impl Organization {
    /// Creates an organization that is open and does not require single sign-on.
    ///
    /// ```
    /// use tower_api_key::owner::Organization;
    ///
    /// let organization = Organization::new("acme").requires_sso(true);
    /// assert!(organization.requires_sso && !organization.disabled);
    /// ```
    pub fn new(id: impl Into<Box<str>>) -> Self {
        Self { id: id.into(), disabled: false, requires_sso: false, plan: None }
    }

    /// Sets whether the organization is closed to all callers.
    #[must_use]
    pub fn disabled(self, disabled: bool) -> Self {
        Self { disabled, ..self }
    }

    /// Sets whether users must use single sign-on.
    #[must_use]
    pub fn requires_sso(self, requires_sso: bool) -> Self {
        Self { requires_sso, ..self }
    }

    /// Sets the plan.
    #[must_use]
    pub fn plan(self, plan: Plan) -> Self {
        Self { plan: Some(plan), ..self }
    }
}

/// A person who owns keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// The e-mail that a Basic credential presents beside the key, with ASCII letters in lower case.
    pub email: Box<str>,
    /// The memberships in organizations.
    pub memberships: Box<[Membership]>,
    /// The plan of the user who signs in with a password, and of those of the user's keys that have none of their own; the plans of organizations
    /// do not concern them. A store writes its name, and reads it with its current limits; in a list of members, it reads none.
    pub plan: Option<Plan>,
    /// The password, if the user was looked up for a sign-in. Boxed, as every record holds this field.
    password: Option<Box<Password>>,
}

/// The stored password of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Password {
    pub(crate) hash: PasswordHash,
    /// Changes with each password that is set, but not when the same password is hashed again.
    pub(crate) version: Digest,
}

impl From<PasswordHash> for Password {
    /// Creates a newly set password. Its hash holds a random salt, so its version is unique.
    fn from(hash: PasswordHash) -> Self {
        Self { version: Digest::of_password_hash(hash.as_str()), hash }
    }
}

impl User {
    /// Creates a user without a password. The ASCII letters of the e-mail are converted to lower case.
    pub fn new(email: impl Into<Box<str>>, memberships: impl IntoIterator<Item = Membership>) -> Self {
        let mut email = email.into();
        email.make_ascii_lowercase();
        Self { email, memberships: memberships.into_iter().collect(), plan: None, password: None }
    }

    /// Sets the plan.
    #[must_use]
    pub fn plan(self, plan: Plan) -> Self {
        Self { plan: Some(plan), ..self }
    }

    /// Sets the hash of the password with which the user can sign in.
    #[must_use]
    pub fn with_password(self, hash: Option<PasswordHash>) -> Self {
        self.with(hash.map(Into::into))
    }

    /// Returns the hash of the password, if the user has one and was looked up by
    /// [`Backend::find_user`](crate::backend::Backend::find_user).
    pub fn password_hash(&self) -> Option<&PasswordHash> {
        self.password().map(|password| &password.hash)
    }

    pub(crate) fn with(self, password: Option<Password>) -> Self {
        Self { password: password.map(Box::new), ..self }
    }

    /// Returns the memberships in organizations that keys and passwords of users reach: no disabled ones, and none that require single
    /// sign-on.
    pub(crate) fn reachable(&self) -> impl Iterator<Item = &Membership> {
        let is_reachable = |own: &Organization| !(own.disabled || own.requires_sso);
        self.memberships.iter().filter(move |membership| is_reachable(&membership.organization))
    }

    /// Returns the password, if the user has one and was looked up for a sign-in.
    pub(crate) fn password(&self) -> Option<&Password> {
        self.password.as_deref()
    }
}

/// The membership of a user in an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Membership {
    /// The organization.
    pub organization: Organization,
    /// The name of the role.
    pub role: Box<str>,
    /// The scopes of the role.
    pub scopes: Scopes,
}

impl Membership {
    /// Creates a membership.
    pub fn new(organization: Organization, role: impl Into<Box<str>>, scopes: Scopes) -> Self {
        Self { organization, role: role.into(), scopes }
    }
}

/// A project of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Project {
    /// The organization of the project.
    pub organization: Organization,
    /// The id, unique within the organization.
    pub id: Box<str>,
}

impl Project {
    /// Creates a project.
    pub fn new(organization: Organization, id: impl Into<Box<str>>) -> Self {
        Self { organization, id: id.into() }
    }
}
