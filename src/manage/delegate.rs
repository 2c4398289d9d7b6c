//! What a caller may do to its own keys.

use super::{CreatedKey, KeyManager, ManageError, NewKey, Reached, Replacement};
use crate::backend::{KeyFilter, KeyStore, KeyUpdate, UsageLine, UsageQuery, UsageStore};
use crate::environment::Environment;
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

    /// Takes the keys of all environments for those of a caller who is live. A caller of another environment keeps to its own:
    /// by way of a key that it makes, it would reach live data with a test key.
    #[must_use]
    pub fn across_environments(self) -> Self {
        Self { anywhere: self.caller.environment() == Environment::Live, ..self }
    }

    /// Returns a key to [`create`](Self::create): of the caller's owner and environment, without a name, scopes, restrictions
    /// or an end.
    pub fn new_key(&self) -> NewKey {
        NewKey::new(self.caller.owner().identity()).environment(self.caller.environment())
    }

    /// Creates a key of the caller's owner and of its environment, or of any where the delegate is one
    /// [across environments](Self::across_environments). It is the doing of the caller, whatever `created_by` says.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the caller lacks one of the scopes, or asks for another owner or an
    /// environment that is not its own: the [fields](ManageError::fields) say which. And those of [`KeyManager::create`].
    pub async fn create(&self, new: NewKey) -> Result<CreatedKey, ManageError> {
        let owner = self.caller.owner().identity();
        if new.owner.identity() != owner {
            return Err(ManageError::beyond("owner", "expected the owner of the caller, found another one"));
        }
        if !self.anywhere && new.environment != self.caller.environment() {
            let message =
                format!("expected {}, as the caller is, found another one", self.caller.environment());
            return Err(ManageError::beyond("environment", message));
        }
        self.has(&new.scopes)?;
        let created = self.manager.create(NewKey { owner, created_by: self.by(), ..new }).await?;
        self.outlives_no_caller(created).await
    }

    /// Returns a key.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound) if the caller may know of none with this id.
    pub async fn get(&self, id: &KeyId) -> Result<Record, ManageError> {
        let record = self.manager.get(id).await?;
        match self.filter(KeyFilter::all()) {
            Some(own) if own.matches(&record) => Ok(record),
            _ => Err(ManageError::not_found()),
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
        match self.filter(filter) {
            Some(own) => self.manager.list(&own, after, limit).await,
            None => Ok(Vec::new()),
        }
    }

    /// Changes what may be changed of a key.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the caller lacks one of the new scopes or, where the key is given
    /// another end, one of those that it has; and those of [`get`](Self::get) and [`KeyManager::update`].
    pub async fn update(&self, id: &KeyId, update: KeyUpdate) -> Result<Record, ManageError> {
        let record = self.get(id).await?;
        update.scopes.as_ref().map_or(Ok(()), |scopes| self.has(scopes))?;
        if update.expires_at.is_some() {
            // To put the end of a key off is to grant it once more.
            self.has(update.scopes.as_ref().unwrap_or(&record.scopes))?;
        }
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
        let created = self.manager.rotate(id, Replacement { by: self.by(), ..replacement }).await?;
        self.outlives_no_caller(created).await
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

    /// Revokes a key for good, and returns when no process admits it any more, as [`KeyManager::revoke_everywhere`] does.
    ///
    /// # Errors
    ///
    /// Those of [`revoke`](Self::revoke).
    pub async fn revoke_everywhere(&self, id: &KeyId, reason: &str) -> Result<Reached, ManageError> {
        self.revoke(id, reason).await?;
        Ok(self.manager.reached().await)
    }

    /// Whose doing the changes are: the id of the caller's key.
    fn by(&self) -> Option<Box<str>> {
        Some(self.caller.key_id().as_str().into())
    }

    /// Takes a new key back whose maker has lost its own meanwhile, as when its owner was deleted: what was revoked then did not
    /// include a key that was still to come.
    async fn outlives_no_caller(&self, created: CreatedKey) -> Result<CreatedKey, ManageError> {
        if self.manager.is_in_force(self.caller).await? {
            return Ok(created);
        }
        self.manager.revoke_as(self.by(), &created.record().id, "made by a key that is gone").await?;
        Err(ManageError::gone())
    }

    /// Narrows a filter to the keys that the caller may know of. Returns `None` if these are other keys than are asked for.
    fn filter(&self, mut filter: KeyFilter) -> Option<KeyFilter> {
        let environment = (!self.anywhere).then(|| self.caller.environment());
        let (organization, project, user) = match self.caller.owner() {
            Owner::Organization(own) => (Some(&own.id), None, None),
            Owner::Project(own) => (Some(&own.organization.id), Some(&own.id), None),
            Owner::User(own) => (None, None, Some(&own.email)),
        };
        let is_left = narrow(&mut filter.environment, environment.as_ref())
            && narrow(&mut filter.organization, organization)
            && narrow(&mut filter.project, project)
            && narrow(&mut filter.user, user);
        is_left.then_some(filter)
    }

    fn has(&self, scopes: &Scopes) -> Result<(), ManageError> {
        let lacks = |scope: &&Scope| !self.caller.grants(scope);
        scopes.iter().find(lacks).map_or(Ok(()), |scope| {
            let message = format!("expected scopes that the caller has itself, found `{scope}`");
            Err(ManageError::beyond("scopes", message))
        })
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
        let wanted = KeyFilter {
            organization: query.organization,
            project: query.project,
            user: query.user,
            environment: query.environment,
            ..KeyFilter::all()
        };
        let Some(own) = self.filter(wanted) else { return Ok(Vec::new()) };
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

/// Narrows what is wanted to what is the caller's own, if it is bound to anything, and tells whether something is left.
fn narrow<T: PartialEq + Clone>(wanted: &mut Option<T>, own: Option<&T>) -> bool {
    let Some(own) = own else { return true };
    let is_left = wanted.as_ref().is_none_or(|wanted| wanted == own);
    *wanted = Some(own.clone());
    is_left
}
