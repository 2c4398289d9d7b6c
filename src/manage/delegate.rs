//! Key management on behalf of a caller.

use super::manager::BoundedActor;
use super::{CreatedKey, KeyManager, ManageError, NewKey, RotateOptions, Wait};
use crate::backend::{
    Actor, Bounds, KeyFilter, KeyStore, KeyUpdate, Propagation, UsageLine, UsageQuery, UsageStore,
};
use crate::environment::Environment;
use crate::key::KeyId;
use crate::principal::Principal;
use crate::record::Record;
use crate::scope::{Requirement, Scope};

/// A key manager limited to the keys of a caller: those of its own organization, project or user, in its own environment. It reports all
/// other keys as not found. The caller can grant only scopes that it has itself, and needs the scopes of a key to rotate, update or revoke it.
///
/// The store checks these rules in the transaction of each change, against the state of the caller at that time.
#[derive(Debug)]
pub struct Delegate<'m, S> {
    manager: &'m KeyManager<S>,
    caller: &'m Principal,
    actor: Actor,
    /// Whether the caller manages keys of all environments.
    all_environments: bool,
}

impl<S: KeyStore> KeyManager<S> {
    /// Limits the manager to the rights of a caller whose key is in this store. With each change, the store checks the caller in place of the
    /// manager's actor, including that actor's requirements.
    pub fn on_behalf_of<'m>(&'m self, caller: &'m Principal) -> Delegate<'m, S> {
        Delegate::new(self, caller, caller.actor().requires_same_as(&self.actor))
    }

    /// Limits the manager to the rights of a caller whose key another backend keeps. The store cannot check such a caller: it has the rights
    /// of the time when it was admitted, however long ago. Call [`Principal::recheck`] right before a change.
    pub fn on_behalf_of_external<'m>(&'m self, caller: &'m Principal) -> Delegate<'m, S> {
        Delegate::new(self, caller, Actor::external(caller.key_id().as_str()))
    }
}

impl<'m, S: KeyStore> Delegate<'m, S> {
    fn new(manager: &'m KeyManager<S>, caller: &'m Principal, actor: Actor) -> Self {
        Self { manager, caller, actor, all_environments: false }
    }

    /// Lets a live caller manage the keys of all environments. A caller of another environment stays limited to its own: with a live key
    /// that it creates, a test key would reach live data.
    #[must_use]
    pub fn across_environments(self) -> Self {
        Self { all_environments: self.caller.environment() == Environment::Live, ..self }
    }

    /// Requires scopes of the caller at the time of each change, beyond those that the change grants. Has no effect on a caller whose key
    /// another backend keeps.
    #[must_use]
    pub fn requiring(self, requirement: Requirement) -> Self {
        Self { actor: self.actor.requires(requirement), ..self }
    }

    /// Returns whether the caller has a scope, so that it may grant it to other keys. The store checks this again with each change.
    pub fn can_grant(&self, scope: &Scope) -> bool {
        self.caller.rights().grants(scope)
    }

    /// Returns a key to [`create`](Self::create), with the caller's owner and environment, without a name or scopes.
    pub fn new_key(&self) -> NewKey {
        NewKey::new(self.caller.owner().identity()).environment(self.caller.environment())
    }

    /// Creates a key of the caller's owner, in its environment, or in any environment with
    /// [`across_environments`](Self::across_environments). `created_by` is set to the caller. The key expires no later than the caller's key,
    /// and has the same sources if it names none.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the caller is no longer active, lacks one of the scopes, or asks for a later
    /// expiry, another owner or another environment, named by [`fields`](ManageError::fields); and those of [`KeyManager::create`].
    pub async fn create(&self, new: NewKey) -> Result<CreatedKey, ManageError> {
        let owner = self.caller.owner().identity();
        if new.owner.identity() != owner {
            return Err(ManageError::forbidden("owner", "must be the owner of the caller's key"));
        }
        if !self.all_environments && new.environment != self.caller.environment() {
            let message =
                format!("must be {}, the environment of the caller's key", self.caller.environment());
            return Err(ManageError::forbidden("environment", message));
        }
        self.manager.create_by(&self.bounded_actor(), NewKey { owner, ..new }).await
    }

    /// Returns a key.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound) if no key of the caller has this id.
    pub async fn get(&self, id: &KeyId) -> Result<Record, ManageError> {
        let record = self.manager.get(id).await?;
        if self.own().matches(&record) { Ok(record) } else { Err(ManageError::not_found()) }
    }

    /// Returns the first `limit` of the caller's keys after `after` that match a filter.
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

    /// Updates a key.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the caller is no longer active, lacks one of the scopes that the key has or
    /// would get, or postpones the expiry of the key beyond that of its own key, or to a longer lifetime than that of its own key; and those
    /// of [`get`](Self::get) and [`KeyManager::update`].
    pub async fn update(&self, id: &KeyId, update: KeyUpdate) -> Result<Record, ManageError> {
        self.manager.update_by(&self.bounded_actor(), id, update).await
    }

    /// Replaces a key with a new one that has the same owner and rights. A caller may rotate its own key. A caller whose own key was rotated
    /// gets successors that end with that key, and cannot rotate the successor of its own key.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the caller is no longer active, lacks one of the scopes or sources of the key, or
    /// asks for an expiry later than both that of its own key and the default of the successor; and those of [`get`](Self::get) and
    /// [`KeyManager::rotate`].
    pub async fn rotate(&self, id: &KeyId, options: RotateOptions) -> Result<CreatedKey, ManageError> {
        self.manager.rotate_by(&self.bounded_actor(), id, options).await
    }

    /// Revokes a key permanently. A caller may always revoke its own key.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the caller is no longer active, or lacks one of the scopes of the key; and
    /// those of [`get`](Self::get) and [`KeyManager::revoke`].
    pub async fn revoke(&self, id: &KeyId, reason: &str) -> Result<(), ManageError> {
        self.manager.revoke_by(&self.bounded_actor(), id, reason).await
    }

    /// Revokes a key permanently, and waits until no process admits it, as [`KeyManager::revoke_everywhere`] does.
    ///
    /// # Errors
    ///
    /// Those of [`revoke`](Self::revoke).
    pub async fn revoke_everywhere(&self, id: &KeyId, reason: &str) -> Result<Propagation, ManageError> {
        self.revoke_and_wait(id, reason, Wait::new().until_lease()).await
    }

    /// Revokes a key permanently, waits for other processes, and returns how far the revocation has propagated.
    ///
    /// # Errors
    ///
    /// Those of [`revoke`](Self::revoke).
    pub async fn revoke_and_wait(
        &self,
        id: &KeyId,
        reason: &str,
        wait: Wait,
    ) -> Result<Propagation, ManageError> {
        self.revoke(id, reason).await?;
        Ok(self.manager.wait_applied(wait).await)
    }

    /// Returns the caller and its limits, which the store checks.
    fn bounded_actor(&self) -> BoundedActor {
        let is_checked = self.actor.subject().is_some();
        let bounds = Bounds {
            keys: self.own(),
            stronger_keys: self.manager.stronger_keys,
            external_caller: (!is_checked).then(|| self.caller.authorized_actor()),
        };
        BoundedActor { actor: self.actor.clone(), bounds: Some(bounds) }
    }

    /// Returns a filter for the keys of the caller.
    fn own(&self) -> KeyFilter {
        let own = KeyFilter::of_owner(self.caller.owner());
        if self.all_environments { own } else { own.environment(self.caller.environment()) }
    }

    /// Narrows a filter to the keys of the caller. Returns `None` if the filter excludes all of them.
    fn filter(&self, mut filter: KeyFilter) -> Option<KeyFilter> {
        let own = self.own();
        let overlaps = narrow(&mut filter.environment, own.environment.as_ref())
            && narrow(&mut filter.organization, own.organization.as_ref())
            && narrow(&mut filter.project, own.project.as_ref())
            && narrow(&mut filter.user, own.user.as_ref());
        overlaps.then_some(filter)
    }
}

impl<S: KeyStore + UsageStore> Delegate<'_, S> {
    /// Returns the usage of the caller's keys that match a query.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound) if the query names a key that is not the caller's;
    /// [`Unavailable`](super::ManageErrorKind::Unavailable) if the store fails.
    pub async fn query_usage(&self, query: UsageQuery) -> Result<Vec<UsageLine>, ManageError> {
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
        self.manager.query_usage(&query).await
    }
}

/// Narrows a criterion of a filter to the caller's value, if any, and returns whether the two overlap.
fn narrow<T: PartialEq + Clone>(wanted: &mut Option<T>, own: Option<&T>) -> bool {
    let Some(own) = own else { return true };
    let overlaps = wanted.as_ref().is_none_or(|wanted| wanted == own);
    *wanted = Some(own.clone());
    overlaps
}
