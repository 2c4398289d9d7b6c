//! New values for a key, and their effect on its record.

// Layer 3 of 10: storage.

use std::collections::BTreeMap;

use super::BackendError;
use super::expiry::is_later;
use crate::clock::Timestamp;
use crate::limit::{Limits, Plan};
use crate::record::{KeyState, Record};
use crate::scope::Scopes;
use crate::text::to_map;

/// New values for the fields of a key that can be updated. A field that is `None` stays as it is.
///
/// ```
/// use tower_api_key::backend::KeyUpdate;
///
/// let update = KeyUpdate::new().name("CI").never_expires().labels([("team", "infra")]);
/// assert_eq!(update.name.as_deref(), Some("CI"));
/// assert_eq!(update.expires_at, Some(None));
/// assert_eq!(update.scopes, None); // stay as they are
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyUpdate {
    /// The name.
    pub name: Option<Box<str>>,
    /// The scopes.
    pub scopes: Option<Scopes>,
    /// The expiry; `Some(None)` removes it.
    pub expires_at: Option<Option<Timestamp>>,
    /// The metadata, which the application keeps with the key.
    pub metadata: Option<BTreeMap<String, String>>,
    /// The labels, which the owner keeps with the key.
    pub labels: Option<BTreeMap<String, String>>,
    /// The limits of the key itself, in place of all that it has.
    pub limits: Option<Limits>,
    /// The plan, by its name; `Some(None)` removes it, and that of the organization is in force.
    pub plan: Option<Option<Plan>>,
    /// The author of the change, for the audit log. Not stored with the key.
    pub by: Option<Box<str>>,
}

impl KeyUpdate {
    /// Creates an update that changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the name.
    #[must_use]
    pub fn name(self, name: impl Into<Box<str>>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Sets the scopes.
    #[must_use]
    pub fn scopes(self, scopes: Scopes) -> Self {
        Self { scopes: Some(scopes), ..self }
    }

    /// Sets the expiry.
    #[must_use]
    pub fn expires_at(self, end: Timestamp) -> Self {
        Self { expires_at: Some(Some(end)), ..self }
    }

    /// Removes the expiry.
    #[must_use]
    pub fn never_expires(self) -> Self {
        Self { expires_at: Some(None), ..self }
    }

    /// Replaces the metadata.
    #[must_use]
    pub fn metadata<K: Into<String>, V: Into<String>>(
        self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self { metadata: Some(to_map(entries)), ..self }
    }

    /// Replaces the labels.
    #[must_use]
    pub fn labels<K: Into<String>, V: Into<String>>(self, entries: impl IntoIterator<Item = (K, V)>) -> Self {
        Self { labels: Some(to_map(entries)), ..self }
    }

    /// Replaces the limits of the key itself.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits: Some(limits), ..self }
    }

    /// Sets the plan of the key, by its name.
    #[must_use]
    pub fn plan(self, plan: Plan) -> Self {
        Self { plan: Some(Some(plan)), ..self }
    }

    /// Removes the plan of the key.
    #[must_use]
    pub fn without_plan(self) -> Self {
        Self { plan: Some(None), ..self }
    }

    /// Sets the author of the change.
    #[must_use]
    pub fn by(self, author: impl Into<Box<str>>) -> Self {
        Self { by: Some(author.into()), ..self }
    }
}

impl KeyUpdate {
    pub(super) fn apply(self, record: &mut Record, predecessor: Option<&Record>) -> Result<(), BackendError> {
        if record.revoked.is_some() {
            return Err(BackendError::inactive(KeyState::Revoked));
        }
        if let Some(requested) = self.expires_at {
            // After this key expired, its predecessor may have been rotated again.
            let has_sibling = predecessor.is_some_and(|old| old.rotated_to.as_ref() != Some(&record.id));
            if (record.rotated_to.is_some() || has_sibling) && is_later(requested, record.expires_at) {
                return Err(BackendError::rotated());
            }
            record.expires_at = requested;
        }
        if let Some(name) = self.name {
            record.name = name;
        }
        if let Some(scopes) = self.scopes {
            record.scopes = scopes;
        }
        if let Some(metadata) = self.metadata {
            record.metadata = metadata;
        }
        if let Some(labels) = self.labels {
            record.labels = labels;
        }
        if let Some(limits) = self.limits {
            record.limits = limits;
        }
        // A plan of the same name is the same one, whatever limits the update has read.
        if let Some(plan) = self.plan
            && plan.as_ref().map(Plan::name) != record.plan.as_ref().map(Plan::name)
        {
            record.plan = plan;
        }
        Ok(())
    }
}
