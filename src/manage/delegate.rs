//! What a caller may do to its own keys.

use super::{Authority, CreatedKey, KeyManager, ManageError, NewKey, RotateOptions, Wait};
use crate::backend::{
    Actor, Bounds, KeyFilter, KeyStore, KeyUpdate, Propagation, UsageLine, UsageQuery, UsageStore,
};
use crate::environment::Environment;
use crate::key::KeyId;
use crate::principal::Principal;
use crate::record::Record;
use crate::scope::Requirement;

/// The keys that a caller may know of: those of its own organization, project or person, in its own environment. All other
/// keys are not there. What it grants it must have itself, and it must have what a key may do to be shown its successor, to change it or
/// to end it.
///
/// All of that is judged in the transaction of each change, by the caller as it is then.
#[derive(Debug)]
pub struct Delegate<'m, S> {
    manager: &'m KeyManager<S>,
    caller: &'m Principal,
    actor: Actor,
    /// Whether keys of other environments are the caller's as well.
    anywhere: bool,
}

impl<'m, S: KeyStore> Delegate<'m, S> {
    pub(super) fn new(manager: &'m KeyManager<S>, caller: &'m Principal, actor: Actor) -> Self {
        Self { manager, caller, actor, anywhere: false }
    }

    pub(super) fn external(manager: &'m KeyManager<S>, caller: &'m Principal) -> Self {
        Self::new(manager, caller, Actor::external(caller.key_id().as_str()))
    }

    /// Takes the keys of all environments for those of a caller who is live. A caller of another environment keeps to its own:
    /// by way of a key that it makes, it would reach live data with a test key.
    #[must_use]
    pub fn across_environments(self) -> Self {
        Self { anywhere: self.caller.environment() == Environment::Live, ..self }
    }

    /// Requires scopes of the caller at the moment of each change, beside those that the change grants. Of no effect on one whose key
    /// another backend keeps.
    #[must_use]
    pub fn requiring(self, requirement: Requirement) -> Self {
        Self { actor: self.actor.requires(requirement), ..self }
    }

    /// Returns a key to [`create`](Self::create): of the caller's owner and environment, without a name or scopes.
    pub fn new_key(&self) -> NewKey {
        NewKey::new(self.caller.owner().identity()).environment(self.caller.environment())
    }

    /// Creates a key of the caller's owner and of its environment, or of any where the delegate is one
    /// [across environments](Self::across_environments). It is the doing of the caller, whatever `created_by` says. It ends no later than
    /// the caller's key, and if it names no sources, it is presented in the same ways as that.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the caller is not in force any more, lacks one of the scopes, or asks for a later
    /// end, another owner or an environment that is not its own: the [fields](ManageError::fields) say which. And those of
    /// [`KeyManager::create`].
    pub async fn create(&self, new: NewKey) -> Result<CreatedKey, ManageError> {
        let owner = self.caller.owner().identity();
        if new.owner.identity() != owner {
            return Err(ManageError::forbidden("owner", "must be the owner of the caller's key"));
        }
        if !self.anywhere && new.environment != self.caller.environment() {
            let message =
                format!("must be {}, the environment of the caller's key", self.caller.environment());
            return Err(ManageError::forbidden("environment", message));
        }
        self.manager.create_by(&self.authority(), NewKey { owner, ..new }).await
    }

    /// Returns a key.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound) if the caller may know of none with this id.
    pub async fn get(&self, id: &KeyId) -> Result<Record, ManageError> {
        let record = self.manager.get(id).await?;
        if self.own().matches(&record) { Ok(record) } else { Err(ManageError::not_found()) }
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
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the caller is not in force any more, lacks one of the scopes that the key has or
    /// is to have, or puts the end of the key off beyond that of its own, or for a longer life than its own has; and those of [`get`](Self::get) and
    /// [`KeyManager::update`].
    pub async fn update(&self, id: &KeyId, update: KeyUpdate) -> Result<Record, ManageError> {
        self.manager.update_by(&self.authority(), id, update).await
    }

    /// Replaces a key by a new one that may do the same. A caller may replace its own key. One whose own key was replaced gets a successor
    /// that ends with that, and does not replace the key by which it was.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the caller is not in force any more, lacks one of its scopes, may not be
    /// presented in all the ways in which the key may, or asks for an end that is later than that of its own key and than the one that a
    /// successor has by itself; and those of [`get`](Self::get) and [`KeyManager::rotate`].
    pub async fn rotate(&self, id: &KeyId, options: RotateOptions) -> Result<CreatedKey, ManageError> {
        self.manager.rotate_by(&self.authority(), id, options).await
    }

    /// Revokes a key for good. A caller may always revoke its own.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::ManageErrorKind::Forbidden) if the caller is not in force any more, or lacks one of the scopes of the key; and
    /// those of [`get`](Self::get) and [`KeyManager::revoke`].
    pub async fn revoke(&self, id: &KeyId, reason: &str) -> Result<(), ManageError> {
        self.manager.revoke_by(&self.authority(), id, reason).await
    }

    /// Revokes a key for good, and returns when no process admits it any more, as [`KeyManager::revoke_everywhere`] does.
    ///
    /// # Errors
    ///
    /// Those of [`revoke`](Self::revoke).
    pub async fn revoke_everywhere(&self, id: &KeyId, reason: &str) -> Result<Propagation, ManageError> {
        self.revoke_and_wait(id, reason, Wait::new().until_lease()).await
    }

    /// Revokes a key for good, waits for other processes, and returns how far the revocation has got.
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

    /// What the store judges: the caller, and what it may do to which keys.
    fn authority(&self) -> Authority {
        let is_judged = self.actor.subject().is_some();
        let bounds = Bounds {
            keys: self.own(),
            stronger_keys: self.manager.stronger_keys,
            unjudged: (!is_judged).then(|| self.caller.authorized_actor()),
        };
        Authority { actor: self.actor.clone(), bounds: Some(bounds) }
    }

    /// The keys that the caller may know of.
    fn own(&self) -> KeyFilter {
        let own = KeyFilter::of_owner(self.caller.owner());
        if self.anywhere { own } else { own.environment(self.caller.environment()) }
    }

    /// Narrows a filter to the keys that the caller may know of. Returns `None` if these are other keys than are asked for.
    fn filter(&self, mut filter: KeyFilter) -> Option<KeyFilter> {
        let own = self.own();
        let is_left = narrow(&mut filter.environment, own.environment.as_ref())
            && narrow(&mut filter.organization, own.organization.as_ref())
            && narrow(&mut filter.project, own.project.as_ref())
            && narrow(&mut filter.user, own.user.as_ref());
        is_left.then_some(filter)
    }
}

impl<S: KeyStore + UsageStore> Delegate<'_, S> {
    /// Returns how often the caller's keys that a query means were used.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::ManageErrorKind::NotFound) if the query names a key that the caller may not know of;
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

/// Narrows what is wanted to what is the caller's own, if it is bound to anything, and tells whether something is left.
fn narrow<T: PartialEq + Clone>(wanted: &mut Option<T>, own: Option<&T>) -> bool {
    let Some(own) = own else { return true };
    let is_left = wanted.as_ref().is_none_or(|wanted| wanted == own);
    *wanted = Some(own.clone());
    is_left
}
