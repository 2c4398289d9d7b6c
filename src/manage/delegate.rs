//! What a caller may do to its own keys.

use super::{CreatedKey, KeyManager, ManageError, NewKey, Replacement};
use crate::backend::{KeyFilter, KeyStore, KeyUpdate, UsageLine, UsageQuery, UsageStore};
use crate::key::KeyId;
use crate::owner::Owner;
use crate::principal::Principal;
use crate::record::Record;
use crate::scope::{Scope, Scopes};

/// The keys that a caller may know of: those of its own organization, project or person, in its own environment. All other
/// keys are not there. What it grants it must have itself, and it must have what a key may do to be shown its successor.
#[derive(Debug)]
pub struct Delegate<'m, S> {
    manager: &'m KeyManager<S>,
    caller: &'m Principal,
    /// Whether keys of other environments are the caller's as well.
    anywhere: bool,
}

impl<'m, S: KeyStore> Delegate<'m, S> {
    pub(super) fn new(manager: &'m KeyManager<S>, caller: &'m Principal) -> Self {
        Self { manager, caller, anywhere: false }
    }

    /// Takes the keys of all environments for the caller's. A key is then created for the environment that is asked for.
    ///
    /// A caller may so make keys that reach what it does not reach itself, such as live data with a test key: ask for its
    /// environment first.
    #[must_use]
    pub fn across_environments(self) -> Self {
        Self { anywhere: true, ..self }
    }

    /// Creates a key with the owner of the caller, and with its environment unless the delegate is one
    /// [across environments](Self::across_environments).
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the caller lacks one of the scopes, and those of
    /// [`KeyManager::create`].
    pub async fn create(&self, new: NewKey) -> Result<CreatedKey, ManageError> {
        self.has(&new.scopes)?;
        let own = NewKey {
            owner: self.caller.owner().identity(),
            environment: if self.anywhere { new.environment } else { self.caller.environment() },
            created_by: self.by(),
            ..new
        };
        self.manager.create(own).await
    }

    /// Returns a key.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound) if the caller may know of none with this id.
    pub async fn get(&self, id: &KeyId) -> Result<Record, ManageError> {
        let record = self.manager.get(id).await?;
        if self.filter(KeyFilter::all()).matches(&record) {
            Ok(record)
        } else {
            Err(ManageError::not_found())
        }
    }

    /// Returns the first `limit` of the caller's keys that a filter means, from behind `after` on.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn list(
        &self,
        filter: KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Record>, ManageError> {
        self.manager.list(&self.filter(filter), after, limit).await
    }

    /// Changes what may be changed of a key.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the caller lacks one of the new scopes, and those of
    /// [`get`](Self::get) and [`KeyManager::update`].
    pub async fn update(&self, id: &KeyId, update: KeyUpdate) -> Result<Record, ManageError> {
        self.get(id).await?;
        update.scopes.as_ref().map_or(Ok(()), |scopes| self.has(scopes))?;
        self.manager.update(id, KeyUpdate { by: self.by(), ..update }).await
    }

    /// Replaces a key by a new one that may do the same.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the caller lacks one of its scopes, and those of
    /// [`get`](Self::get) and [`KeyManager::rotate`].
    pub async fn rotate(&self, id: &KeyId, replacement: Replacement) -> Result<CreatedKey, ManageError> {
        self.has(&self.get(id).await?.scopes)?;
        self.manager.rotate(id, Replacement { by: self.by(), ..replacement }).await
    }

    /// Revokes a key for good.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get) and [`KeyManager::revoke`].
    pub async fn revoke(&self, id: &KeyId, reason: &str) -> Result<(), ManageError> {
        self.get(id).await?;
        self.manager.revoke_as(self.by(), id, reason).await
    }

    /// Whose doing the changes are: the id of the caller's key.
    fn by(&self) -> Option<Box<str>> {
        Some(self.caller.key_id().as_str().into())
    }

    /// Narrows a filter to the keys that the caller may know of.
    fn filter(&self, filter: KeyFilter) -> KeyFilter {
        let filter = if self.anywhere { filter } else { filter.environment(self.caller.environment()) };
        match self.caller.owner() {
            Owner::Organization(own) => KeyFilter { organization: Some(own.id.clone()), ..filter },
            Owner::Project(own) => KeyFilter {
                organization: Some(own.organization.id.clone()),
                project: Some(own.id.clone()),
                ..filter
            },
            Owner::User(own) => KeyFilter { user: Some(own.email.clone()), ..filter },
        }
    }

    fn has(&self, scopes: &Scopes) -> Result<(), ManageError> {
        let lacks = |scope: &&Scope| !self.caller.grants(scope);
        scopes.iter().find(lacks).map_or(Ok(()), |scope| Err(ManageError::beyond_own(scope)))
    }
}

impl<S: KeyStore + UsageStore> Delegate<'_, S> {
    /// Returns how often the caller's keys that a query means were used.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound) if the query names a key that the caller may not know of;
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn usage(&self, query: UsageQuery) -> Result<Vec<UsageLine>, ManageError> {
        if let Some(id) = &query.key {
            self.get(id).await?;
        }
        let own = self.filter(KeyFilter {
            organization: query.organization,
            project: query.project,
            user: query.user,
            ..KeyFilter::all()
        });
        let query = UsageQuery {
            organization: own.organization,
            project: own.project,
            user: own.user,
            environment: own.environment,
            ..query
        };
        self.manager.usage(&query).await
    }
}
