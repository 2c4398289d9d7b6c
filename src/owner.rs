//! Whom a key belongs to, and with it what it can reach.

use std::fmt;

use crate::digest::Digest;
use crate::password_hash::PasswordHash;
use crate::scope::Scopes;

/// The owner of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Owner {
    /// An organization: reaches that organization and every project in it.
    Organization(Organization),
    /// A person: reaches the organizations that the memberships name.
    User(User),
    /// A project: reaches that project only.
    Project(Project),
}

impl Owner {
    /// Creates an owner that is the organization called `id`.
    pub fn organization(id: impl Into<Box<str>>) -> Self {
        Self::Organization(Organization::new(id))
    }

    /// Creates an owner that is the person with this e-mail, whose ASCII letters are taken in lower case.
    pub fn user(email: impl Into<Box<str>>, memberships: impl IntoIterator<Item = Membership>) -> Self {
        Self::User(User::new(email, memberships))
    }

    /// Creates an owner that is the project called `id` of an organization.
    pub fn project(organization: Organization, id: impl Into<Box<str>>) -> Self {
        Self::Project(Project::new(organization, id))
    }

    /// Returns the e-mail of the owner, if it is a person.
    pub fn email(&self) -> Option<&str> {
        match self {
            Self::User(user) => Some(&user.email),
            Self::Organization(_) | Self::Project(_) => None,
        }
    }

    /// Returns the owner without what changes about it: who it is, not what it may reach.
    pub(crate) fn identity(&self) -> Self {
        match self {
            Self::Organization(own) => Self::organization(own.id.clone()),
            Self::Project(own) => {
                Self::project(Organization::new(own.organization.id.clone()), own.id.clone())
            }
            Self::User(own) => Self::user(own.email.clone(), []),
        }
    }

    /// Returns whether the organization that owns the key, or has the project that does, is disabled. A person may belong to other
    /// organizations; each is looked at when it is reached for.
    pub(crate) fn is_disabled(&self) -> bool {
        match self {
            Self::Organization(own) => own.disabled,
            Self::Project(own) => own.organization.disabled,
            Self::User(_) => false,
        }
    }

    /// Returns the organizations that the owner belongs to.
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
    /// Its id, as it stands in paths and tables.
    pub id: Box<str>,
    /// Whether it is closed to everyone.
    pub disabled: bool,
    /// Whether people reach it by single sign-on only, so that keys of users do not.
    pub requires_sso: bool,
}

impl Organization {
    /// Creates an organization that is open and does not require single sign-on.
    pub fn new(id: impl Into<Box<str>>) -> Self {
        Self { id: id.into(), disabled: false, requires_sso: false }
    }
}

/// A person who owns keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// The e-mail that a Basic credential presents beside the key. Its ASCII letters are in lower case.
    pub email: Box<str>,
    /// The organizations that the person belongs to.
    pub memberships: Box<[Membership]>,
    /// The password, where the person was looked up by it. No larger than a pointer, as every record has room for it.
    password: Option<Box<Password>>,
}

/// A password as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Password {
    pub(crate) hash: PasswordHash,
    /// Stays while hashes of the same password replace each other, and is another one for each password that is set.
    pub(crate) version: Digest,
}

impl From<PasswordHash> for Password {
    /// A password that was just set: its hash holds a random salt, so that no two have the same version.
    fn from(hash: PasswordHash) -> Self {
        Self { version: Digest::of_password_hash(hash.as_str()), hash }
    }
}

impl User {
    /// Creates a person without a password. The ASCII letters of the e-mail are taken in lower case.
    pub fn new(email: impl Into<Box<str>>, memberships: impl IntoIterator<Item = Membership>) -> Self {
        let mut email = email.into();
        email.make_ascii_lowercase();
        Self { email, memberships: memberships.into_iter().collect(), password: None }
    }

    /// Sets the hash of the password by which the person may be known beside keys.
    #[must_use]
    pub fn with_password(self, hash: Option<PasswordHash>) -> Self {
        self.with(hash.map(Into::into))
    }

    pub(crate) fn with(self, password: Option<Password>) -> Self {
        Self { password: password.map(Box::new), ..self }
    }

    /// Returns the password, if there is one and the person was looked up with it.
    pub(crate) fn password(&self) -> Option<&Password> {
        self.password.as_deref()
    }
}

/// The place of a person in an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Membership {
    /// The organization.
    pub organization: Organization,
    /// The name of the role held there.
    pub role: Box<str>,
    /// What the role may do.
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
    /// The organization that it belongs to.
    pub organization: Organization,
    /// Its id, unique within the organization.
    pub id: Box<str>,
}

impl Project {
    /// Creates a project.
    pub fn new(organization: Organization, id: impl Into<Box<str>>) -> Self {
        Self { organization, id: id.into() }
    }
}
