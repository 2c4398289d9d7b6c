//! Selecting keys by owner, environment, state, age, and the start of their texts.

// Layer 3 of 10: storage.

use crate::clock::Timestamp;
use crate::environment::Environment;
use crate::owner::{Owner, User};
use crate::record::{KeyState, Record};

/// Selects the keys that match every field which is not `None`. The default selects all keys.
///
/// ```
/// use tower_api_key::backend::KeyFilter;
/// use tower_api_key::digest::Digester;
/// use tower_api_key::{KeyId, Owner, Record};
///
/// let id = KeyId::new("key_1")?;
/// let record = Record::imported(id, Digester::sha256().digest(b"text"), Owner::organization("acme"));
/// assert!(KeyFilter::all().matches(&record));
/// assert!(KeyFilter::of_organization("acme").matches(&record));
/// assert!(!KeyFilter::of_project("acme", "smart-sink").matches(&record));
/// assert!(!KeyFilter::of_user("ann@example.com").matches(&record));
/// # Ok::<(), tower_api_key::ConfigError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyFilter {
    /// Keys of this organization and of its projects.
    pub organization: Option<Box<str>>,
    /// Keys that belong to no project: those of an organization as a whole, and those of users.
    pub outside_projects: bool,
    /// Keys of projects with this id.
    pub project: Option<Box<str>>,
    /// Keys of the user with this e-mail, whose ASCII letters are in lower case.
    pub user: Option<Box<str>>,
    /// Keys of this environment.
    pub environment: Option<Environment>,
    /// Keys that are in this state at this time.
    pub state: Option<(KeyState, Timestamp)>,
    /// Keys that were created before this time. A key without a creation time does not match.
    pub created_before: Option<Timestamp>,
    /// Keys whose hint starts with this text.
    pub starts_with: Option<Box<str>>,
    /// Keys whose name starts with this text. ASCII letters match in either case.
    pub name_starts_with: Option<Box<str>>,
    /// Which kind of records. Keys by default.
    pub kind: RecordKind,
}

/// The kind of records that a [`KeyFilter`] selects from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordKind {
    /// Keys.
    #[default]
    Keys,
    /// Sessions of the console.
    Sessions,
    /// Both.
    All,
}

impl RecordKind {
    fn matches(&self, record: &Record) -> bool {
        match self {
            Self::Keys => record.session.is_none(),
            Self::Sessions => record.session.is_some(),
            Self::All => true,
        }
    }
}

impl KeyFilter {
    /// Returns a filter that matches all keys.
    pub fn all() -> Self {
        Self::default()
    }

    /// Selects the keys of this organization and of its projects.
    pub fn of_organization(id: impl Into<Box<str>>) -> Self {
        Self { organization: Some(id.into()), ..Self::default() }
    }

    /// Selects the keys of this project of an organization.
    pub fn of_project(organization: impl Into<Box<str>>, id: impl Into<Box<str>>) -> Self {
        Self { project: Some(id.into()), ..Self::of_organization(organization) }
    }

    /// Selects the keys of the user with this e-mail.
    pub fn of_user(email: impl Into<Box<str>>) -> Self {
        Self { user: Some(User::new(email, []).email), ..Self::default() }
    }

    /// Selects the keys of this owner. For an organization, they include those of its projects.
    pub fn of_owner(owner: &Owner) -> Self {
        match owner {
            Owner::Organization(own) => Self::of_organization(own.id.clone()),
            Owner::Project(own) => Self::of_project(own.organization.id.clone(), own.id.clone()),
            Owner::User(own) => Self::of_user(own.email.clone()),
        }
    }

    /// Selects the sessions of the console, instead of keys.
    pub fn sessions() -> Self {
        Self { kind: RecordKind::Sessions, ..Self::default() }
    }

    /// Selects the sessions of the console beside keys: for a store that ends all that an owner has.
    #[must_use]
    pub fn with_sessions(self) -> Self {
        Self { kind: RecordKind::All, ..self }
    }

    /// Narrows the filter to one environment.
    #[must_use]
    pub fn environment(self, environment: Environment) -> Self {
        Self { environment: Some(environment), ..self }
    }

    /// Narrows the filter to the keys that are in this state at `now`.
    #[must_use]
    pub fn state(self, state: KeyState, now: Timestamp) -> Self {
        Self { state: Some((state, now)), ..self }
    }

    /// Narrows the filter to keys that belong to no project.
    #[must_use]
    pub fn outside_projects(self) -> Self {
        Self { outside_projects: true, ..self }
    }

    /// Narrows the filter to keys that were created before this time.
    #[must_use]
    pub fn created_before(self, end: Timestamp) -> Self {
        Self { created_before: Some(end), ..self }
    }

    /// Narrows the filter to keys whose hint starts with this text.
    #[must_use]
    pub fn starts_with(self, start: impl Into<Box<str>>) -> Self {
        Self { starts_with: Some(start.into()), ..self }
    }

    /// Narrows the filter to keys whose name starts with this text. ASCII letters match in either case.
    #[must_use]
    pub fn name_starts_with(self, start: impl Into<Box<str>>) -> Self {
        Self { name_starts_with: Some(start.into()), ..self }
    }

    /// Returns whether the filter selects a key.
    pub fn matches(&self, record: &Record) -> bool {
        self.matches_owner(&record.owner, record.environment)
            && self.kind.matches(record)
            && self.state.is_none_or(|(wanted, now)| wanted == record.state(now))
            && self.created_before.is_none_or(|end| record.created_at.is_some_and(|at| at < end))
            && self.starts_with.as_ref().is_none_or(|start| record.hint.starts_with(&**start))
            && self.name_starts_with.as_ref().is_none_or(|start| has_start(&record.name, start))
    }

    /// Returns whether owner and environment match. Ignores the other fields.
    pub(super) fn matches_owner(&self, owner: &Owner, own_environment: Environment) -> bool {
        self.matches_ids(OwnerIds::of(owner), own_environment)
    }

    /// As [`matches_owner`](Self::matches_owner), with the ids of an owner that may be unknown.
    pub(super) fn matches_ids(&self, owner: OwnerIds<'_>, own_environment: Environment) -> bool {
        let OwnerIds { organization, project, user } = owner;
        fits(&self.organization, organization)
            && fits(&self.project, project)
            && !(self.outside_projects && project.is_some())
            && fits(&self.user, user)
            && self.environment.is_none_or(|wanted| wanted == own_environment)
    }
}

/// The columns that identify an owner, none of an unknown one.
#[derive(Clone, Copy, Default)]
pub(super) struct OwnerIds<'o> {
    pub(super) organization: Option<&'o str>,
    pub(super) project: Option<&'o str>,
    pub(super) user: Option<&'o str>,
}

impl<'o> OwnerIds<'o> {
    pub(super) fn of(owner: &'o Owner) -> Self {
        let (organization, project, user) = match owner {
            Owner::Organization(own) => (Some(&*own.id), None, None),
            Owner::Project(own) => (Some(&*own.organization.id), Some(&*own.id), None),
            Owner::User(own) => (None, None, Some(&*own.email)),
        };
        Self { organization, project, user }
    }
}

/// Returns whether a text starts with another one, in either case of ASCII letters.
fn has_start(text: &str, start: &str) -> bool {
    text.as_bytes().get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start.as_bytes()))
}

fn fits(wanted: &Option<Box<str>>, found: Option<&str>) -> bool {
    wanted.is_none() || wanted.as_deref() == found
}
