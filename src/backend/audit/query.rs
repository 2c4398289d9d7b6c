//! Queries of the audit log, and their results.

// Layer 3 of 10: storage.

use std::str::FromStr;

use crate::audit::{Action, AuditEvent};
use crate::backend::KeyFilter;
use crate::backend::filter::OwnerIds;
use crate::clock::Timestamp;
use crate::environment::Environment;
use crate::error::{InvalidValue, InvalidValueKind};
use crate::key::KeyId;
use crate::owner::Owner;
use crate::record::Record;

/// Selects the entries of an audit log that match every field which is not `None`, the newest first.
///
/// ```
/// use tower_api_key::Timestamp;
/// use tower_api_key::backend::{AuditQuery, LoggedAction};
///
/// let start: Timestamp = "2030-01-01T00:00:00Z".parse()?;
/// let query = AuditQuery::all().of_organization("acme").action(LoggedAction::Revoked).from(start).limit(20);
/// assert_eq!(query.organization.as_deref(), Some("acme"));
/// # Ok::<(), tower_api_key::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditQuery {
    /// Entries about this key.
    pub key: Option<KeyId>,
    /// Changes by the actor with this name.
    pub actor: Option<Box<str>>,
    /// Changes by callers of a `manage::Delegate` alone, or by the application alone: see [`AuditEntry::delegated`].
    pub delegated: Option<bool>,
    /// Entries about this action.
    pub action: Option<LoggedAction>,
    /// Entries from this time on.
    pub from: Option<Timestamp>,
    /// Entries before this time.
    pub to: Option<Timestamp>,
    /// Entries about keys of this organization and of its projects.
    pub organization: Option<Box<str>>,
    /// Entries about keys of projects with this id.
    pub project: Option<Box<str>>,
    /// Entries about keys of the user with this e-mail.
    pub user: Option<Box<str>>,
    /// Entries about keys of this environment.
    pub environment: Option<Environment>,
    /// Returns the oldest entries first.
    pub oldest_first: bool,
    /// Returns entries after the one at this [position](AuditEntry::position), in the order of the query.
    pub after: Option<(Timestamp, u64)>,
    /// The maximum number of entries.
    pub limit: usize,
}

/// An action that entries of an audit log are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoggedAction {
    /// See [`Action::Created`](crate::audit::Action::Created).
    Created,
    /// See [`Action::Updated`](crate::audit::Action::Updated).
    Updated,
    /// See [`Action::Rotated`](crate::audit::Action::Rotated).
    Rotated,
    /// See [`Action::Disabled`](crate::audit::Action::Disabled).
    Disabled,
    /// See [`Action::Enabled`](crate::audit::Action::Enabled).
    Enabled,
    /// See [`Action::Revoked`](crate::audit::Action::Revoked).
    Revoked,
    /// The key was deleted after it had expired.
    Expired,
    /// See [`Action::Deleted`](crate::audit::Action::Deleted).
    Deleted,
}

/// An entry of an audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEntry {
    /// The number of the entry. Numbers increase, with gaps.
    pub seq: u64,
    /// The action, its key, the time of the database, and the actor.
    pub event: AuditEvent,
    /// The owner of the key, without memberships. It is kept with the entry, which outlives the key; `None` once the owner was
    /// [purged](crate::backend::OwnerChange::purge_owner), as another owner may have its id then.
    pub owner: Option<Owner>,
    /// The environment of the key.
    pub environment: Environment,
    /// Whether the change [had bounds](crate::backend::KeyChange::has_bounds): its actor was a caller that manages the keys of its owner,
    /// by a `manage::Delegate`. The application made all other changes, and owners are not shown the actors of these.
    pub delegated: bool,
}

impl AuditEntry {
    /// Creates an entry about a key.
    pub fn new(seq: u64, event: AuditEvent, key: &Record, delegated: bool) -> Self {
        Self { seq, event, owner: Some(key.owner.identity()), environment: key.environment, delegated }
    }

    /// Returns the time and the number of the entry, which order the log.
    pub fn position(&self) -> (Timestamp, u64) {
        (self.event.at, self.seq)
    }
}

impl LoggedAction {
    /// All actions.
    pub const ALL: [Self; 8] = [
        Self::Created,
        Self::Updated,
        Self::Rotated,
        Self::Disabled,
        Self::Enabled,
        Self::Revoked,
        Self::Expired,
        Self::Deleted,
    ];

    /// Returns the [label](crate::audit::Action::label) of the action.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Rotated => "rotated",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
        }
    }
}

impl LoggedAction {
    /// Returns the action of an entry, with the successor of a rotation. `None` if an action has another key that has none, or the reverse.
    pub(in crate::backend) fn with(self, successor: Option<KeyId>) -> Option<Action> {
        Some(match (self, successor) {
            (Self::Created, None) => Action::Created,
            (Self::Updated, None) => Action::Updated,
            (Self::Rotated, Some(to)) => Action::Rotated { to },
            (Self::Disabled, None) => Action::Disabled,
            (Self::Enabled, None) => Action::Enabled,
            (Self::Revoked, None) => Action::Revoked,
            (Self::Expired, None) => Action::Expired,
            (Self::Deleted, None) => Action::Deleted,
            _ => return None,
        })
    }
}

impl FromStr for LoggedAction {
    type Err = InvalidValue;

    /// Parses a [label](Self::label).
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::ALL.into_iter().find(|action| action.label() == text).ok_or_else(|| {
            let labels = Self::ALL.map(Self::label).join(", ");
            InvalidValue::new(InvalidValueKind::Action, format!("action is invalid: must be one of {labels}"))
        })
    }
}

impl AuditQuery {
    /// Selects all entries.
    pub fn all() -> Self {
        Self {
            key: None,
            actor: None,
            delegated: None,
            action: None,
            from: None,
            to: None,
            organization: None,
            project: None,
            user: None,
            environment: None,
            oldest_first: false,
            after: None,
            limit: usize::MAX,
        }
    }

    /// Narrows the query to one key.
    #[must_use]
    pub fn of_key(self, key: KeyId) -> Self {
        Self { key: Some(key), ..self }
    }

    /// Narrows the query to changes by the actor with this name.
    #[must_use]
    pub fn by(self, actor: impl Into<Box<str>>) -> Self {
        Self { actor: Some(actor.into()), ..self }
    }

    /// Narrows the query to changes by callers of a `manage::Delegate`, or to those by the application.
    #[must_use]
    pub fn delegated(self, delegated: bool) -> Self {
        Self { delegated: Some(delegated), ..self }
    }

    /// Narrows the query to one action.
    #[must_use]
    pub fn action(self, action: LoggedAction) -> Self {
        Self { action: Some(action), ..self }
    }

    /// Narrows the query to entries from this time on.
    #[must_use]
    pub fn from(self, start: Timestamp) -> Self {
        Self { from: Some(start), ..self }
    }

    /// Narrows the query to entries before this time.
    #[must_use]
    pub fn to(self, end: Timestamp) -> Self {
        Self { to: Some(end), ..self }
    }

    /// Narrows the query to the keys of this organization and of its projects.
    #[must_use]
    pub fn of_organization(self, id: impl Into<Box<str>>) -> Self {
        Self { organization: Some(id.into()), ..self }
    }

    /// Narrows the query to the keys of this project of an organization.
    #[must_use]
    pub fn of_project(self, organization: impl Into<Box<str>>, id: impl Into<Box<str>>) -> Self {
        Self { project: Some(id.into()), ..self.of_organization(organization) }
    }

    /// Narrows the query to the keys of the user with this e-mail.
    #[must_use]
    pub fn of_user(self, email: impl Into<Box<str>>) -> Self {
        Self { user: KeyFilter::of_user(email).user, ..self }
    }

    /// Narrows the query to one environment.
    #[must_use]
    pub fn environment(self, environment: Environment) -> Self {
        Self { environment: Some(environment), ..self }
    }

    /// Returns the oldest entries first.
    #[must_use]
    pub fn oldest_first(self) -> Self {
        Self { oldest_first: true, ..self }
    }

    /// Continues after an entry, such as the last one of the previous page.
    #[must_use]
    pub fn after(self, entry: &AuditEntry) -> Self {
        Self { after: Some(entry.position()), ..self }
    }

    /// Sets the maximum number of entries.
    #[must_use]
    pub fn limit(self, entries: usize) -> Self {
        Self { limit: entries, ..self }
    }

    /// Returns whether the query selects an entry, whatever its limit. For stores.
    pub fn matches(&self, entry: &AuditEntry) -> bool {
        let AuditEntry { event, owner, environment, delegated, .. } = entry;
        let owner = owner.as_ref().map(OwnerIds::of).unwrap_or_default();
        let is_behind = |after| match self.oldest_first {
            true => entry.position() > after,
            false => entry.position() < after,
        };
        self.filter().matches_ids(owner, *environment)
            && self.key.as_ref().is_none_or(|wanted| event.key.as_ref() == Some(wanted))
            && self.actor.as_ref().is_none_or(|wanted| event.by.as_ref() == Some(wanted))
            && self.delegated.is_none_or(|wanted| *delegated == wanted)
            && self.action.is_none_or(|wanted| event.action.label() == wanted.label())
            && self.from.is_none_or(|start| event.at >= start)
            && self.to.is_none_or(|end| event.at < end)
            && self.after.is_none_or(is_behind)
    }

    /// Returns the filter of keys that corresponds to the query.
    pub(crate) fn filter(&self) -> KeyFilter {
        KeyFilter {
            organization: self.organization.clone(),
            project: self.project.clone(),
            user: self.user.clone(),
            environment: self.environment,
            ..KeyFilter::all()
        }
    }

    /// Replaces the filter of keys. Ignores fields of it that the log does not keep.
    pub(crate) fn within(self, keys: KeyFilter) -> Self {
        let KeyFilter { organization, project, user, environment, .. } = keys;
        Self { organization, project, user, environment, ..self }
    }
}
